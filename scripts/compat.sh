#!/usr/bin/env bash
# Drives our server by the published `torc` 1.0.0 command line, unmodified: it creates, runs,
# watches, exports and deletes the workflows of examples/, with and without passwords and
# TLS, and starts our server by itself in standalone mode. Prints what passed.
#
# usage: scripts/compat.sh [--keep]
#   --keep  leave the logs of every step in their directory, and say where it is
# Builds `torc` once (some ten minutes; needs the packages libssl-dev and pkg-config) into
# target/torc-cli-1.0.0.
# exit: 0 all passed, 1 something did not, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
keep=no
case "${1:-}" in
    "") ;;
    --keep) keep=yes ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "compat.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac
for program in curl openssl python3; do
    command -v "$program" >/dev/null || { echo "compat.sh: install $program" >&2; exit 1; }
done

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
torc=${TORC_CLI:-$target/torc-cli-1.0.0/bin/torc}
if [ ! -x "$torc" ]; then
    echo "building the published torc 1.0.0, once ..." >&2
    SQLX_OFFLINE=true cargo install torc@1.0.0 --locked --root "$target/torc-cli-1.0.0" \
        --target-dir "$target/torc-build" || {
        echo "compat.sh: it was not built; it needs the packages libssl-dev and pkg-config" >&2
        exit 1
    }
fi
cargo build --quiet --locked --bins
server_binary=$target/debug/torc-server

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-compat.XXXXXX")
server=""
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    server=""
}
cleanup() {
    stop
    if [ "$keep" = yes ]; then echo "the logs are in $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
cd "$work"
# Nothing of the caller's own settings: neither its servers nor its configuration.
unset TORC_API_URL TORC_PASSWORD TORC_USERNAME TORC_TLS_CA_CERT RUST_LOG DATABASE_URL
export HOME=$work XDG_CONFIG_HOME=$work USER=ada

total=0 failed=0
# Runs a program for two minutes at most, or one of the functions here.
within() {
    if [ "$(type -t "$1")" = function ]; then "$@"; else timeout 120 "$@"; fi
}
# A step: its name, and the command that must succeed. Its output goes to a file.
step() {
    local name=$1 log
    shift
    total=$((total + 1))
    log=$work/$(printf '%03d' "$total").log
    echo "\$ $*" >"$log"
    if within "$@" >>"$log" 2>&1; then
        printf '%-12s %-44s ok\n' "$mode" "$name"
    else
        failed=$((failed + 1))
        printf '%-12s %-44s FAILED\n' "$mode" "$name"
        tail -n 25 "$log" | sed 's/^/    /'
    fi
}
# The value at a path of keys in a file of JSON.
json() {
    python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    value = value[int(key) if key.isdigit() else key]
print(value)' "$@"
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem \
    -out cert.pem -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
for user in ada root; do
    echo "secret-$user" | "$server_binary" htpasswd add --file htpasswd --cost 4 \
        --password-stdin "$user" >/dev/null
done

# Starts our server with these flags; sets `url`.
start() {
    local scheme=$1
    shift
    "$server_binary" run --host 127.0.0.1 --port 0 --database "$mode.db" "$@" \
        >server.out 2>"server-$mode.log" &
    server=$!
    for _ in $(seq 100); do
        grep -q '^TORC_SERVER_PORT=' server.out && break
        sleep 0.1
    done
    local port
    port=$(sed -n 's/^TORC_SERVER_PORT=//p' server.out)
    [ -n "$port" ] || { cat "server-$mode.log" >&2; exit 1; }
    url=$scheme://127.0.0.1:$port/torc-service/v1
}
client() { "$torc" --url "$url" "${global[@]}" "$@"; }

# A step of the published command line.
published() { step "$1" "$torc" --url "$url" "${global[@]}" "${@:2}"; }

# The life of one example.
life() {
    local name=$1 spec=$root/examples/$1.yaml id
    published "$name: create" -f json create "$spec"
    client -f json create "$spec" >made.json 2>made.err || { cat made.err; return; }
    id=$(json made.json workflow_id)
    published "$name: execution plan" workflows execution-plan "$id"
    "$torc" --url "$url" "${global[@]}" watch "$id" --persistent -p 1 >"watch-$id.out" 2>&1 &
    local watcher=$!
    published "$name: run" run "$id" -p 0.2 -o "out-$mode-$name"
    step "$name: watched to its end" wait_for "$watcher"
    published "$name: status" -f json status "$id"
    client -f json status "$id" >status.json 2>/dev/null || true
    step "$name: all jobs completed" all_completed status.json
    published "$name: jobs" jobs list "$id"
    published "$name: results with logs" results list "$id" --include-logs -o "out-$mode-$name"
    published "$name: reset of failed jobs" workflows reset-status "$id" --failed-only --no-prompts
    published "$name: initialise again" workflows init "$id" --no-prompts --force
    published "$name: initialise in the background" workflows init "$id" --no-prompts --force --async
    published "$name: export" workflows export "$id" -o "$mode-$name.json" --include-results \
        --include-events
    published "$name: import" workflows import "$mode-$name.json" --name "again"
    published "$name: cancel" cancel "$id" --no-prompts
    published "$name: delete" delete "$id" --no-prompts
    step "$name: it is gone" fails "$torc" --url "$url" "${global[@]}" workflows get "$id"
}
wait_for() { wait "$1"; }
all_completed() { python3 -c 'import json, sys
counts = json.load(open(sys.argv[1]))["jobs_by_status"]
sys.exit(sum(counts.values()) != counts["completed"])' "$1"; }
fails() { ! within "$@"; }

# A workflow with something of every noun. Its actions leave files; its job that fails at
# first is tried again by its handler.
everything() {
    cat <<'SPEC'
name: everything
enable_ro_crate: true
env: {GREETING: hello}
resource_requirements:
  - {name: small, num_cpus: 1, memory: 10m, runtime: PT1M}
files:
  - {name: out, path: everything-out.txt}
user_data:
  - {name: settings, data: {x: 1}}
failure_handlers:
  - name: again
    rules: [{exit_codes: [3], max_retries: 2}]
slurm_schedulers:
  - {name: short, account: project, walltime: "00:10:00"}
jobs:
  - {name: write, command: "echo $GREETING > ${files.output.out}", resource_requirements: small}
  - name: fail_once
    command: "[ $TORC_ATTEMPT_ID -gt 1 ] || exit 3"
    resource_requirements: small
    failure_handler: again
  - name: read
    command: "cat ${files.input.out} && echo '${user_data.input.settings}'"
    depends_on: [fail_once]
    resource_requirements: small
actions:
  - {trigger_type: on_workflow_start, action_type: run_commands, commands: [touch at_start]}
  - {trigger_type: on_jobs_complete, action_type: run_commands, commands: [touch at_write],
     jobs: [write]}
  - {trigger_type: on_workflow_complete, action_type: run_commands, commands: [touch at_end]}
SPEC
}
with_everything() {
    local id
    everything >everything.yaml
    published "everything: create" -f json create everything.yaml --skip-checks
    client -f json create everything.yaml --skip-checks >made.json 2>made.err
    id=$(json made.json workflow_id)
    published "everything: plan" workflows execution-plan "$id"
    published "everything: actions" workflows list-actions "$id"
    published "everything: run" run "$id" -p 0.2 -o "out-$mode-everything"
    client -f json status "$id" >status.json 2>/dev/null || true
    step "everything: all jobs completed" all_completed status.json
    for file in at_start at_write at_end; do
        step "everything: the action left $file" test -e "out-$mode-everything/$file"
    done
    client -f json jobs list "$id" >jobs.json 2>/dev/null
    step "everything: a job was tried again" tried_again jobs.json
    published "everything: crate" ro-crate export "$id" -o "crate-$mode.json"
    published "everything: export" workflows export "$id" -o "$mode-everything.json" \
        --include-results --include-events
    published "everything: import" workflows import "$mode-everything.json" --name "once more"
    published "everything: delete" delete "$id" --no-prompts
}
tried_again() { python3 -c 'import json, sys
jobs = {job["name"]: job for job in json.load(open(sys.argv[1]))["items"]}
sys.exit(jobs["fail_once"]["attempt_id"] != 2)' "$1"; }

# A few commands for every other noun.
nouns() {
    local id
    client -f json create "$root/examples/diamond.yaml" >made.json 2>made.err
    id=$(json made.json workflow_id)
    published "workflows list" workflows list
    published "workflows update" workflows update "$id" --description changed
    published "workflows archive" workflows archive true "$id"
    published "workflows unarchive" workflows archive false "$id"
    published "jobs create" jobs create "$id" --name more --command true
    published "files create" files create "$id" --name more --path more.txt
    published "files list" files list "$id"
    published "files required" files list-required-existing "$id"
    published "user data create" user-data create "$id" --name note --data '{"x": 1}'
    published "user data list" user-data list "$id"
    published "user data missing" user-data list-missing "$id"
    published "events create" events create "$id" --data '{"category": "mine"}'
    published "events list" events list "$id"
    published "requirements create" resource-requirements create "$id" --name large -m 4g
    published "requirements list" resource-requirements list "$id"
    published "job dependencies" job-dependencies job-job "$id"
    published "job files" job-dependencies job-file "$id"
    published "job user data" job-dependencies job-user-data "$id"
    published "failure handlers list" failure-handlers list "$id"
    published "compute nodes list" compute-nodes list "$id"
    published "scheduled nodes list" scheduled-compute-nodes list "$id"
    published "remote list" remote list-workers "$id"
    published "slurm create" slurm create "$id" --name short --account project
    published "slurm list" slurm list "$id"
    published "slurm stats" slurm stats "$id"
    published "ro-crate create" ro-crate create "$id" --entity-id '#e' --entity-type Dataset \
        --metadata '{"name": "e"}'
    published "ro-crate list" ro-crate list "$id"
    published "ping" ping
}

admin() {
    published "access groups create" access-groups create team
    published "access groups list" access-groups list
    published "access groups add user" access-groups add-user 2 ada
    published "access groups members" access-groups list-members 2
    published "admin sql" admin sql "SELECT count(*) FROM workflow"
    published "admin audit log" admin list-audit-log
    published "admin api stats" admin api-stats
}

password=(--auth-file htpasswd --require-auth --enforce-access-control --admin-user root)
tls=(--https --tls-cert cert.pem --tls-key key.pem)
examples="diamond hundred_jobs pipeline"

mode=plain global=()
start http
for example in $examples; do life "$example"; done
with_everything
nouns
admin
stop

mode=password
start http "${password[@]}"
global=()
step "refused without a password" fails "$torc" --url "$url" workflows list
global=(--password wrong)
step "refused with a wrong password" fails "$torc" --url "$url" "${global[@]}" workflows list
global=(--password secret-ada)
life diamond
nouns
step "ada is no admin" fails "$torc" --url "$url" "${global[@]}" access-groups create team
export USER=root
global=(--password secret-root)
admin
published "admin reload-auth" admin reload-auth
export USER=ada
stop

mode=tls
start https "${tls[@]}"
global=()
step "refused without the authority" fails "$torc" --url "$url" ping
global=(--tls-ca-cert cert.pem)
life diamond
global=(--tls-insecure)
published "ping without checking" ping
stop

mode=tls+password
start https "${tls[@]}" "${password[@]}"
global=(--tls-ca-cert cert.pem --password secret-ada)
life diamond
stop

mode=standalone
alone() { step "$1" "$torc" -s --torc-server-bin "$server_binary" "${@:2}"; }
for example in $examples; do
    alone "$example: run" --db "alone/$example.db" run "$root/examples/$example.yaml" -p 0.2 \
        -o "out-alone-$example"
    alone "$example: list" --db "alone/$example.db" workflows list
done
alone "exec" --db alone/exec.db exec -o out-exec -c "echo one" -c "echo two"
alone "exec in memory" --db alone/memory.db --in-memory exec -o out-memory -c "echo one"
step "the snapshot is a database" "$server_binary" export --database alone/memory.db \
    --output alone/copy.db

echo "$((total - failed)) of $total passed"
[ "$failed" = 0 ]
