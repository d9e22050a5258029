"""Stories of workflows: their life, their runs, their actions, their tasks."""

import time

import torc.openapi_client as client

from support import USER, compute_node, pages, refused, result, workflow


def life_of_a_workflow(api):
    """Created, read, listed by pages and filters, changed, archived, deleted."""
    ids = [workflow(api, description=f"number {n}", env={"A": "1"}) for n in range(5)]
    read = api.get_workflow(ids[0])
    assert (read.name, read.user, read.run_id, read.env) == ("story", USER, 0, {"A": "1"})
    assert read.is_archived is False and read.compute_node_wait_for_new_jobs_seconds == 90
    pages(lambda **page: api.list_workflows(name="story", **page), ids)
    pages(lambda **page: api.list_workflows(sort_by="id", reverse_sort=True, **page), ids[::-1])
    assert [found.id for found in api.list_workflows(description="NUMBER 3").items] == [ids[3]]

    changed = api.update_workflow(
        ids[0],
        client.WorkflowModel(name="renamed", user=USER, project="p", metadata={"k": [1, None]}),
    )
    assert (changed.name, changed.project, changed.description) == ("renamed", "p", "number 0")
    assert changed.metadata == {"k": [1, None]}
    refused(422, api.update_workflow, ids[0],
            client.WorkflowModel(name="renamed", user=USER, env={"B": "2"}))

    archived = api.archive_workflow(ids[1], client.ArchiveWorkflowRequest(is_archived=True))
    assert archived.is_archived is True
    assert [found.id for found in api.list_workflows(is_archived=True).items] == [ids[1]]
    refused(422, api.reset_workflow_status, ids[1])
    for flow in ids:
        assert api.delete_workflow(flow).id == flow
        refused(404, api.get_workflow, flow)
    assert api.list_workflows().total_count == 0


def runs_of_a_workflow(api):
    """Initialised, claimed, run to its end, changed and run again, cancelled."""
    flow = workflow(api)
    config = api.create_file(client.FileModel(workflow_id=flow, name="in", path="in.txt"))
    between = api.create_file(client.FileModel(workflow_id=flow, name="mid", path="mid.txt"))
    note = api.create_user_data(client.UserDataModel(workflow_id=flow, name="note"))
    first, second = api.create_jobs(client.JobsModel(jobs=[
        client.JobModel(workflow_id=flow, name="first", command="true",
                        input_file_ids=[config.id], output_file_ids=[between.id],
                        input_user_data_ids=[note.id]),
        client.JobModel(workflow_id=flow, name="second", command="true",
                        input_file_ids=[between.id]),
    ])).jobs
    assert api.is_workflow_uninitialized(flow).is_uninitialized
    assert api.list_required_existing_files(flow).files == [config.id]
    assert api.list_missing_user_data(flow).user_data == [note.id]
    assert api.list_job_ids(flow).job_ids == [first.id, second.id]

    api.reset_workflow_status(flow)
    assert api.reset_job_status(flow).updated_count == 0
    assert api.initialize_jobs(flow) == {"message": "Initialized job status"}
    relation = api.list_job_dependencies(flow).items[0]
    assert (relation.job_id, relation.depends_on_job_id) == (second.id, first.id)
    assert api.list_job_file_relationships(flow).total_count == 2
    assert api.list_job_user_data_relationships(flow).total_count == 1
    needs = api.get_ready_job_requirements(flow)
    assert (needs.num_jobs, needs.num_cpus) == (1, 1)

    node = compute_node(api, flow)
    room = client.ComputeNodesResources(num_cpus=4, memory_gb=8.0, num_gpus=0, num_nodes=1)
    claimed = api.claim_jobs_based_on_resources(flow, 10, room).jobs
    assert [job.name for job in claimed] == ["first"]
    assert claimed[0].status == client.JobStatus.PENDING
    assert claimed[0].output_file_ids == [between.id]
    assert api.start_job(first.id, 1, node).status == client.JobStatus.RUNNING
    running = api.get_running_jobs(flow).items
    assert [(job.job_id, job.compute_node_name) for job in running] == [(first.id, "node1")]
    api.complete_job(first.id, "completed", 1, result(flow, first.id, node, run_id=1))
    refused(422, api.complete_job, first.id, "completed", 1,
            result(flow, first.id, node, run_id=1))

    assert [job.id for job in api.claim_next_jobs(flow, limit=5).jobs] == [second.id]
    batch = api.batch_complete_jobs(flow, client.BatchCompleteJobsRequest(completions=[
        client.JobCompletionEntry(job_id=second.id, status=client.JobStatus.COMPLETED, run_id=1,
                                  result=result(flow, second.id, node, run_id=1)),
        client.JobCompletionEntry(job_id=first.id, status=client.JobStatus.COMPLETED, run_id=1,
                                  result=result(flow, first.id, node, run_id=1)),
    ]))
    assert batch.completed == [second.id]
    assert [error.job_id for error in batch.errors] == [first.id]
    assert api.is_workflow_complete(flow).is_complete
    status = api.get_workflow_status(flow)
    assert status.jobs_by_status.completed == 2, status

    api.update_user_data(
        note.id, client.UserDataModel(workflow_id=flow, name="note", data={"x": 1}))
    dry = api.process_changed_job_inputs(flow, dry_run=True)
    assert dry.reinitialized_jobs == ["first"]
    assert api.process_changed_job_inputs(flow).reinitialized_jobs == ["first"]
    api.initialize_jobs(flow, only_uninitialized=True)
    assert api.get_job(first.id).status == client.JobStatus.READY
    api.cancel_workflow(flow)
    assert api.get_workflow(flow).is_canceled
    assert api.claim_jobs_based_on_resources(flow, 10, room).reason == "Workflow is canceled"
    api.delete_workflow(flow)


def actions_of_a_workflow(api):
    """Created, listed, pending after their trigger, claimed by one."""
    flow = workflow(api)
    job = api.create_job(client.JobModel(workflow_id=flow, name="a", command="true")).id
    node = compute_node(api, flow)

    def create(trigger, **fields):
        action = client.WorkflowActionModel(
            workflow_id=flow, trigger_type=trigger, action_type="run_commands",
            action_config={"commands": ["echo hello"]}, **fields)
        return api.create_workflow_action(flow, action).id

    start = create("on_workflow_start")
    ready = create("on_jobs_ready", job_ids=[job])
    ended = create("on_jobs_complete", job_ids=[job])
    each = create("on_worker_start", persistent=True)
    assert [action.id for action in api.get_workflow_actions(flow)] == [start, ready, ended, each]
    assert api.get_pending_actions(flow) == []
    api.initialize_jobs(flow)
    assert [action.id for action in api.get_pending_actions(flow)] == [start, ready, each]
    of_two = api.get_pending_actions(flow, trigger_type=["on_workflow_start", "on_worker_start"])
    assert [action.id for action in of_two] == [start, each]

    claim = client.ClaimActionRequest(compute_node_id=node)
    won = api.claim_action(flow, start, claim)
    assert (won.action_id, won.success) == (start, True)
    refused(409, api.claim_action, flow, start, claim)
    for _ in range(2):
        assert api.claim_action(flow, each, claim).success
    api.claim_next_jobs(flow)
    api.start_job(job, 0, node)
    api.complete_job(job, "completed", 0, result(flow, job, node))
    assert ended in [action.id for action in api.get_pending_actions(flow)]
    api.delete_workflow(flow)


def initialising_in_the_background(api):
    """A task that is asked for until it has ended."""
    flow = workflow(api)
    api.create_job(client.JobModel(workflow_id=flow, name="a", command="true"))
    task = client.TaskModel.model_validate(api.initialize_jobs(flow, var_async=True))
    assert (task.workflow_id, task.operation) == (flow, "initialize_jobs")
    end = time.monotonic() + 30
    while (now := api.get_task(task.id)).status not in ("succeeded", "failed"):
        assert time.monotonic() < end, now
        time.sleep(0.02)
    assert now.status == "succeeded" and now.finished_at_ms >= now.created_at_ms, now
    assert api.get_active_task_for_workflow(flow).task is None
    assert not api.is_workflow_uninitialized(flow).is_uninitialized
    api.delete_workflow(flow)


STORIES = [life_of_a_workflow, runs_of_a_workflow, actions_of_a_workflow,
           initialising_in_the_background]
