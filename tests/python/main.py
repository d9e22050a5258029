"""Drives a server by the published Python client, which nobody here wrote.

usage: main.py TORC_SERVER TORC       the two programs
exit: 0 all stories went as told and every operation of the client was used, 1 not
"""

import pathlib
import subprocess
import sys
import time
import traceback

import data
import functions
import jobs
import machines
import people
import workflows
from support import Api, Server, operations


def told(story, *args):
    """Tells one story; says how it went."""
    name = story.__name__.replace("_", " ")
    start = time.monotonic()
    try:
        story(*args)
    except Exception:
        print(f"FAILED  {name}", flush=True)
        traceback.print_exc()
        return False
    print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def passwords(server_binary, file):
    """A file of three users."""
    for user in ("root", "ada", "bob"):
        subprocess.run(
            [server_binary, "htpasswd", "add", "--file", file, "--cost", "4",
             "--password-stdin", user],
            input=f"secret-{user}\n", text=True, check=True, capture_output=True,
        )
    return file


def main():
    server_binary, torc = sys.argv[1:3]
    went = []
    with Server(server_binary) as server:
        api = Api(server.url)
        for noun in (workflows, jobs, data, machines):
            went += [told(story, api) for story in noun.STORIES]
        for story in functions.STORIES:
            went.append(told(story, api, torc, pathlib.Path(server.directory)))
    file = passwords(server_binary, pathlib.Path(server_binary).parent / "python-client.htpasswd")
    try:
        with Server(server_binary, "--auth-file", file, "--enforce-access-control",
                    "--admin-user", "root") as server:
            went += [told(story, Api(server.url)) for story in people.STORIES]
    finally:
        file.unlink()
    unused = operations() - Api.called
    if unused:
        print(f"FAILED  operations that no story used: {', '.join(sorted(unused))}")
    print(f"{sum(went)} of {len(went)} stories, "
          f"{len(operations()) - len(unused)} of {len(operations())} operations")
    return 0 if all(went) and not unused else 1


if __name__ == "__main__":
    sys.exit(main())
