#!/usr/bin/env bash
# Everything that must pass: format, lints, both builds' tests, the short demo,
# and tokio-console attached to a running server.
#
# usage: scripts/test.sh [--quick]      --quick leaves out the demo and tokio-console
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no
case "${1:-}" in
    "") ;;
    --quick) quick=yes ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac

step() { printf '\n== %s\n' "$*"; }

# Debian packages that hold the programs the tests call.
packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need gzip gzip
need awk mawk
need curl curl
[ "$quick" = yes ] || need tmux tmux
if [ -n "$packages" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        step "install:$packages"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages
    else
        echo "test.sh: missing programs; install the packages:$packages" >&2
        exit 1
    fi
fi

step "format"
cargo fmt --all -- --check

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
else
    cargo test --workspace --locked
fi

step "a build without tokio_unstable compiles"
RUSTFLAGS="" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/stable" cargo check --locked

if [ "$quick" = no ]; then
    step "the demo, short"
    scripts/demo.sh --short
    step "tokio-console shows our tasks"
    scripts/check_console.sh
fi
printf '\nall passed\n'
