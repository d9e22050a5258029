#!/usr/bin/env bash
# The standard set of load on our server, as a table; with --against-torc beside Torc
# 1.0.0, the two in turn. docs/performance.md says what the figures mean.
#
# usage: scripts/bench.sh [--quick] [--runs N] [--against-torc | --telemetry] [--rows LIST] [--out FILE]
#   --quick         one run unless --runs says more, and no row of 1,000,000 jobs
#   --runs N        repetitions of each row; the table has their medians (3)
#   --against-torc  build Torc's published server (once, some 15 minutes) and run it too
#   --telemetry     what each layer of telemetry costs, in turn: ten runs unless --runs says else
#   --rows LIST     only these rows, separated by commas; 'all' names them
#   --out FILE      where the runs go, a line of JSON each (target/bench/<time>.jsonl)
# exit: 0 all runs went through and every job was run once, 1 otherwise, 2 usage
set -euo pipefail
cd "$(dirname "$0")/.."

all="drain-32 drain-8 drain-1 limit-1 batch readers readers-paced large submit chain"
ours="edges edges-files everything timing claims-thousand"
huge="claims-million million"
layers="telemetry console-workers"

usage() { echo "bench.sh: $*; see --help" >&2; exit 2; }
quick=no runs="" torc=no layered=no rows="" out=""
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=yes ;;
        --against-torc) torc=yes ;;
        --telemetry) layered=yes ;;
        --runs | --rows | --out)
            [ $# -ge 2 ] || usage "$1 needs a value"
            case $1 in --runs) runs=$2 ;; --rows) rows=$2 ;; --out) out=$2 ;; esac
            shift ;;
        -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) usage "unknown argument '$1'" ;;
    esac
    shift
done
[ "$torc$layered" != yesyes ] || usage "--against-torc and --telemetry are two sets"
if [ "$layered" = yes ]; then
    runs=${runs:-10} rows=${rows:-$layers}
fi
[ -n "$runs" ] || { [ "$quick" = yes ] && runs=1 || runs=3; }
case $runs in '' | *[!0-9]* | 0) usage "--runs takes a whole number from 1" ;; esac
[ "$rows" != all ] || { echo "$all $ours $huge $layers"; exit 0; }
if [ -z "$rows" ]; then
    rows="$all $ours"
    [ "$quick" = yes ] || rows="$rows $huge"
fi
rows=${rows//,/ }
for row in $rows; do
    case " $all $ours $huge $layers " in *" $row "*) ;; *) usage "no row '$row'" ;; esac
done

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/bench"
[ -n "$out" ] || out=$target/bench/$(date -u +%Y%m%dT%H%M%SZ).jsonl

echo "building ..." >&2
load=$(cargo bench --quiet --no-run --locked --bench load --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/load-[^"]*\)".*/\1/p' | tail -n 1)
[ -x "$load" ] || { echo "bench.sh: the load generator was not built" >&2; exit 1; }

published=$target/torc-1.0.0/bin/torc-server
if [ "$torc" = yes ] && [ ! -x "$published" ]; then
    echo "building Torc 1.0.0, which takes some 15 minutes ..." >&2
    SQLX_OFFLINE=true cargo install torc@1.0.0 --features server-bin --locked \
        --root "$target/torc-1.0.0" --target-dir "$target/torc-build" || {
        echo "bench.sh: Torc 1.0.0 was not built; it needs the packages libssl-dev and pkg-config" >&2
        exit 1
    }
fi

failed=0
# One run: the row, what the table calls the server, and the scenario with its flags.
run() {
    local row=$1 label=$2
    shift 2
    echo "$(date +%T) $row: $label" >&2
    "$load" "$@" --row "$row" --label "$label" --json >>"$out" || failed=$((failed + 1))
}

# A run on each server. Drains are cut after ten seconds, as Torc would need minutes.
each() {
    local row=$1
    shift
    [ "$torc" = no ] || run "$row" torc "$@" --kind torc --server "$published"
    run "$row" process "$@" --durability process
    run "$row" power "$@" --durability power
}

ten_thousand() { each "$1" drain --jobs 10000 --seconds 10 "${@:2}"; }

edges() {
    run "$1" process fan --shape full --width 1000 --layers 2 --via "$2" --no-drain \
        --durability process
}

# One layer after the other on top of the histograms; what is off in all of them is off.
layer() {
    case $1 in
        bare) set -- "$1" --timing off --console off $dark ;;
        timing) set -- "$1" --console off $dark ;;
        flight) set -- "$1" --console off ;;
        otlp) set -- "$1" --console off --otlp 0.01 ;;
        console) set -- "$1" --console attached ;;
        log) set -- "$1" --console off --log debug ;;
        all) set -- "$1" --console attached --log lines --otlp 0.01 ;;
    esac
    run telemetry "$1" drain --jobs 30000 --durability process "${@:2}"
}
dark="--server-arg=--flight-recorder=off --server-arg=--slow=off"

one_row() {
    case $1 in
        drain-32) ten_thousand "$1" --workers 32 ;;
        drain-8) ten_thousand "$1" --workers 8 ;;
        drain-1) ten_thousand "$1" --workers 1 ;;
        limit-1) ten_thousand "$1" --workers 32 --claim-limit 1 ;;
        batch) ten_thousand "$1" --workers 8 --claim-limit 100 --batch ;;
        readers) ten_thousand "$1" --workers 8 --readers 4 ;;
        readers-paced) ten_thousand "$1" --workers 8 --readers 4 --reader-rate 25 ;;
        large) each "$1" drain --jobs 100000 --workers 32 --cycles 2000 --seconds 15 ;;
        submit) each "$1" submit --jobs 100000 ;;
        chain) each "$1" chain --links 100 ;;
        edges) edges "$1" jobs ;;
        edges-files) edges "$1" files ;;
        everything)
            run "$1" plain drain --durability process
            run "$1" all drain --durability process --console attached --log debug
            run "$1" lines drain --durability process --console attached --log lines ;;
        timing)
            # Each comes first in every other pair: what runs second is not the same for both.
            if [ $((nth % 2)) = 1 ]; then order="on off"; else order="off on"; fi
            for timing in $order; do
                run "$1" "$timing" drain --jobs 30000 --durability process --timing "$timing" $dark
            done ;;
        telemetry)
            # Whoever comes first in one run comes last in the next.
            order="bare timing flight otlp console log all"
            [ $((nth % 2)) = 1 ] || order="all log console otlp flight timing bare"
            for one in $order; do layer "$one"; done ;;
        console-workers)
            for console in off attached; do
                run "$1" "$console" drain --jobs 20000 --workers 1000 --durability process \
                    --console "$console"
            done ;;
        claims-thousand) run "$1" process claim-next --jobs 1000 --durability process ;;
        claims-million) run "$1" process claim-next --jobs 1000000 --durability process ;;
        million) run "$1" process drain --jobs 1000000 --workers 32 --durability process ;;
    esac
}

for ((nth = 1; nth <= runs; nth++)); do
    echo "run $nth of $runs" >&2
    for row in $rows; do one_row "$row"; done
done
# A difference of some percent needs more pairs than the rest.
case " $rows " in *" timing "*)
    [ "$quick" = yes ] || for ((nth = runs + 1; nth <= 10; nth++)); do one_row timing; done ;;
esac

echo "runs are in $out" >&2
"$load" table "$out"
[ "$failed" = 0 ] || { echo "bench.sh: $failed runs failed" >&2; exit 1; }
