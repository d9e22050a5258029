#!/usr/bin/env bash
# Attaches tokio-console to a running server through tmux and checks that the
# tasks it shows are ours, by name. Leaves the capture in docs/ with --save.
#
# usage: scripts/check_console.sh [--save]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
save=${1:-}

command -v tmux >/dev/null || { echo "check_console.sh: install tmux" >&2; exit 1; }
console=$(command -v tokio-console || true)
if [ -z "$console" ]; then
    echo "installing tokio-console (once; some minutes)"
    cargo install --locked --quiet --debug --root "${CARGO_TARGET_DIR:-target}/tools" tokio-console
    console=${CARGO_TARGET_DIR:-target}/tools/bin/tokio-console
fi
case $console in /*) ;; *) console=$root/$console ;; esac

cargo build --quiet --locked
server=${CARGO_TARGET_DIR:-target}/debug/torc-server
case $server in /*) ;; *) server=$root/$server ;; esac

work=$(mktemp -d)
session=torc-console-$$
pid=""
cleanup() {
    tmux kill-session -t "$session" 2>/dev/null || true
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

"$server" run --host 127.0.0.1 --port 0 --database "$work/c.db" --console-bind 127.0.0.1:16669 \
    >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 100); do
    grep -q '^TORC_SERVER_PORT=' "$work/out" && break
    sleep 0.1
done
port=$(sed -n 's/^TORC_SERVER_PORT=//p' "$work/out")
[ -n "$port" ] || { echo "check_console.sh: the server did not start:" >&2; cat "$work/err" >&2; exit 1; }

# A connection that stays open, and another that asks now and then.
curl -sN "http://127.0.0.1:$port/torc-service/v1/ping" >/dev/null
flow=$(curl -s "http://127.0.0.1:$port/torc-service/v1/workflows" -H 'content-type: application/json' \
    -d '{"name":"w","user":"u"}' | sed 's/.*"id":\([0-9]*\).*/\1/')
curl -sN "http://127.0.0.1:$port/torc-service/v1/workflows/$flow/events/stream" >/dev/null &
stream=$!

tmux new-session -d -s "$session" -x 160 -y 40 "$console --no-colors http://127.0.0.1:16669"
missing=""
for _ in $(seq 60); do
    sleep 0.5
    tmux capture-pane -p -t "$session" >"$work/capture"
    missing=""
    for name in http-listener http-connection repair-sweep; do
        grep -q "$name" "$work/capture" || missing="$missing $name"
    done
    [ -n "$missing" ] || break
done
kill "$stream" 2>/dev/null || true
if [ -n "$missing" ]; then
    echo "check_console.sh: tokio-console does not show:$missing" >&2
    cat "$work/capture" >&2
    exit 1
fi
if [ "$save" = --save ]; then
    cp "$work/capture" docs/tokio-console-tasks.txt
    tmux send-keys -t "$session" r
    sleep 2
    tmux capture-pane -p -t "$session" >docs/tokio-console-resources.txt
fi
echo "tokio-console shows http-listener, http-connection and repair-sweep"
