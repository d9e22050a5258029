#!/usr/bin/env bash
# Pictures of the debug pages under load, for the docs: starts a server of its own,
# lets workers run a workflow on it, and has a headless Chromium look.
#
# usage: scripts/screenshots.sh [DIRECTORY]     where to put them; docs/img by default
# needs: chromium and chromedriver (Debian: chromium, chromium-driver), curl, base64
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

case "${1:-}" in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "screenshots.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac
out=${1:-docs/img}
mkdir -p "$out"
out=$(cd "$out" && pwd)

missing=""
for program in cargo curl base64 chromium chromedriver; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || { echo "screenshots.sh: install what is missing:$missing" >&2; exit 1; }

cargo build --quiet --locked
bin=${CARGO_TARGET_DIR:-target}/debug
case $bin in /*) ;; *) bin=$root/$bin ;; esac

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-pictures.XXXXXX")
server="" others="" driver="" session=""
cleanup() {
    [ -z "$session" ] || curl -sS -o "$work/end" -X DELETE "$session" || true
    for pid in $others $driver $server; do kill "$pid" 2>/dev/null || true; done
    for pid in $others $driver $server; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "screenshots.sh: $*" >&2; exit 1; }

# Waits until a file has a line that sed finds: found FILE SED-COMMAND
found() {
    local text=""
    for _ in $(seq 200); do
        text=$(sed -n "$2" "$1" | head -n 1)
        [ -z "$text" ] || break
        sleep 0.1
    done
    [ -n "$text" ] || { cat "$1" >&2; fail "waited in vain for $2"; }
    printf '%s' "$text"
}

"$bin/torc-server" run --host 127.0.0.1 --port 0 --no-console --database "$work/x.db" \
    >"$work/server.out" 2>"$work/server.log" &
server=$!
port=$(found "$work/server.out" 's/^TORC_SERVER_PORT=//p')
page="http://127.0.0.1:$port/debug"
export TORC_API_URL="http://127.0.0.1:$port/torc-service/v1"

# The load: workers that run short jobs, and others who create jobs and read lists.
cat >"$work/flow.yaml" <<'YAML'
name: pictures
jobs:
  - name: step_{i}
    command: "true"
    parameters: {i: "1:15000"}
YAML
created=$("$bin/torc" -f json create "$work/flow.yaml")
flow=$(printf '%s' "$created" | tr -d ' \n' | sed -n 's/.*"workflow_id":\([0-9]*\).*/\1/p')
[ -n "$flow" ] || fail "the workflow was not created: $created"
"$bin/torc" workflows start "$flow" >"$work/start"
for n in 1 2 3 4; do
    "$bin/torc" run "$flow" --output-dir "$work/output_$n" --max-parallel-jobs 2 \
        >"$work/worker_$n" 2>&1 &
    others="$others $!"
done
# One connection each, over which curl asks again and again.
for n in $(seq 400); do
    printf 'next\nurl = "%s/jobs"\nsilent\noutput = "%s"\nheader = "content-type: application/json"\n' \
        "$TORC_API_URL" "$work/sink"
    printf 'data = "{\\"workflow_id\\": %s, \\"name\\": \\"extra_NAME_%s\\", \\"command\\": \\"true\\"}"\n' "$flow" "$n"
    printf 'next\nurl = "%s/jobs?workflow_id=%s&limit=100"\nsilent\noutput = "%s"\n' \
        "$TORC_API_URL" "$flow" "$work/sink"
done | sed '1d' >"$work/asks"
asker() {
    local round=0
    while sed "s/NAME/$1_$round/" "$work/asks" | curl -K - 2>>"$work/asker_$1"; do
        round=$((round + 1))
    done
}
for n in 1 2 3; do
    asker "$n" &
    others="$others $!"
done

chromedriver --port=0 >"$work/driver" 2>&1 &
driver=$!
driver_port=$(found "$work/driver" 's/.*successfully on port \([0-9]*\).*/\1/p')
web="http://127.0.0.1:$driver_port/session"
# Asks the browser, and answers its words: browser METHOD PATH [JSON]
browser() {
    curl -sS -X "$1" "$2" ${3:+-H 'content-type: application/json' -d "$3"}
}
arguments='"--headless=new","--no-sandbox","--disable-gpu","--disable-dev-shm-usage","--hide-scrollbars"'
arguments="$arguments"',"--force-color-profile=srgb","--user-data-dir='"$work"'/profile"'
answer=$(browser POST "$web" '{"capabilities":{"alwaysMatch":{"goog:chromeOptions":{"args":['"$arguments"']}}}}')
name=$(printf '%s' "$answer" | sed -n 's/.*"sessionId":"\([^"]*\)".*/\1/p')
[ -n "$name" ] || fail "no browser: $answer"
session="$web/$name"

# Pictures a page: picture NAME PATH WIDTH HEIGHT SCHEME [CSS-SELECTOR to wait for]
picture() {
    browser POST "$session/goog/cdp/execute" '{"cmd":"Emulation.setEmulatedMedia","params":{"features":[{"name":"prefers-color-scheme","value":"'"$5"'"}]}}' >"$work/answer"
    browser POST "$session/window/rect" '{"width":'"$3"',"height":'"$4"'}' >"$work/answer"
    browser POST "$session/url" '{"url":"about:blank"}' >"$work/answer"
    browser POST "$session/url" '{"url":"'"$page/$2"'"}' >"$work/answer"
    for _ in $(seq 150); do
        browser POST "$session/elements" '{"using":"css selector","value":"'"${6:-tbody tr}"'"}' >"$work/answer"
        grep -q element- "$work/answer" && break
        sleep 0.2
    done
    grep -q element- "$work/answer" || fail "$2 shows no $6: $(cat "$work/answer")"
    sleep "${LOOKS:-3}"
    browser GET "$session/screenshot" | sed 's/.*"value":"//; s/".*//' | base64 -d >"$out/$1.png"
    size=$(wc -c <"$out/$1.png")
    [ "$size" -gt 5000 ] && [ "$size" -lt 204800 ] || fail "$1.png has $size bytes"
    echo "$out/$1.png  $size bytes"
}
# A minute of load, so that the heat map has columns of both kinds.
sleep "${WARM:-75}"
picture index "?format=html" 1100 640 light '.tile'
picture timings "timings?format=html&window=1m" 1180 820 light '#routes tbody tr'
picture heatmap "timings?format=html&window=5m#routes/POST%20/jobs" 1280 640 dark '.cell'
picture operation "timings?format=html&window=5m#operations/create_job" 1280 640 light '.cell'
LOOKS=20 picture writer "writer?format=html" 1100 1420 light '#used tbody tr'
picture statements "statements?format=html&window=1m#ready.first_ids" 1280 800 dark '.plan'
