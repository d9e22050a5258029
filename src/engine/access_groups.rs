//! Access groups: made by administrators, filled by the groups' own admins, allowed to use
//! workflows by their owners. The configuration manages one of them, the administrators.

use std::collections::BTreeSet;

use super::{Engine, EngineError, access, check_limit};
use crate::store::access_groups::{self as rows, Group, Groups};
use crate::store::{Command, Effects, StoreError, WriteTx, access as standing};
use crate::wire::access_groups::{
    AccessCheckResponse, AccessGroupModel, GroupPage, GroupPaging, UserGroupMembershipModel,
    WorkflowAccessGroupModel,
};

/// The group whose members are the configured administrators.
const ADMINS: &str = "admin";

/// What a row that exists already is refused with.
fn taken(message: impl FnOnce() -> String) -> impl FnOnce(StoreError) -> EngineError {
    |error| match error {
        StoreError::Unique(_) => EngineError::Conflict(message()),
        other => other.into(),
    }
}

fn group(tx: &WriteTx<'_>, id: i64) -> Result<Group, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_found("Group", id))
}

/// The same, which a request may change.
fn changeable(tx: &WriteTx<'_>, id: i64) -> Result<AccessGroupModel, EngineError> {
    let found = group(tx, id)?;
    if found.is_system {
        return Err(EngineError::Forbidden(format!(
            "the group '{}' is managed via server configuration",
            found.model.name
        )));
    }
    Ok(found.model)
}

struct CreateAccessGroup(AccessGroupModel);

impl Command for CreateAccessGroup {
    const NAME: &'static str = "create_access_group";
    type Reply = AccessGroupModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let AccessGroupModel {
            name, description, ..
        } = self.0;
        let id = rows::insert(tx, &name, description.as_deref(), false)
            .map_err(taken(|| format!("Group '{name}' already exists")))?;
        Ok(group(tx, id)?.model)
    }
}

struct DeleteAccessGroup(i64);

impl Command for DeleteAccessGroup {
    const NAME: &'static str = "delete_access_group";
    type Reply = AccessGroupModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let model = changeable(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(model)
    }
}

struct AddUserToGroup(UserGroupMembershipModel);

impl Command for AddUserToGroup {
    const NAME: &'static str = "add_user_to_group";
    type Reply = UserGroupMembershipModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let UserGroupMembershipModel {
            user_name,
            group_id,
            role,
            ..
        } = self.0;
        changeable(tx, group_id)?;
        let twice = || format!("User '{user_name}' is already a member of group {group_id}");
        rows::add_member(tx, group_id, &user_name, &role)
            .map_err(taken(twice))?
            .ok_or_else(|| no_member(group_id, &user_name))
    }
}

struct RemoveUserFromGroup {
    group_id: i64,
    user_name: String,
}

impl Command for RemoveUserFromGroup {
    const NAME: &'static str = "remove_user_from_group";
    type Reply = UserGroupMembershipModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        changeable(tx, self.group_id)?;
        let member = rows::get_member(tx, self.group_id, &self.user_name)?;
        let member = member.ok_or_else(|| no_member(self.group_id, &self.user_name))?;
        if let Some(id) = member.id {
            rows::remove_member(tx, id)?;
        }
        Ok(member)
    }
}

fn no_member(group_id: i64, user_name: &str) -> EngineError {
    EngineError::NotFound(format!(
        "User '{user_name}' is not a member of group {group_id}"
    ))
}

struct LinkWorkflow {
    workflow_id: i64,
    group_id: i64,
}

impl Command for LinkWorkflow {
    const NAME: &'static str = "add_workflow_to_group";
    type Reply = WorkflowAccessGroupModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let (workflow_id, group_id) = (self.workflow_id, self.group_id);
        access::workflow(tx, workflow_id)?;
        group(tx, group_id)?;
        let twice = || format!("Workflow {workflow_id} is already in group {group_id}");
        rows::link(tx, workflow_id, group_id).map_err(taken(twice))?;
        rows::linked(tx, workflow_id, group_id)?.ok_or_else(|| no_link(workflow_id, group_id))
    }
}

struct UnlinkWorkflow {
    workflow_id: i64,
    group_id: i64,
}

impl Command for UnlinkWorkflow {
    const NAME: &'static str = "remove_workflow_from_group";
    type Reply = WorkflowAccessGroupModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let (workflow_id, group_id) = (self.workflow_id, self.group_id);
        access::workflow(tx, workflow_id)?;
        let link = rows::linked(tx, workflow_id, group_id)?;
        let link = link.ok_or_else(|| no_link(workflow_id, group_id))?;
        rows::unlink(tx, workflow_id, group_id)?;
        Ok(link)
    }
}

fn no_link(workflow_id: i64, group_id: i64) -> EngineError {
    EngineError::NotFound(format!("Workflow {workflow_id} is not in group {group_id}"))
}

/// Makes the administrators of the configuration the members of their group, and nobody
/// else.
struct SetAdmins(BTreeSet<String>);

impl Command for SetAdmins {
    const NAME: &'static str = "set_admins";
    type Reply = ();
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<(), EngineError> {
        let group_id = rows::system_group(tx, ADMINS, "System administrators")?;
        let mut missing = self.0.clone();
        for (id, user, role) in rows::members(tx, group_id)? {
            if role == ADMINS && self.0.contains(&user) {
                missing.remove(&user);
            } else {
                rows::remove_member(tx, id)?;
            }
        }
        for user in &missing {
            rows::add_member(tx, group_id, user, ADMINS)?;
        }
        Ok(())
    }
}

/// Checks the window of a page.
fn window(paging: GroupPaging) -> Result<(i64, i64), EngineError> {
    let (offset, limit) = paging.window();
    if offset < 0 {
        return Err(EngineError::invalid("offset cannot be negative"));
    }
    check_limit(limit)?;
    Ok((offset, limit))
}

impl Engine {
    /// Brings the group of the administrators to what the configuration says.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn set_admins(&self) -> Result<(), EngineError> {
        let admins = self.parts.rules.admins.iter().cloned().collect();
        self.submit(SetAdmins(admins)).await
    }

    /// Makes a group.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, a name that is empty or taken.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn create_access_group(
        &self,
        model: AccessGroupModel,
    ) -> Result<AccessGroupModel, EngineError> {
        self.require_admin()?;
        if model.name.trim().is_empty() {
            return Err(EngineError::invalid("a group must have a name"));
        }
        self.submit(CreateAccessGroup(model)).await
    }

    /// One group.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, an unknown group.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_access_group(&self, id: i64) -> Result<AccessGroupModel, EngineError> {
        self.require_admin()?;
        let conn = self.read("get_access_group").await?;
        let found = rows::read(&conn, id).await?;
        let found = found.ok_or_else(|| EngineError::not_found("Group", id))?;
        Ok(found.model)
    }

    /// All groups, by name.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, paging))]
    pub async fn list_access_groups(
        &self,
        paging: GroupPaging,
    ) -> Result<GroupPage<AccessGroupModel>, EngineError> {
        self.require_admin()?;
        self.list_groups("list_access_groups", Groups::All, paging)
            .await
    }

    /// The groups of a user, by name.
    ///
    /// # Errors
    ///
    /// A caller that is neither the user nor an administrator, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, paging))]
    pub async fn list_user_groups(
        &self,
        user: &str,
        paging: GroupPaging,
    ) -> Result<GroupPage<AccessGroupModel>, EngineError> {
        self.require_self(user)?;
        self.list_groups("list_user_groups", Groups::OfUser(user), paging)
            .await
    }

    /// The groups that may use a workflow, by name.
    ///
    /// # Errors
    ///
    /// An unknown workflow, one that the caller may not use, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, paging))]
    pub async fn list_workflow_groups(
        &self,
        workflow_id: i64,
        paging: GroupPaging,
    ) -> Result<GroupPage<AccessGroupModel>, EngineError> {
        self.check_workflow(workflow_id).await?;
        self.list_groups(
            "list_workflow_groups",
            Groups::OfWorkflow(workflow_id),
            paging,
        )
        .await
    }

    async fn list_groups(
        &self,
        operation: &'static str,
        which: Groups<'_>,
        paging: GroupPaging,
    ) -> Result<GroupPage<AccessGroupModel>, EngineError> {
        let window = window(paging)?;
        let conn = self.read_list(operation).await?;
        let (items, total) = rows::list(&conn, which, window).await?;
        Ok(GroupPage::new(items, window, total))
    }

    /// Removes a group.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, an unknown group, that of the administrators.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_access_group(&self, id: i64) -> Result<AccessGroupModel, EngineError> {
        self.require_admin()?;
        self.submit(DeleteAccessGroup(id)).await
    }

    /// The members of a group, by name.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, an unknown group, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, paging))]
    pub async fn list_group_members(
        &self,
        group_id: i64,
        paging: GroupPaging,
    ) -> Result<GroupPage<UserGroupMembershipModel>, EngineError> {
        self.require_admin()?;
        let window = window(paging)?;
        let conn = self.read_list("list_group_members").await?;
        let found = rows::read(&conn, group_id).await?;
        found.ok_or_else(|| EngineError::not_found("Group", group_id))?;
        let (items, total) = rows::list_members(&conn, group_id, window).await?;
        Ok(GroupPage::new(items, window, total))
    }

    /// Adds a user to a group.
    ///
    /// # Errors
    ///
    /// A caller that is no admin of the group, an unknown group, that of the
    /// administrators, a user without a name or that is in it.
    #[tracing::instrument(level = "debug", skip(self, model))]
    pub async fn add_user_to_group(
        &self,
        group_id: i64,
        model: UserGroupMembershipModel,
    ) -> Result<UserGroupMembershipModel, EngineError> {
        self.require_group_admin(group_id).await?;
        if model.user_name.trim().is_empty() {
            return Err(EngineError::invalid("a member must have a name"));
        }
        self.submit(AddUserToGroup(UserGroupMembershipModel {
            group_id,
            ..model
        }))
        .await
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    ///
    /// A caller that is no admin of the group, an unknown group or member, the group of
    /// the administrators.
    #[tracing::instrument(level = "debug", skip(self, user_name))]
    pub async fn remove_user_from_group(
        &self,
        group_id: i64,
        user_name: String,
    ) -> Result<UserGroupMembershipModel, EngineError> {
        self.require_group_admin(group_id).await?;
        self.submit(RemoveUserFromGroup {
            group_id,
            user_name,
        })
        .await
    }

    /// Lets a group use a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow or group, a caller that neither owns the workflow nor is an
    /// admin of the group, a group that may use it.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn add_workflow_to_group(
        &self,
        workflow_id: i64,
        group_id: i64,
    ) -> Result<WorkflowAccessGroupModel, EngineError> {
        self.require_owner_or_group_admin(workflow_id, group_id)
            .await?;
        self.submit(LinkWorkflow {
            workflow_id,
            group_id,
        })
        .await
    }

    /// Takes a workflow away from a group.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a caller that neither owns it nor is an admin of the group, a
    /// group that may not use it.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn remove_workflow_from_group(
        &self,
        workflow_id: i64,
        group_id: i64,
    ) -> Result<WorkflowAccessGroupModel, EngineError> {
        self.require_owner_or_group_admin(workflow_id, group_id)
            .await?;
        self.submit(UnlinkWorkflow {
            workflow_id,
            group_id,
        })
        .await
    }

    /// Whether a user may use a workflow, as its owner or through a group. That an
    /// administrator may is not looked at, and an unknown workflow is nobody's.
    ///
    /// # Errors
    ///
    /// A caller that is neither the user nor an administrator.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn check_workflow_access(
        &self,
        workflow_id: i64,
        user_name: String,
    ) -> Result<AccessCheckResponse, EngineError> {
        self.require_self(&user_name)?;
        let conn = self.read("check_workflow_access").await?;
        let found = standing::standing(&conn, None, workflow_id, &user_name).await?;
        Ok(AccessCheckResponse {
            has_access: found.is_some_and(|standing| standing.owner || standing.member),
            user_name,
            workflow_id,
        })
    }
}
