#!/bin/sh
# Statistics of the close lines in torc-server's logs. See --help.
set -u
LC_ALL=C
export LC_ALL

usage() {
    cat <<'HELP'
Usage: analyze_timings.sh [OPTIONS] [FILE...|-]

Reads logs that torc-server wrote with TORC_TIMING_ENABLED=1 and RUST_LOG=debug, and
prints, for each instrumented function, statistics of its calls:

  busy   time inside of the function
  idle   time in which it waited
  wall   busy + idle

each with count, mean, standard deviation (of all calls, divided by their number), min,
p50, p90, p99 and max. Percentiles are nearest-rank: the smallest value such that at
least that part of all values is not larger. The function with the largest total wall
time comes first.

FILE may be a text log or a JSON log, gzipped (.gz) or not; several files (rotated
ones) count together. With - or no file, standard input is read.

Options:
  --function NAME  only this function
  --top N          only the first N functions
  --json           JSON instead of a table, times in milliseconds
  -h, --help       this text

The number of close lines that could not be read goes to standard error, and so do files
that could not be read to their end; what was read of them counts.

Exit status:
  0  statistics of everything were printed
  1  no timings found, or a file could not be read to its end
  2  the command line is wrong

Examples:
  TORC_TIMING_ENABLED=1 RUST_LOG=debug torc-server run 2>&1 | tee server.log
  analyze_timings.sh server.log
  analyze_timings.sh --function prepare_ready_jobs logs/torc-server.*.log
HELP
}

say() { printf '%s\n' "analyze_timings.sh: $*" >&2; }

wrong() {
    say "$*"
    say "try --help"
    exit 2
}

only=
top=0
json=0
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --function)
        [ $# -ge 2 ] || wrong "--function needs the name of a function"
        only=$2
        shift
        ;;
    --function=*) only=${1#*=} ;;
    --top)
        [ $# -ge 2 ] || wrong "--top needs a number"
        top=$2
        shift
        ;;
    --top=*) top=${1#*=} ;;
    --json) json=1 ;;
    --)
        shift
        break
        ;;
    -) break ;;
    -*) wrong "unknown option $1" ;;
    *) break ;;
    esac
    shift
done
case $top in
'' | *[!0-9]*) wrong "--top needs a number, not '$top'" ;;
esac
if [ $# -eq 0 ]; then
    [ ! -t 0 ] || wrong "name a log file, or pipe one in"
    set -- -
fi
for file in "$@"; do
    case $file in
    -) continue ;;
    -*) wrong "options come before files: $file" ;;
    esac
    if [ ! -e "$file" ]; then
        say "no such file: $file"
        exit 1
    elif [ -d "$file" ]; then
        say "$file is a directory: name the log files in it"
        exit 1
    elif [ ! -r "$file" ]; then
        say "cannot read $file: check its permissions"
        exit 1
    fi
done

# Everything at once, so that one sort sees all files. A failure is told on a line of its
# own, since a pipe hides its first part's status; the other files count all the same.
# Files need not end in a line end.
read_all() {
    for file in "$@"; do
        case $file in
        -) cat ;;
        *.gz) gzip -dc -- "$file" ;;
        *) cat -- "$file" ;;
        esac || printf '\n#failed %s' "$file"
        echo
    done
}

# From close lines to `function TAB kind TAB value` with times in milliseconds: kind 0 is
# the number of calls, which sorts first, then 1 busy, 2 idle, 3 wall.
extract='
# A duration as tracing prints it, in ms; -1 if it is none. The micro sign is two bytes,
# there are two of them in Unicode, and JSON may escape either.
function ms(text,    number, unit) {
    if (!match(text, /^[0-9]+(\.[0-9]*)?/)) return -1
    number = substr(text, 1, RLENGTH) + 0
    unit = substr(text, RLENGTH + 1)
    if (unit == "ms") return number
    if (unit == "us" || unit == "\302\265s" || unit == "\316\274s") return number / 1000
    if (tolower(unit) == "\\u00b5s" || tolower(unit) == "\\u03bcs") return number / 1000
    if (unit == "ns") return number / 1000000
    if (unit == "s") return number * 1000
    return -1
}
# What follows the last `key` of the line, up to a blank or a quote.
function value(line, key,    at, rest) {
    rest = ""
    while ((at = index(line, key)) > 0) {
        line = substr(line, at + length(key))
        rest = line
    }
    sub(/[ \t"].*$/, "", rest)
    return rest
}
# Where the last `close time.busy=` begins, 0 if nowhere: a field may hold one as well.
function close_at(line,    at, before) {
    at = before = 0
    while (match(line, /close[ \t]+time\.busy=/)) {
        at = before + RSTART
        before += RSTART + RLENGTH - 1
        line = substr(line, RSTART + RLENGTH)
    }
    return at
}
# The innermost of the spans in `outer{a=1}:inner{b="x: {y"}: target: close`. Fields may
# hold anything, so braces and quotes are followed.
function text_name(head,    i, c, depth, quoted, name, last) {
    i = index(head, "{")
    if (match(head, /(^|[ \t])(TRACE|DEBUG|INFO|WARN|ERROR)[ \t]+/) && (i == 0 || RSTART < i))
        head = substr(head, RSTART + RLENGTH)
    sub(/^ThreadId\([0-9]+\)[ \t]+/, "", head)
    name = last = ""
    depth = quoted = 0
    for (i = 1; i <= length(head); i++) {
        c = substr(head, i, 1)
        if (quoted) {
            if (c == "\\") i++
            else if (c == "\"") quoted = 0
        } else if (depth > 0) {
            if (c == "\"") quoted = 1
            else if (c == "{") depth++
            else if (c == "}") depth--
        } else if (c == "{") depth = 1
        else if (c == ":") {
            # A lone colon joins spans, a colon and a blank ends the last one.
            if (name != "") last = name
            name = ""
            if (substr(head, i + 1, 1) == " ") break
        } else if (c == " " || c == "\t") name = ""
        else name = name c
    }
    return last
}
# The name of the current span: "span":{"workflow_id":1,"name":"get_job"}.
function json_name(line,    at, rest) {
    at = index(line, "\"span\":{")
    if (at == 0) return ""
    rest = "," substr(line, at + 8)
    if (!match(rest, /,"name":"[^"\\]+"/)) return ""
    return substr(rest, RSTART + 9, RLENGTH - 10)
}
/^#failed / { print "#failed\t0\t" substr($0, 9); next }
index($0, "time.busy") == 0 { next }
{
    line = $0
    if (index(line, "\033")) gsub(/\033\[[0-9;]*m/, "", line)
    sub(/\r$/, "", line)
    if (line ~ /^[ \t]*\{/) {
        if (index(line, "\"message\":\"close\"") == 0) next
        name = json_name(line)
        busy = ms(value(line, "\"time.busy\":\""))
        idle = ms(value(line, "\"time.idle\":\""))
    } else {
        at = close_at(line)
        if (at == 0) next
        name = text_name(substr(line, 1, at - 1))
        busy = ms(value(line, "time.busy="))
        idle = ms(value(line, "time.idle="))
    }
    if (name == "" || busy < 0 || idle < 0) { unread++; next }
    if (only != "" && name != only) next
    calls[name]++
    printf "%s\t1\t%.6f\n%s\t2\t%.6f\n%s\t3\t%.6f\n", name, busy, name, idle, name, busy + idle
}
END {
    for (name in calls) printf "%s\t0\t%d\n", name, calls[name]
    if (unread) printf "#unread\t0\t%d\n", unread
}
'

# Values arrive sorted within their function and kind, so each percentile is the value
# at its rank, and nothing has to be kept.
summarise='
function warn(text) { print "analyze_timings.sh: " text | "cat 1>&2" }
function rank(part,    exact, whole) {
    exact = part * n / 1000
    whole = int(exact)
    return whole < exact ? whole + 1 : (whole < 1 ? 1 : whole)
}
# Some awks (of busybox, for one) have no sqrt. From above, each step comes closer, until
# the digits end.
function root(x,    now, closer) {
    if (x <= 0) return 0
    closer = x > 1 ? x : 1
    do {
        now = closer
        closer = (now + x / now) / 2
    } while (closer < now)
    return now
}
function finish_kind(    key) {
    if (seen == 0) return
    key = fn SUBSEP kind
    mean[key] = average
    dev[key] = root(squares / seen)
    hi[key] = last
    total[key] = average * seen
    seen = 0
}
function put(key) {
    return sprintf("{\"mean\":%.6f,\"stddev\":%.6f,\"min\":%.6f,\"p50\":%.6f,\"p90\":%.6f,\"p99\":%.6f,\"max\":%.6f}", \
        mean[key], dev[key], lo[key], p50[key], p90[key], p99[key], hi[key])
}
function human(ms) {
    if (ms >= 1000) return sprintf("%.2fs", ms / 1000)
    if (ms >= 1) return sprintf("%.2fms", ms)
    return sprintf("%.1fus", ms * 1000)
}
BEGIN { FS = "\t"; failed = 0; label[1] = "busy"; label[2] = "idle"; label[3] = "wall" }
$1 == "#failed" { failed = 1; warn("could not read " $3 " to its end: is it damaged?"); next }
$1 == "#unread" { warn("close lines that could not be read: " $3); next }
$1 != fn || $2 != kind {
    finish_kind()
    if ($1 != fn) { fn = $1; name[++functions] = fn }
    kind = $2
    if (kind == 0) { n = $3; count[fn] = n; r50 = rank(500); r90 = rank(900); r99 = rank(990); next }
    average = squares = 0
    lo[fn, kind] = $3
}
{
    # Welford: sums of squares would lose their digits.
    seen++
    delta = $3 - average
    average += delta / seen
    squares += delta * ($3 - average)
    last = $3
    if (seen == r50) p50[fn, kind] = $3
    if (seen == r90) p90[fn, kind] = $3
    if (seen == r99) p99[fn, kind] = $3
}
END {
    finish_kind()
    if (functions == 0) {
        if (only != "") warn("no timings of " only " found; without --function all are shown")
        else warn("no timings found: run the server with TORC_TIMING_ENABLED=1 RUST_LOG=debug")
        close("cat 1>&2")
        exit 1
    }
    for (i = 2; i <= functions; i++) {
        moving = name[i]
        for (j = i - 1; j > 0 && total[name[j], 3] < total[moving, 3]; j--) name[j + 1] = name[j]
        name[j + 1] = moving
    }
    if (top > 0 && top < functions) functions = top
    if (json) {
        printf "{\"unit\":\"ms\",\"functions\":["
        for (i = 1; i <= functions; i++) {
            fn = name[i]
            quoted = fn
            gsub(/["\\]/, "\\\\&", quoted)
            printf "%s\n{\"function\":\"%s\",\"count\":%d,\"total_wall\":%.6f", (i > 1 ? "," : ""), quoted, count[fn], total[fn, 3]
            for (k = 1; k <= 3; k++) printf ",\"%s\":%s", label[k], put(fn SUBSEP k)
            printf "}"
        }
        print "\n]}"
        exit failed
    }
    width = 8
    for (i = 1; i <= functions; i++) if (length(name[i]) > width) width = length(name[i])
    line = "%-" width "s %9s %-5s %10s %10s %10s %10s %10s %10s %10s %10s\n"
    printf line, "function", "count", "time", "total", "mean", "stddev", "min", "p50", "p90", "p99", "max"
    for (i = 1; i <= functions; i++) {
        fn = name[i]
        for (k = 1; k <= 3; k++) {
            key = fn SUBSEP k
            printf line, (k == 1 ? fn : ""), (k == 1 ? count[fn] : ""), label[k], human(total[key]), human(mean[key]), \
                human(dev[key]), human(lo[key]), human(p50[key]), human(p90[key]), human(p99[key]), human(hi[key])
        }
    }
    exit failed
}
'

tab=$(printf '\t')
read_all "$@" |
    awk -v only="$only" "$extract" |
    sort -t "$tab" -k1,1 -k2,2n -k3,3n |
    awk -v only="$only" -v top="$top" -v json="$json" "$summarise"
