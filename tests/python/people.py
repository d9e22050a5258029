"""Stories of who may do what, against a server that asks for passwords."""

import base64

import torc.openapi_client as client

from support import Api, refused


def basic(user):
    """The header of a user whose password is `secret-USER`."""
    pair = f"{user}:secret-{user}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def groups_and_members(api):
    """The administrator makes a group; its member may then read the owner's workflow."""
    admin, ada, bob = (Api(api.url, basic(user)) for user in ("root", "ada", "bob"))
    assert api.ping().status == "ok" and api.get_version().api_version
    refused(403, ada.create_access_group, client.AccessGroupModel(name="team"))
    team = admin.create_access_group(client.AccessGroupModel(name="team", description="d"))
    refused(409, admin.create_access_group, client.AccessGroupModel(name="team"))
    assert admin.get_access_group(team.id).description == "d"
    assert [g.name for g in admin.list_access_groups().items] == ["admin", "team"]

    flow = ada.create_workflow(client.WorkflowModel(name="w", user="somebody else"))
    assert flow.user == "ada"
    refused(403, bob.get_workflow, flow.id)
    refused(403, api.get_workflow, flow.id)
    assert bob.list_workflows().total_count == 0
    assert not bob.check_workflow_access(flow.id, "bob").has_access

    admin.add_user_to_group(team.id, client.UserGroupMembershipModel(
        user_name="bob", group_id=team.id, role="member"))
    ada.add_workflow_to_group(flow.id, team.id)
    assert bob.get_workflow(flow.id).access_groups == ["team"]
    assert bob.check_workflow_access(flow.id, "bob").has_access
    assert [found.id for found in bob.list_workflows().items] == [flow.id]
    assert [g.name for g in bob.list_user_groups("bob").items] == ["team"]
    assert [m.user_name for m in admin.list_group_members(team.id).items] == ["bob"]
    assert [g.name for g in ada.list_workflow_groups(flow.id).items] == ["team"]

    ada.remove_workflow_from_group(flow.id, team.id)
    refused(403, bob.get_workflow, flow.id)
    admin.remove_user_from_group(team.id, "bob")
    assert admin.reload_auth().user_count == 3
    refused(403, bob.reload_auth)
    assert admin.delete_access_group(team.id).name == "team"
    ada.delete_workflow(flow.id)


STORIES = [groups_and_members]
