"""Stories of where jobs run: nodes, schedulers, statistics, remote workers, handlers."""

import torc.openapi_client as client

from support import compute_node, pages, refused, result, workflow


def life_of_compute_nodes(api):
    """Registered, listed by filters, stopped, deleted."""
    flow = workflow(api)
    ids = [compute_node(api, flow, hostname=f"node{n}") for n in range(3)]
    slurm = compute_node(api, flow, is_active=False,
                         scheduler={"type": "slurm", "scheduler_id": 7, "slurm_job_id": "42"})
    pages(lambda **page: api.list_compute_nodes(flow, **page), ids + [slurm])
    assert [n.id for n in api.list_compute_nodes(flow, hostname="NODE2").items] == [ids[2]]
    assert api.list_compute_nodes(flow, is_active=True).total_count == 3
    assert [n.id for n in api.list_compute_nodes(flow, scheduled_compute_node_id=7).items] \
        == [slurm]
    node = api.get_compute_node(ids[0])
    node.is_active, node.duration_seconds, node.peak_memory_bytes = False, 12.5, 1 << 40
    stopped = api.update_compute_node(ids[0], node)
    assert (stopped.is_active, stopped.duration_seconds) == (False, 12.5)
    assert stopped.peak_memory_bytes == 1 << 40
    assert api.delete_compute_node(ids[0]).id == ids[0]
    refused(404, api.get_compute_node, ids[0])
    assert api.delete_compute_nodes(flow).count == 3
    api.delete_workflow(flow)


def life_of_schedulers(api):
    """Local and Slurm schedulers, and the nodes that they were asked for."""
    flow = workflow(api)
    local = [api.create_local_scheduler(client.LocalSchedulerModel(
        workflow_id=flow, name="l", memory="8g", num_cpus=cpus)).id for cpus in (2, 4, 8)]
    pages(lambda **page: api.list_local_schedulers(flow, **page), local)
    assert [s.id for s in api.list_local_schedulers(flow, num_cpus=4, memory="8g").items] \
        == [local[1]]
    read = api.get_local_scheduler(local[0])
    read.num_cpus = 3
    assert api.update_local_scheduler(local[0], read).num_cpus == 3
    api.delete_local_scheduler(local[0])
    refused(404, api.get_local_scheduler, local[0])
    assert api.delete_local_schedulers(flow).count == 2

    slurm = [api.create_slurm_scheduler(client.SlurmSchedulerModel(
        workflow_id=flow, name=f"s{n}", account="a", nodes=n, walltime="01:00:00")).id
        for n in (1, 2, 3)]
    pages(lambda **page: api.list_slurm_schedulers(flow, **page), slurm)
    scheduler = api.get_slurm_scheduler(slurm[0])
    scheduler.partition = "short"
    assert api.update_slurm_scheduler(slurm[0], scheduler).partition == "short"
    assert api.delete_slurm_scheduler(slurm[2]).name == "s3"
    refused(404, api.get_slurm_scheduler, slurm[2])

    nodes = [api.create_scheduled_compute_node(client.ScheduledComputeNodesModel(
        workflow_id=flow, scheduler_id=100 + n, scheduler_config_id=slurm[0],
        scheduler_type="slurm", status=status)).id
        for n, status in enumerate(["pending", "active", "complete"])]
    pages(lambda **page: api.list_scheduled_compute_nodes(flow, **page), nodes)
    assert [n.id for n in api.list_scheduled_compute_nodes(flow, status="active").items] \
        == [nodes[1]]
    assert api.list_scheduled_compute_nodes(flow, scheduler_id="102").total_count == 1
    assert api.list_scheduled_compute_nodes(
        flow, scheduler_config_id=str(slurm[0])).total_count == 3
    refused(422, api.reset_workflow_status, flow)
    for node in nodes[:2]:
        scheduled = api.get_scheduled_compute_node(node)
        scheduled.status = "complete"
        assert api.update_scheduled_compute_node(node, scheduled).status == "complete"
    api.reset_workflow_status(flow)
    api.delete_scheduled_compute_node(nodes[0])
    refused(404, api.get_scheduled_compute_node, nodes[0])
    assert api.delete_scheduled_compute_nodes(flow).count == 2
    assert api.delete_slurm_schedulers(flow).count == 2
    api.delete_workflow(flow)


def statistics_of_slurm(api):
    """What Slurm says of a job, and which of its jobs ran which of ours."""
    flow = workflow(api)
    job = api.create_job(client.JobModel(workflow_id=flow, name="j", command="true")).id
    stats = client.SlurmStatsModel(workflow_id=flow, job_id=job, run_id=0, attempt_id=1,
                                   slurm_job_id="42", max_rss_bytes=1 << 33,
                                   ave_cpu_seconds=1.5)
    made = api.create_slurm_stats(stats)
    refused(409, api.create_slurm_stats, stats)
    found = api.list_slurm_stats(flow, job_id=job, run_id=0, attempt_id=1)
    assert [(s.id, s.max_rss_bytes) for s in found.items] == [(made.id, 1 << 33)]
    assert api.list_slurm_stats(flow, attempt_id=2).items == []

    scheduled = api.create_scheduled_compute_node(client.ScheduledComputeNodesModel(
        workflow_id=flow, scheduler_id=4242, scheduler_config_id=1, scheduler_type="slurm",
        status="active")).id
    node = compute_node(api, flow, compute_node_type="slurm",
                        scheduler={"type": "slurm", "scheduler_id": scheduled})
    api.initialize_jobs(flow)
    api.claim_next_jobs(flow)
    api.start_job(job, 0, node)
    api.complete_job(job, "completed", 0, result(flow, job, node))
    pairs = [(pair.job_id, pair.slurm_job_id)
             for pair in api.get_slurm_job_correlations(flow).items]
    assert pairs == [(job, "4242")], pairs
    api.delete_workflow(flow)


def remote_workers_and_failure_handlers(api):
    """Two small nouns that belong to a workflow."""
    flow = workflow(api)
    made = api.create_remote_workers(flow, ["ada@b", "ada@a", "ada@b"])
    assert {worker.worker for worker in made} == {"ada@a", "ada@b"}
    assert [worker.worker for worker in api.list_remote_workers(flow)] == ["ada@a", "ada@b"]
    assert api.delete_remote_worker(flow, "ada@a").worker == "ada@a"
    refused(404, api.delete_remote_worker, flow, "ada@a")

    rules = '[{"exit_codes": [1], "max_retries": 2}]'
    ids = [api.create_failure_handler(client.FailureHandlerModel(
        workflow_id=flow, name=f"h{n}", rules=rules)).id for n in range(3)]
    pages(lambda **page: api.list_failure_handlers(flow, **page), ids)
    assert api.get_failure_handler(ids[0]).rules == rules
    job = api.create_job(client.JobModel(workflow_id=flow, name="j", command="true",
                                         failure_handler_id=ids[0])).id
    assert api.delete_failure_handler(ids[0]).name == "h0"
    refused(404, api.get_failure_handler, ids[0])
    assert not api.get_job(job).failure_handler_id
    api.delete_workflow(flow)


STORIES = [life_of_compute_nodes, life_of_schedulers, statistics_of_slurm,
           remote_workers_and_failure_handlers]
