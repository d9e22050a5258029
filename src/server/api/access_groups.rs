//! Access groups, their members and their workflows.

use axum::extract::{Path, Query};
use axum::routing::{delete, get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::access_groups::{
    AccessCheckResponse, AccessGroupModel, GroupPage, GroupPaging, UserGroupMembershipModel,
    WorkflowAccessGroupModel,
};
use crate::wire::object::Object;

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/access_groups", get(list).post(create))
        .route("/access_groups/{id}", get(read).delete(remove))
        .route("/access_groups/{id}/members", get(members).post(add_member))
        .route(
            "/access_groups/{id}/members/{user_name}",
            delete(remove_member),
        )
        .route("/access_check/{workflow_id}/{user_name}", get(check))
        .route("/users/{user_name}/groups", get(of_user))
        .route("/workflows/{id}/access_groups", get(of_workflow))
        .route(
            "/workflows/{id}/access_groups/{group_id}",
            post(add_workflow).delete(remove_workflow),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<AccessGroupModel>>,
) -> Answer<AccessGroupModel> {
    answer(engine.create_access_group(model).await)
}

async fn list(
    engine: Engine,
    Query(paging): Query<GroupPaging>,
) -> Answer<GroupPage<AccessGroupModel>> {
    answer(engine.list_access_groups(paging).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<AccessGroupModel> {
    answer(engine.get_access_group(id).await)
}

async fn remove(engine: Engine, Path(id): Path<i64>) -> Answer<AccessGroupModel> {
    answer(engine.delete_access_group(id).await)
}

async fn members(
    engine: Engine,
    Path(id): Path<i64>,
    Query(paging): Query<GroupPaging>,
) -> Answer<GroupPage<UserGroupMembershipModel>> {
    answer(engine.list_group_members(id, paging).await)
}

async fn add_member(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(model)): Json<Object<UserGroupMembershipModel>>,
) -> Answer<UserGroupMembershipModel> {
    answer(engine.add_user_to_group(id, model).await)
}

async fn remove_member(
    engine: Engine,
    Path((id, user_name)): Path<(i64, String)>,
) -> Answer<UserGroupMembershipModel> {
    answer(engine.remove_user_from_group(id, user_name).await)
}

async fn check(
    engine: Engine,
    Path((workflow_id, user_name)): Path<(i64, String)>,
) -> Answer<AccessCheckResponse> {
    answer(engine.check_workflow_access(workflow_id, user_name).await)
}

async fn of_user(
    engine: Engine,
    Path(user_name): Path<String>,
    Query(paging): Query<GroupPaging>,
) -> Answer<GroupPage<AccessGroupModel>> {
    answer(engine.list_user_groups(&user_name, paging).await)
}

async fn of_workflow(
    engine: Engine,
    Path(id): Path<i64>,
    Query(paging): Query<GroupPaging>,
) -> Answer<GroupPage<AccessGroupModel>> {
    answer(engine.list_workflow_groups(id, paging).await)
}

async fn add_workflow(
    engine: Engine,
    Path((id, group_id)): Path<(i64, i64)>,
) -> Answer<WorkflowAccessGroupModel> {
    answer(engine.add_workflow_to_group(id, group_id).await)
}

async fn remove_workflow(
    engine: Engine,
    Path((id, group_id)): Path<(i64, i64)>,
) -> Answer<WorkflowAccessGroupModel> {
    answer(engine.remove_workflow_from_group(id, group_id).await)
}
