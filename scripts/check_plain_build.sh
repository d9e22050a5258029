#!/usr/bin/env bash
# Builds the server as `cargo install` would, without --cfg tokio_unstable, and runs it
# once: it works, with tokio-console off and one warning that says how to turn it on.
#
# usage: scripts/check_plain_build.sh
# exit: 0 it does, 1 it does not, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    "") ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "check_plain_build.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac

# A directory of its own, since other flags would make cargo build everything anew each
# time; without debug information, which nobody reads here.
target=${CARGO_TARGET_DIR:-target}/plain
case $target in /*) ;; *) target=$PWD/$target ;; esac
RUSTFLAGS="" CARGO_PROFILE_DEV_DEBUG=none CARGO_TARGET_DIR=$target \
    cargo build --quiet --locked --bin torc-server

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-plain.XXXXXX")
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() {
    cat "$work/err" >&2
    echo "check_plain_build.sh: $*" >&2
    exit 1
}

cd "$work"
env -u RUST_LOG -u TORC_LOG_DIR -u TOKIO_CONSOLE_BIND -u TORC_TIMING_ENABLED \
    "$target/debug/torc-server" run --host 127.0.0.1 --port 0 --database plain.db >out 2>err &
server=$!
for _ in $(seq 100); do
    grep -q '^TORC_SERVER_PORT=' out && break
    sleep 0.1
done
port=$(sed -n 's/^TORC_SERVER_PORT=//p' out)
[ -n "$port" ] || fail "the server did not start"
curl -sS "http://127.0.0.1:$port/torc-service/v1/ping" >ping || fail "it does not answer"
grep -q '"ok"' ping || fail "its ping is not ok: $(cat ping)"
kill -TERM "$server"
wait "$server" || fail "it did not end with 0"
server=""
[ "$(grep -c ' WARN ' err)" = 1 ] || fail "there should be one warning"
grep ' WARN ' err | grep 'tokio-console is off' | grep -q -- '--cfg tokio_unstable' ||
    fail "the warning does not say how to turn the console on"
echo "without tokio_unstable the server works, and says how to turn the console on"
