"""Stories of the client's own programs: mapped functions, and jobs that make jobs."""

import os
import subprocess
import sys

import torc.openapi_client as client
from torc.api import iter_documents, make_api, map_function_to_jobs

from support import workflow

MODULE = """
def square(job_name, params):
    return {"job": job_name, "square": params["n"] ** 2}

def total(results):
    return {"total": sum(result["square"] for result in results)}
"""

ORCHESTRATOR = """
from torc import Orchestrator, SpawnJobModel
from torc.loggers import setup_logging
here = Orchestrator.from_env(lineage_fallback="seed")
if here.generation < 2:
    here.spawn([SpawnJobModel(name=f"work{here.generation}", command="true"),
                SpawnJobModel(name=f"next{here.generation}", command=COMMAND,
                              depends_on=[f"work{here.generation}"])],
               state={"generation": here.generation})
else:
    here.converge(state={"done": True})
"""


def _run(api, flow, torc, directory):
    """Runs a workflow with our worker; the client's programs are on its path."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    ran = subprocess.run(
        [torc, "--url", api.url, "run", str(flow), "--output-dir", directory / "output"],
        env=os.environ | {"PATH": path}, cwd=directory, capture_output=True, text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    failed = [job.name for job in api.list_jobs(flow).items if job.status != "completed"]
    assert not failed, f"{failed}: {ran.stdout}{ran.stderr}"


def mapped_functions(api, torc, directory):
    """A function over four values, and one over their results."""
    (directory / "squares.py").write_text(MODULE)
    flow = workflow(api)
    map_function_to_jobs(make_api(api.url), flow, "squares", "square",
                         [{"n": n} for n in range(4)], postprocess_func="total",
                         module_directory=str(directory))
    _run(api, flow, torc, directory)
    found = api.list_user_data(flow, name="postprocess_result").items
    assert found[0].data == {"total": 14}, found
    names = [job.name for job in iter_documents(make_api(api.url).list_jobs, flow, limit=None)]
    assert names == ["1", "2", "3", "4", "postprocess"]
    api.delete_workflow(flow)


def jobs_that_make_jobs(api, torc, directory):
    """An orchestrator spawns two generations and then says that it is done."""
    script = directory / "orchestrator.py"
    command = f"{sys.executable} {script}"
    script.write_text(ORCHESTRATOR.replace("COMMAND", repr(command)))
    flow = workflow(api)
    api.create_job(client.JobModel(workflow_id=flow, name="seed", command=command))
    _run(api, flow, torc, directory)
    jobs = {job.name: job.origin for job in api.list_jobs(flow).items}
    assert jobs == {"seed": None, "work0": "spawn", "next0": "spawn", "work1": "spawn",
                    "next1": "spawn"}, jobs
    records = {record.name: record.data
               for record in api.list_user_data(flow, name="__torc_lineage__seed").items}
    assert records["__torc_lineage__seed__final"]["final"] is True, records
    assert len(records) == 3, records
    api.delete_workflow(flow)


STORIES = [mapped_functions, jobs_that_make_jobs]
