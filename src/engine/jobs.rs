//! Jobs: created, read, deleted. Their update is in `job_update`, their runs in `job_runs`.

use std::collections::{BTreeMap, HashSet};

use super::bulk::check_bulk;
use super::job_runs::state_of;
use super::release::decide_blocked;
use super::workflows::check_env;
use super::{Engine, EngineError, Subject, access, check_paging, labels, weight};
use crate::store::job_links::{self, Links};
use crate::store::jobs::{self as rows, JobRow};
use crate::store::{Command, Effects, WriteTx, new_jobs, resource_requirements, workflows};
use crate::wire::JobStatus;
use crate::wire::jobs::{CreateJobsResponse, JobModel, JobsModel, ListJobsQuery};
use crate::wire::page::{DeleteCountResponse, Page};

/// What new jobs inherit from their workflow, looked up once per command.
struct Inherited {
    env: BTreeMap<String, String>,
    default_requirements: Option<i64>,
    /// Requirements that were found to be the workflow's.
    requirements: HashSet<i64>,
}

impl Inherited {
    fn of(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Self, EngineError> {
        let workflow = workflows::get(tx, workflow_id)?
            .ok_or_else(|| EngineError::not_found("Workflow", workflow_id))?;
        Ok(Self {
            env: workflow.env.unwrap_or_default(),
            default_requirements: resource_requirements::only_default(tx, workflow_id)?,
            requirements: HashSet::new(),
        })
    }
}

/// Completes checked jobs of one workflow with what they inherit, and stores them; what
/// they are then is what the contract echoes.
pub(super) fn create(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    models: &mut [JobModel],
) -> Result<(), EngineError> {
    let mut inherited = Inherited::of(tx, workflow_id)?;
    for model in models.iter_mut() {
        inherit(tx, &mut inherited, model)?;
    }
    let first = new_jobs::insert(tx, models)?;
    for (id, model) in (first..).zip(models) {
        model.id = Some(id);
        if !has_links(model) {
            continue;
        }
        let links = Links {
            depends_on: model.depends_on_job_ids.clone().unwrap_or_default(),
            input_files: model.input_file_ids.clone().unwrap_or_default(),
            output_files: model.output_file_ids.clone().unwrap_or_default(),
            input_user_data: model.input_user_data_ids.clone().unwrap_or_default(),
            output_user_data: model.output_user_data_ids.clone().unwrap_or_default(),
        };
        // The later jobs of the request are stored already, but were not there for whoever
        // sent it.
        if let Some(later) = links.depends_on.iter().find(|other| **other > id) {
            return Err(unknown_link(&model.name, "job", *later, workflow_id));
        }
        link(tx, workflow_id, id, &links, &model.name)?;
    }
    Ok(())
}

fn has_links(model: &JobModel) -> bool {
    [
        &model.depends_on_job_ids,
        &model.input_file_ids,
        &model.output_file_ids,
        &model.input_user_data_ids,
        &model.output_user_data_ids,
    ]
    .into_iter()
    .any(Option::is_some)
}

fn inherit(
    tx: &WriteTx<'_>,
    inherited: &mut Inherited,
    model: &mut JobModel,
) -> Result<(), EngineError> {
    if !inherited.env.is_empty() {
        let mut env = inherited.env.clone();
        env.extend(model.env.take().unwrap_or_default());
        model.env = Some(env);
    }
    if model.resource_requirements_id.is_none() {
        model.resource_requirements_id = Some(inherited.default_requirements.ok_or_else(|| {
            EngineError::invalid(format!(
                "job '{}' names no resource requirements, and the workflow does not have exactly \
                 one set named 'default'",
                model.name
            ))
        })?);
    }
    if let Some(id) = model.resource_requirements_id
        && !inherited.requirements.contains(&id)
    {
        check_requirements(tx, model.workflow_id, id, &model.name)?;
        inherited.requirements.insert(id);
    }
    if let Some(labels) = &mut model.labels {
        labels.sort();
        labels.dedup();
    }
    model.labels = model.labels.take().filter(|labels| !labels.is_empty());
    model.status = Some(JobStatus::Uninitialized);
    Ok(())
}

/// Refuses requirements of another workflow: the job would go when that one is deleted.
pub(super) fn check_requirements(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    id: i64,
    name: &str,
) -> Result<(), EngineError> {
    let found = resource_requirements::get(tx, id)?;
    if found.is_some_and(|found| found.workflow_id == workflow_id) {
        return Ok(());
    }
    Err(EngineError::invalid(format!(
        "job '{name}' refers to resource requirements {id}, which workflow {workflow_id} does \
         not have"
    )))
}

/// Adds links to a job, whose other ends must lie in its workflow.
pub(super) fn link(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    job_id: i64,
    links: &Links,
    name: &str,
) -> Result<(), EngineError> {
    if links.depends_on.contains(&job_id) {
        return Err(EngineError::invalid(format!(
            "job '{name}' cannot depend on itself: it would wait for ever"
        )));
    }
    match job_links::add(tx, workflow_id, job_id, links)? {
        None => Ok(()),
        Some((what, id)) => Err(unknown_link(name, what, id, workflow_id)),
    }
}

fn unknown_link(name: &str, what: &str, id: i64, workflow_id: i64) -> EngineError {
    EngineError::invalid(format!(
        "job '{name}' refers to {what} {id}, which workflow {workflow_id} does not have"
    ))
}

fn check(model: &JobModel) -> Result<(), EngineError> {
    check_env(model.env.as_ref(), "job")?;
    if let Some(priority) = model.priority {
        check_priority(priority, &model.name)?;
    }
    labels::check(
        model.labels.as_deref().unwrap_or_default(),
        &format!("job '{}'", model.name),
    )
}

/// Refuses a negative priority.
pub(super) fn check_priority(priority: i64, name: &str) -> Result<(), EngineError> {
    if priority >= 0 {
        return Ok(());
    }
    Err(EngineError::invalid(format!(
        "priority must be >= 0, got {priority} for job '{name}'"
    )))
}

struct CreateJob(JobModel);

impl Command for CreateJob {
    const NAME: &'static str = "create_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<JobModel, EngineError> {
        let mut model = self.0;
        create(tx, model.workflow_id, std::slice::from_mut(&mut model))?;
        Ok(model)
    }

    fn bytes(&self) -> usize {
        bytes(&self.0)
    }
}

struct CreateJobs {
    workflow_id: i64,
    jobs: Vec<JobModel>,
}

impl Command for CreateJobs {
    const NAME: &'static str = "create_jobs";
    type Reply = CreateJobsResponse;
    type Error = EngineError;

    fn apply(
        self,
        tx: &WriteTx<'_>,
        _effects: &mut Effects,
    ) -> Result<CreateJobsResponse, EngineError> {
        let mut jobs = self.jobs;
        create(tx, self.workflow_id, &mut jobs)?;
        Ok(CreateJobsResponse { jobs: Some(jobs) })
    }

    fn bytes(&self) -> usize {
        self.jobs.iter().map(bytes).sum()
    }

    fn alone(&self) -> bool {
        true
    }
}

/// Roughly what a job's texts and lists hold in memory.
fn bytes(job: &JobModel) -> usize {
    let lists = [
        &job.depends_on_job_ids,
        &job.input_file_ids,
        &job.output_file_ids,
        &job.input_user_data_ids,
        &job.output_user_data_ids,
    ];
    size_of::<JobModel>()
        + job.name.len()
        + job.command.len()
        + job.invocation_script.as_ref().map_or(0, String::len)
        + weight::of_env(job.env.as_ref())
        + weight::of_texts(job.labels.iter().flatten())
        + lists
            .into_iter()
            .flatten()
            .map(|list| list.len() * 8)
            .sum::<usize>()
}

struct DeleteJob(i64);

impl Command for DeleteJob {
    const NAME: &'static str = "delete_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<JobModel, EngineError> {
        let row = stored(tx, self.0)?;
        let workflow_id = row.workflow_id;
        let model = rows::to_wire(row, job_links::of(tx, self.0)?)?;
        rows::delete(tx, self.0)?;
        // What waited for this job alone waits for nobody now, and nothing else may come
        // that would look at it.
        let state = state_of(tx, workflow_id)?;
        decide_blocked(tx, effects, workflow_id, &state, Vec::new())?;
        Ok(model)
    }
}

struct DeleteJobs(i64);

impl Command for DeleteJobs {
    const NAME: &'static str = "delete_jobs";
    type Reply = i64;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<i64, EngineError> {
        access::workflow(tx, self.0)?;
        Ok(rows::delete_all(tx, self.0)?)
    }

    fn alone(&self) -> bool {
        true
    }
}

/// The row of a job, which must exist.
pub(super) fn stored(tx: &WriteTx<'_>, id: i64) -> Result<JobRow, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_found("Job", id))
}

impl Engine {
    /// Creates a job.
    ///
    /// # Errors
    ///
    /// An unknown workflow, bad environment names, labels or priority, links to
    /// what its workflow does not have.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_job(&self, model: JobModel) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Workflow(model.workflow_id)).await?;
        check(&model)?;
        self.submit(CreateJob(model)).await
    }

    /// Creates many jobs of one workflow, all or none.
    ///
    /// # Errors
    ///
    /// As for one; besides none, too many, several workflows, a name used twice.
    #[tracing::instrument(
        level = "debug", skip_all,
        fields(workflow_id = model.jobs.first().map(|job| job.workflow_id), jobs = model.jobs.len())
    )]
    pub async fn create_jobs(&self, model: JobsModel) -> Result<CreateJobsResponse, EngineError> {
        let jobs = model.jobs;
        let names = jobs.iter().map(|job| (job.workflow_id, job.name.as_str()));
        let workflow_id = check_bulk("job", "jobs", names)?;
        self.may_use(Subject::Workflow(workflow_id)).await?;
        jobs.iter().try_for_each(check)?;
        self.submit(CreateJobs { workflow_id, jobs }).await
    }

    /// One job with its links.
    ///
    /// # Errors
    ///
    /// An unknown job.
    #[tracing::instrument(level = "debug", skip_all, fields(job_id = id))]
    pub async fn get_job(&self, id: i64) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", id)).await?;
        let conn = self.read("get_job").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_found("Job", id))
    }

    /// The jobs of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_jobs(&self, query: &ListJobsQuery) -> Result<Page<JobModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_jobs").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        let runner = labels::parse_list(query.labels.as_deref().unwrap_or(""));
        let page = rows::list(&conn, query, &paging, |set| labels::serves(&runner, set)).await?;
        Ok(page)
    }

    /// Removes a job with its links, results and hash.
    ///
    /// # Errors
    ///
    /// An unknown job.
    #[tracing::instrument(level = "debug", skip_all, fields(job_id = id))]
    pub async fn delete_job(&self, id: i64) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", id)).await?;
        self.submit(DeleteJob(id)).await
    }

    /// Removes all jobs of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_jobs(&self, workflow_id: i64) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteJobs(workflow_id)).await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }
}
