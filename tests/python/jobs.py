"""Stories of jobs, their results and what they need."""

import torc.openapi_client as client

from support import compute_node, pages, refused, result, workflow


def life_of_a_job(api):
    """Created alone and in bulk, listed with filters, changed, deleted."""
    flow = workflow(api)
    needs = api.create_resource_requirements(client.ResourceRequirementsModel(
        workflow_id=flow, name="large", num_cpus=2, num_gpus=0, num_nodes=1, memory="4g",
        runtime="PT2H")).id
    first = api.create_job(client.JobModel(
        workflow_id=flow, name="a", command="echo a", priority=3,
        resource_requirements_id=needs)).id
    more = api.create_jobs(client.JobsModel(jobs=[
        client.JobModel(workflow_id=flow, name=name, command=f"echo {name}",
                        depends_on_job_ids=[first]) for name in "bcd"])).jobs
    ids = [first] + [job.id for job in more]
    pages(lambda **page: api.list_jobs(flow, **page), ids)
    assert api.list_jobs(flow, upstream_job_id=first).total_count == 3
    assert [job.name for job in api.list_jobs(flow, name="C").items] == ["c"]
    assert api.list_jobs(flow, command="echo", status="uninitialized").total_count == 4
    assert api.list_jobs(flow, origin_is_set=True).total_count == 0
    related = api.list_jobs(flow, include_relationships=True, name="b").items[0]
    assert related.depends_on_job_ids == [first]

    read = api.get_job(first)
    assert (read.priority, read.attempt_id, read.resource_requirements_id) == (3, 1, needs)
    read.command = "echo other"
    assert api.update_job(first, read).command == "echo other"
    refused(422, api.update_job, first, client.JobModel(
        workflow_id=flow, name="a", command="echo other", status=client.JobStatus.RUNNING))
    refused(422, api.create_job, client.JobModel(
        workflow_id=flow, name="z", command="true", env={"1bad": "x"}))
    refused(404, api.create_job, client.JobModel(workflow_id=10**9, name="z", command="true"))
    assert api.delete_job(ids[-1]).name == "d"
    refused(404, api.get_job, ids[-1])
    assert api.delete_jobs(flow).count == 3
    api.delete_workflow(flow)


def a_job_that_fails(api):
    """Fails, is tried again, is set back by hand."""
    flow = workflow(api)
    job, after = _failing(api, flow)
    api.initialize_jobs(flow)
    node = compute_node(api, flow)
    api.claim_next_jobs(flow)
    api.start_job(job, 0, node)
    again = api.retry_job(job, 0, 3)
    assert (again.status, again.attempt_id, again.origin) == ("ready", 2, "retry")
    refused(422, api.retry_job, job, 0, 2)
    api.claim_next_jobs(flow)
    api.start_job(job, 0, node)
    api.complete_job(job, "failed", 0,
                     result(flow, job, node, "failed", 1, attempt_id=2))
    assert api.get_job(after).status == client.JobStatus.CANCELED
    refused(422, api.manage_status_change, job, "completed", 0)
    assert api.manage_status_change(job, "uninitialized", 0).status == "uninitialized"
    assert api.reset_job_status(flow, failed_only=True).updated_count == 1
    api.delete_workflow(flow)


def _failing(api, flow):
    first = api.create_job(client.JobModel(workflow_id=flow, name="a", command="false")).id
    second = api.create_job(client.JobModel(
        workflow_id=flow, name="b", command="true", depends_on_job_ids=[first])).id
    return first, second


def life_of_results(api):
    """Made beside a completion, listed, changed, deleted."""
    flow = workflow(api)
    node = compute_node(api, flow)
    jobs = api.create_jobs(client.JobsModel(jobs=[
        client.JobModel(workflow_id=flow, name=name, command="true") for name in "abc"])).jobs
    ids = [api.create_result(result(flow, job.id, node)).id for job in jobs]
    old = api.create_result(result(flow, jobs[0].id, node, "failed", 1, attempt_id=2)).id
    refused(409, api.create_result, result(flow, jobs[0].id, node))
    refused(422, api.create_result, result(flow, jobs[0].id, 10**9, attempt_id=3))
    pages(lambda **page: api.list_results(flow, all_runs=True, **page), ids + [old])
    assert [found.id for found in api.list_results(flow).items] == ids[1:] + [old]
    assert api.list_results(flow, job_id=jobs[0].id, all_runs=True).total_count == 2
    assert api.list_results(flow, status="failed", return_code=1).total_count == 1
    read = api.get_result(ids[0])
    assert (read.job_name, read.return_code, read.status) == ("a", 0, "completed")
    read.exec_time_minutes = 2.5
    assert api.update_result(ids[0], read).exec_time_minutes == 2.5
    assert api.delete_result(ids[0]).id == ids[0]
    refused(404, api.get_result, ids[0])
    assert api.delete_results(flow)["count"] == 3
    api.delete_workflow(flow)


def life_of_requirements(api):
    """Created, listed by every filter, replaced, deleted."""
    flow = workflow(api)
    default = api.list_resource_requirements(flow, name="default").items[0]
    assert (default.num_cpus, default.memory, default.runtime) == (1, "1m", "P0DT1M")
    made = [api.create_resource_requirements(client.ResourceRequirementsModel(
        workflow_id=flow, name=f"rr{n}", num_cpus=n, num_gpus=0, num_nodes=1, memory="2g",
        runtime="PT1H")).id for n in (1, 2)]
    pages(lambda **page: api.list_resource_requirements(flow, **page), [default.id] + made)
    assert api.list_resource_requirements(flow, num_cpus=2, memory="2g").total_count == 1
    job = api.create_job(client.JobModel(workflow_id=flow, name="a", command="true",
                                         resource_requirements_id=made[1])).id
    assert [found.id for found in api.list_resource_requirements(flow, job_id=job).items] \
        == [made[1]]
    read = api.get_resource_requirements(made[0])
    read.memory = "8g"
    assert api.update_resource_requirements(made[0], read).memory == "8g"
    read.memory = "8 gigabytes"
    refused(422, api.update_resource_requirements, made[0], read)
    assert api.delete_resource_requirement(made[0]).id == made[0]
    refused(404, api.get_resource_requirements, made[0])
    assert api.delete_resource_requirements(flow)["count"] == 2
    api.delete_workflow(flow)


def a_job_that_spawns(api):
    """Adds two jobs that wait for it; asked again, it answers the same."""
    flow = workflow(api)
    job = api.create_job(client.JobModel(workflow_id=flow, name="a", command="true")).id
    request = client.SpawnJobsRequest(lineage="line", state={"n": 1}, jobs=[
        client.SpawnJobModel(name="x", command="true"),
        client.SpawnJobModel(name="y", command="true", depends_on=["x"])])
    refused(422, api.spawn_jobs, job, request)
    api.initialize_jobs(flow)
    node = compute_node(api, flow)
    api.claim_next_jobs(flow)
    api.start_job(job, 0, node)
    spawned = api.spawn_jobs(job, request)
    assert spawned.iteration == 1 and len(spawned.spawned_job_ids) == 2
    assert api.spawn_jobs(job, request) == spawned
    x, y = spawned.spawned_job_ids
    api.complete_job(job, "completed", 0, result(flow, job, node))
    assert (api.get_job(x).status, api.get_job(y).status) == ("ready", "blocked")
    assert api.get_job(x).env == {"TORC_ORCHESTRATOR_LINEAGE_ID": "line"}
    api.delete_workflow(flow)


STORIES = [life_of_a_job, a_job_that_fails, a_job_that_spawns, life_of_results, life_of_requirements]
