"""Stories of what jobs read and write: files, user data, events, RO-Crate entities."""

import torc.openapi_client as client

from support import pages, refused, workflow


def life_of_files(api):
    """Created alone and in bulk, listed, touched, deleted."""
    flow = workflow(api)
    first = api.create_file(client.FileModel(workflow_id=flow, name="a", path="data/a.csv")).id
    more = api.create_files(client.FilesModel(files=[
        client.FileModel(workflow_id=flow, name=name, path=f"data/{name}.csv")
        for name in "bcd"])).files
    ids = [first] + [file.id for file in more]
    refused(422, api.create_files, client.FilesModel(files=[]))
    pages(lambda **page: api.list_files(flow, **page), ids)
    job = api.create_job(client.JobModel(workflow_id=flow, name="j", command="true",
                                         output_file_ids=[ids[1]])).id
    assert [file.name for file in api.list_files(flow, produced_by_job_id=job).items] == ["b"]
    assert api.list_files(flow, is_output=True).total_count == 1
    assert api.list_files(flow, path="DATA/").total_count == 4
    assert api.list_files(flow, name="c").total_count == 1
    read = api.get_file(first)
    read.st_mtime = 1_700_000_000.5
    assert api.update_file(first, read).st_mtime == 1_700_000_000.5
    assert api.delete_file(first).name == "a"
    refused(404, api.get_file, first)
    assert api.delete_files(flow).count == 3
    api.delete_workflow(flow)


def life_of_user_data(api):
    """Created alone and in bulk, linked to jobs, changed, deleted."""
    flow = workflow(api)
    job = api.create_job(client.JobModel(workflow_id=flow, name="j", command="true")).id
    read_by = api.create_user_data(
        client.UserDataModel(workflow_id=flow, name="in", data={"x": [1, 2.5, None, "ü"]}),
        consumer_job_id=job).id
    written_by = api.create_user_data(
        client.UserDataModel(workflow_id=flow, name="out"), producer_job_id=job).id
    more = api.create_user_data_list(client.UserDataListModel(user_data=[
        client.UserDataModel(workflow_id=flow, name=name, is_ephemeral=True)
        for name in ("e1", "e2")])).user_data
    ids = [read_by, written_by] + [record.id for record in more]
    pages(lambda **page: api.list_user_data(flow, **page), ids)
    assert [r.id for r in api.list_user_data(flow, consumer_job_id=job).items] == [read_by]
    assert [r.id for r in api.list_user_data(flow, producer_job_id=job).items] == [written_by]
    assert api.list_user_data(flow, is_ephemeral=True, name="E").total_count == 2
    assert api.get_user_data(read_by).data == {"x": [1, 2.5, None, "ü"]}
    record = api.get_user_data(written_by)
    record.data = {"answer": 42}
    assert api.update_user_data(written_by, record).data == {"answer": 42}
    assert api.delete_user_data(read_by).name == "in"
    refused(404, api.get_user_data, read_by)
    assert api.delete_all_user_data(flow)["deleted_count"] == 3
    api.delete_workflow(flow)


def life_of_events(api):
    """Stored with the server's time, listed, replaced, deleted."""
    flow = workflow(api)
    ids = [api.create_event(client.EventModel(
        workflow_id=flow, timestamp=0, data={"category": kind, "n": n})).id
        for n, kind in enumerate(["a", "b", "a"])]
    pages(lambda **page: api.list_events(flow, **page), ids)
    assert [event.id for event in api.list_events(flow, category="a").items] == [ids[0], ids[2]]
    read = api.get_event(ids[0])
    assert read.timestamp > 1_700_000_000_000 and read.data == {"category": "a", "n": 0}
    assert api.list_events(flow, after_timestamp=api.get_event(ids[2]).timestamp).items == []
    assert api.update_event(ids[0], {"other": [1]}).data == {"other": [1]}
    assert api.delete_event(ids[0]).id == ids[0]
    refused(404, api.get_event, ids[0])
    assert api.delete_events(flow)["count"] == 2
    api.delete_workflow(flow)


def life_of_ro_crate_entities(api):
    """Created, unique, listed, replaced, deleted one and all; some written by the server."""
    flow = workflow(api, enable_ro_crate=True)
    file = api.create_file(client.FileModel(
        workflow_id=flow, name="a", path="out/a.csv", st_mtime=1_700_000_000.0)).id

    def model(entity_id, **fields):
        return client.RoCrateEntityModel(workflow_id=flow, entity_id=entity_id,
                                         entity_type="Dataset", metadata={"k": "v"}, **fields)

    ids = [api.create_ro_crate_entity(model(f"#e{n}")).id for n in range(3)]
    refused(422, api.create_ro_crate_entity, model("#e0"))
    pages(lambda **page: api.list_ro_crate_entities(flow, **page), ids)
    assert [e.id for e in api.list_ro_crate_entities(flow, entity_id="#e1").items] == [ids[1]]
    changed = api.update_ro_crate_entity(ids[0], model("#e0", file_id=file))
    assert changed.file_id == file and api.get_ro_crate_entity(ids[0]).file_id == file
    assert api.list_ro_crate_entities(flow, file_id=file).total_count == 1
    api.delete_ro_crate_entity(ids[0])
    refused(404, api.get_ro_crate_entity, ids[0])
    api.initialize_jobs(flow)
    written = {e.entity_id: e.entity_type for e in api.list_ro_crate_entities(flow).items[2:]}
    assert written == {"out/a.csv": "File",
                       "#software-torc-server-run-id-0": "SoftwareApplication"}, written
    assert api.delete_ro_crate_entities(flow).deleted_count == 4
    api.delete_workflow(flow)


STORIES = [life_of_files, life_of_user_data, life_of_events, life_of_ro_crate_entities]
