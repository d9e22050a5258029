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

# What the tests call, and the Debian packages that hold it.
packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need cc gcc
need gzip gzip
need awk mawk
need curl curl
need kill procps
need mount mount
need unshare util-linux
need chromium chromium
need chromedriver chromium-driver
need script bsdutils
need stty coreutils
[ "$quick" = yes ] || need python3 python3
[ "$quick" = yes ] || python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
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
# promtool and Prometheus, which check /metrics. The package is unpacked and not installed:
# it would start a service.
prometheus=target/prometheus
if ! [ -x "$prometheus/usr/bin/promtool" ] \
    && ! { command -v promtool && command -v prometheus; } >/dev/null 2>&1; then
    step "unpack: prometheus"
    mkdir -p "$prometheus"
    [ "$(id -u)" != 0 ] || apt-get update -qq
    (cd "$prometheus" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . \
        && rm prometheus_*.deb) || {
        echo "test.sh: missing programs; install the packages: prometheus" >&2
        exit 1
    }
fi
command -v cargo >/dev/null 2>&1 || {
    echo "test.sh: there is no cargo; https://rustup.rs installs it" >&2
    exit 1
}
for component in rustfmt:fmt clippy:clippy; do
    cargo "${component#*:}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null 2>&1 || {
        echo "test.sh: there is no ${component%:*}; install that part of the toolchain" >&2
        exit 1
    }
    step "install: ${component%:*}"
    rustup component add "${component%:*}"
done
# The test of a full disk mounts a small one, in a namespace of its own.
may_mount() { unshare "$1" mount -t tmpfs -o size=1m tmpfs /tmp 2>/dev/null; }
may_mount -m || may_mount -rm || {
    echo "test.sh: a test mounts a small tmpfs. Run as root, or allow user namespaces" \
        "(sysctl kernel.unprivileged_userns_clone=1; in a container --cap-add SYS_ADMIN)" >&2
    exit 1
}

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

step "a build without tokio_unstable works"
scripts/check_plain_build.sh

if [ "$quick" = no ]; then
    step "whatever the contract allows, at random"
    scripts/fuzz_api.sh
    step "the published Python client"
    scripts/check_python_client.sh
    step "the demo, short"
    scripts/demo.sh --short
    step "tokio-console shows our tasks"
    scripts/check_console.sh
fi
printf '\nall passed\n'
