#!/usr/bin/env bash
# Drives a server by the published Python client through a story for every noun: created,
# read, listed by pages, changed, run to its end, deleted. Every operation that the client
# has is used at least once.
#
# usage: scripts/check_python_client.sh
# exit: 0 all went as told, 1 something did not, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    "") ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "check_python_client.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
cargo build --quiet --locked --bins

# A virtual environment of its own, made anew when what is asked for changes.
wanted=tests/python/requirements.txt
venv=$target/python-client
if ! cmp -s "$wanted" "$venv/made-of"; then
    rm -rf "$venv"
    python3 -m venv "$venv" || {
        echo "check_python_client.sh: install the packages: python3-venv" >&2
        exit 1
    }
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$venv/made-of"
fi
PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" tests/python/main.py \
    "$target/debug/torc-server" "$target/debug/torc"
