#!/usr/bin/env bash
# A hundred jobs on ten workers, seen from inside: starts a server with every
# layer of telemetry on, runs examples/hundred_jobs.yaml, asks for the timing
# histograms under load, and prints where the server's time went and what the
# doctor says of it.
#
# usage: scripts/demo.sh [--short] [--keep]
#   --short  on the dev build, for tests      --keep  keep the directory of logs
# exit: 0 every job ended well and both tables have rows, 1 otherwise, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

short=no keep=no
for argument in "$@"; do
    case $argument in
        --short) short=yes ;;
        --keep) keep=yes ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "demo.sh: unknown argument '$argument'; see --help" >&2; exit 2 ;;
    esac
done

missing=""
for program in cargo curl awk sed; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || { echo "demo.sh: install what is missing:$missing" >&2; exit 1; }

if [ "$short" = yes ]; then
    cargo build --quiet --locked
    bin=${CARGO_TARGET_DIR:-target}/debug
else
    echo "building (the first time takes some minutes) ..."
    cargo build --release --locked
    bin=${CARGO_TARGET_DIR:-target}/release
fi
case $bin in /*) ;; *) bin=$root/$bin ;; esac

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-demo.XXXXXX")
server="" workers=""
cleanup() {
    for pid in $workers $server; do kill "$pid" 2>/dev/null || true; done
    for pid in $workers $server; do wait "$pid" 2>/dev/null || true; done
    if [ "$keep" = yes ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
fail() { echo "demo.sh: $*" >&2; keep=yes; exit 1; }

# The usual console port if it is free, so that a plain `tokio-console` attaches.
console=127.0.0.1:6669
if (exec 3<>/dev/tcp/127.0.0.1/6669) 2>/dev/null; then console=127.0.0.1:0; fi

# The first rows of each part of the server's report: shorten ROWS FILE
shorten() {
    awk -v most="$1" '
        # A title has no indent, and the first row below it names the columns.
        /^[^ ]/ { rows = 0; print; next }
        /^$/ {
            if (rows > most + 1) printf "  ... and %d rows more\n", rows - most - 1
            rows = 0
            print
            next
        }
        ++rows <= most + 1 { print }
    ' "$2"
}

cd "$work"
TORC_TIMING_ENABLED=1 RUST_LOG=debug "$bin/torc-server" run --host 127.0.0.1 --port 0 \
    --database "$work/demo.db" --log-dir "$work/logs" --console-bind "$console" \
    >"$work/server.out" 2>"$work/server.log" &
server=$!
for _ in $(seq 200); do
    grep -q '^TORC_SERVER_PORT=' "$work/server.out" && break
    kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; fail "the server did not start"; }
    sleep 0.05
done
port=$(sed -n 's/^TORC_SERVER_PORT=//p' "$work/server.out")
[ -n "$port" ] || fail "the server printed no port"
export TORC_API_URL="http://127.0.0.1:$port/torc-service/v1"
echo "server   $TORC_API_URL (process $server)"
console=$(sed -n 's/.*tokio-console can connect.*address=//p' "$work/server.log")
echo "console  ${console:+tokio-console http://}${console:-off: see the first lines of the log}"
echo "logs     $work/logs"

"$bin/torc" -f json workflows create "$root/examples/hundred_jobs.yaml" >"$work/created.json"
flow=$(sed -n 's/.*"workflow_id": *\([0-9]*\).*/\1/p' "$work/created.json")
[ -n "$flow" ] || fail "the workflow was not created"
"$bin/torc" workflows start "$flow"

started=$(date +%s%N)
for i in $(seq 10); do
    "$bin/torc" run "$TORC_API_URL" run "$flow" --output-dir "$work/output_$i" \
        --max-parallel-jobs 2 >"$work/worker_$i.log" 2>&1 &
    workers="$workers $!"
done
# Under load means: some of the workers have claimed, and most jobs are still to come.
report=$work/timings.txt
get_report() { curl -sS "http://127.0.0.1:$port/debug/timings?format=text" >"$report"; }
claims=0
for _ in $(seq 600); do
    get_report || fail "the server does not answer /debug/timings"
    claims=$(awk '$1 == "claim_next_jobs" && $2 ~ /^[0-9]+$/ { print $2; exit }' "$report")
    [ "${claims:-0}" -lt 15 ] || break
    sleep 0.05
done
[ "${claims:-0}" -ge 15 ] || fail "the workers claimed nothing: see $work"
kill -USR1 "$server"
for pid in $workers; do
    wait "$pid" || fail "a worker ended with an error: see $work"
done
workers=""
seconds=$(( ($(date +%s%N) - started) / 1000000 ))

status=$("$bin/torc" -f json status "$flow")
count() { printf '%s' "$status" | tr -d ' \n' | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
completed=$(count completed)
total=$(count total_jobs)
echo
"$bin/torc" status "$flow"
awk -v jobs="$completed" -v ms="$seconds" \
    'BEGIN { printf "\n%d jobs on ten workers in %.1f s: %.1f jobs/s\n", jobs, ms / 1000, jobs * 1000 / ms }'
[ "$completed" = "$total" ] && [ "$total" = 100 ] || fail "$completed of $total jobs completed"

dump=""
for _ in $(seq 100); do
    for dump in "$work"/logs/torc-timings-*.txt; do break; done
    [ ! -e "$dump" ] || break
    sleep 0.05
done
[ -e "$dump" ] || fail "SIGUSR1 left no dump"
printf '\n== the histograms that SIGUSR1 dumped under load: %s\n' "$dump"
shorten 12 "$dump"
grep -q claim_next_jobs "$dump" || fail "the dump has no claims"

printf '\n== the server now: curl http://127.0.0.1:%s/debug/timings?format=text\n' "$port"
get_report || fail "the server does not answer /debug/timings"
shorten 6 "$report"
for part in 'Instrumented functions' "The writer's operations" 'SQL statements' 'Batches:'; do
    grep -q "^$part" "$report" || fail "the server's table lacks: $part"
done

# Asked while the run is still in its window; shown last. 4 means that something is wrong,
# which the doctor then says, and which is the machine's affair.
verdict=$work/doctor.txt code=0
"$bin/torc" doctor server --window 1m >"$verdict" || code=$?
[ "$code" = 0 ] || [ "$code" = 4 ] || fail "the doctor could not ask the server (exit code $code)"

kill -TERM "$server"
wait "$server" || fail "the server did not end with 0"
server=""
printf '\n== scripts/analyze_timings.sh over its log\n'
table=$("$root/scripts/analyze_timings.sh" --top 10 "$work/server.log") || fail "no timings in the log"
printf '%s\n' "$table"
"$root/scripts/analyze_timings.sh" --function prepare_ready_jobs "$work/server.log" >"$work/one" ||
    fail "the analysis lacks prepare_ready_jobs"

printf '\n== the doctor on this run: torc doctor server\n'
cat "$verdict"
