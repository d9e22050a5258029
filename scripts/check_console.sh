#!/usr/bin/env bash
# Attaches tokio-console to a server at work through tmux, and checks what it shows:
# tasks by our names, the writer with who holds it, and the requests that wait for it.
#
# usage: scripts/check_console.sh [--save DIR]     --save keeps the captures in DIR
# exit: 0 all is shown, 1 something is missing, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
save=""
case "${1:-}" in
    "") ;;
    --save)
        save=${2:?check_console.sh: --save needs a directory}
        mkdir -p "$save"
        save=$(cd "$save" && pwd)
        ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "check_console.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac

command -v tmux >/dev/null || { echo "check_console.sh: install tmux" >&2; exit 1; }
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
console=$(command -v tokio-console || echo "$target/tools/bin/tokio-console")
if [ ! -x "$console" ]; then
    echo "installing tokio-console (once; some minutes)"
    cargo install --locked --quiet --debug --root "$target/tools" tokio-console
fi
cargo build --quiet --locked

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-console.XXXXXX")
server="" workers=""
terminal() { tmux -L "torc-$$" "$@"; }
cleanup() {
    terminal kill-server 2>/dev/null || true
    for pid in $workers $server; do kill "$pid" 2>/dev/null || true; done
    for pid in $workers $server; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "check_console.sh: $*" >&2; exit 1; }

cd "$work"
"$target/debug/torc-server" run --host 127.0.0.1 --port 0 --database console.db \
    --console-bind 127.0.0.1:0 >out 2>err &
server=$!
for _ in $(seq 100); do
    grep -q '^TORC_SERVER_PORT=' out && break
    sleep 0.1
done
port=$(sed -n 's/^TORC_SERVER_PORT=//p' out)
[ -n "$port" ] || { cat err >&2; fail "the server did not start"; }
console_at=$(sed -n 's/.*tokio-console can connect.*address=//p' err)
[ -n "$console_at" ] || { cat err >&2; fail "the server does not say where its console is"; }

# Ten workers with more short jobs than they can do while we look.
export TORC_API_URL="http://127.0.0.1:$port/torc-service/v1"
printf 'name: busy\njobs:\n  - {name: "j{i}", command: "true", parameters: {i: "1:30000"}}\n' >busy.yaml
"$target/debug/torc" create busy.yaml >/dev/null
"$target/debug/torc" workflows start 1 >/dev/null
for i in $(seq 10); do
    "$target/debug/torc" run 1 --quiet --max-parallel-jobs 2 --output-dir "out_$i" >/dev/null 2>&1 &
    workers="$workers $!"
done

# LC_ALL: tokio-console draws its table with characters beyond ASCII where it may.
terminal new-session -d -s console -x 150 -y 30 \
    "LC_ALL=C.UTF-8 '$console' --no-colors 'http://$console_at'"
capture() { terminal capture-pane -p -t console | sed 's/ *$//'; }
key() { terminal send-keys -t console "$1"; sleep 0.3; }

# Looks until every pattern shows, or gives up: look FILE PATTERN...
look() {
    local file=$1 missing pattern
    shift
    for _ in $(seq 60); do
        sleep 0.5
        capture >"$file"
        missing=""
        for pattern in "$@"; do
            grep -q -- "$pattern" "$file" || missing="$missing '$pattern'"
        done
        [ -n "$missing" ] || return 0
    done
    cat "$file" >&2
    fail "tokio-console does not show:$missing"
}

look tasks http-listener http-connection repair-sweep sigusr1-dumps-timings
key r
key i # oldest first, so that new rows do not move the others
look resources 'Writer ' 'ReadConnections ' 'holder=.* queued='
# Down the rows to the writer's. Through a file: a pipe into grep -q breaks when it finds.
for _ in $(seq 20); do
    key Down
    capture >selected
    if grep -q '>>.* Writer ' selected; then break; fi
done
key Enter
look writer 'Type: Writer' 'Writer::submit' '(http-connection)' 'waiting=true'

if [ -n "$save" ]; then
    for view in tasks resources writer; do
        # Empty rows of the tables say nothing.
        grep -v '^│ *│*$' "$view" | sed '/^$/d' >"$save/$view.txt"
    done
fi
kill -0 "$server" || fail "the server ended while it was watched"
echo "tokio-console shows our tasks by name, and who holds the writer and waits for it"
