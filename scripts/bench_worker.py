#!/usr/bin/env python3
"""Our worker beside HyperQueue's: jobs of `true` a second, the two in turn.

usage: scripts/bench_worker.py [--runs N] [--jobs N]
  --runs N  repetitions; the table has their medians (3)
  --jobs N  tasks that HyperQueue runs each time (2000)

Installs HyperQueue (from the Python package index, into target/hyperqueue) and measures
its server with one worker, and ours with one, both with two jobs at once and with
sixteen. HyperQueue starts `true` itself, our worker `bash -c true`. Beside them, the rate
at which this machine starts `bash -c true`, two at once.
exit: 0 measured, 1 something could not be built, installed or run, 2 usage
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

VERSION = "0.26.0"
ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def hyperqueue(jobs, cores):
    """Tasks a second of a server and one worker with so many cores; run inside the venv."""
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=cores))
        client = cluster.client()
        time.sleep(1)
        job = Job()
        for _ in range(jobs):
            job.program(["true"], stdout=None, stderr=None)
        begin = time.monotonic()
        client.wait_for_jobs([client.submit(job)])
        print(json.dumps(jobs / (time.monotonic() - begin)), file=sys.stderr)


def spawn_rate(count=2000):
    """`bash -c true`, two at once."""

    def some():
        for _ in range(count // 2):
            subprocess.run(["bash", "-c", "true"], check=True)

    threads = [threading.Thread(target=some) for _ in range(2)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.monotonic() - begin)


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"bench_worker.py: {' '.join(map(str, command))} failed:\n{done.stderr}")
    return done


def main():
    parser = argparse.ArgumentParser(description="Our worker beside HyperQueue's")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--hyperqueue", type=int, metavar="CORES", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.runs < 1 or args.jobs < 1:
        parser.error("--runs and --jobs take whole numbers from 1")
    if args.hyperqueue:
        return hyperqueue(args.jobs, args.hyperqueue)

    venv = TARGET / "hyperqueue"
    python = venv / "bin" / "python"
    if not python.exists():
        print("installing HyperQueue ...", file=sys.stderr)
        run([sys.executable, "-m", "venv", venv])
    run([python, "-m", "pip", "install", "--quiet", f"hyperqueue=={VERSION}"])
    print("building ...", file=sys.stderr)
    run(["cargo", "bench", "--quiet", "--no-run", "--locked", "--bench", "worker"], cwd=ROOT)

    found = {}
    files = tempfile.TemporaryDirectory(dir=TARGET)
    for nth in range(1, args.runs + 1):
        print(f"run {nth} of {args.runs} ...", file=sys.stderr)
        for cores in (2, 16):
            theirs = [python, __file__, "--hyperqueue", str(cores), "--jobs", str(args.jobs)]
            rate = float(run(theirs).stderr.strip().splitlines()[-1])
            found.setdefault(f"hyperqueue {cores}", []).append(rate)
        bench = ["cargo", "bench", "--quiet", "--locked", "--bench", "worker", "--", "--json"]
        bench += ["--keep-in", files.name]
        ours = json.loads(run(bench, cwd=ROOT).stdout)
        found.setdefault("ours 2", []).append(ours["jobs_per_second_2_slots"])
        found.setdefault("ours 16", []).append(ours["jobs_per_second_16_slots"])
        found.setdefault("spawn", []).append(spawn_rate())

    def median_ratio(ours, theirs):
        return statistics.median(a / b for a, b in zip(found[ours], found[theirs]))

    print("| jobs of `true` | HyperQueue | ours | ratio | of the spawn rate |")
    print("|---|---|---|---|---|")
    for slots in (2, 16):
        theirs, ours = f"hyperqueue {slots}", f"ours {slots}"
        print(
            f"| {slots} at once | {statistics.median(found[theirs]):.0f}/s "
            f"| {statistics.median(found[ours]):.0f}/s "
            f"| **{median_ratio(ours, theirs):.2f}×** | {median_ratio(ours, 'spawn'):.0%} |"
        )
    print(f"\n`bash -c true`, two at once: {statistics.median(found['spawn']):.0f}/s")


if __name__ == "__main__":
    main()
