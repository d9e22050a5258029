//! Creates on the server what a plan describes, or nothing.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::timeout;

use super::bar::Bar;
use super::context::{Context, patiently};
use super::failure::Failure;
use crate::client::Client;
use crate::runner::Signals;
use crate::say::say;
use crate::spec::{Plan, PlannedJob};
use crate::wire::WorkflowId;
use crate::wire::files::{FileModel, FilesModel};
use crate::wire::jobs::{JobModel, JobsModel};
use crate::wire::user_data::{UserDataListModel, UserDataModel};
use crate::wire::workflow_config::{JobMonitorConfig, ResourceMonitorConfig};

/// Rows of one request. The contract allows ten times as many; smaller requests keep
/// the answers short and the progress visible.
const CHUNK: usize = 10_000;

/// How long after a signal the server may take to say which workflow it has begun.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// Creates everything; what a failure or a signal leaves half done is deleted again.
///
/// # Errors
///
/// [`Failure`] if the server refuses, or the user changed their mind.
pub async fn create(
    context: &Context,
    plan: Plan,
    monitor: bool,
    signals: &mut Signals,
) -> Result<WorkflowId, Failure> {
    let client = &context.client;
    let mut workflow = plan.workflow.clone();
    workflow.user.clone_from(&context.user);
    workflow.submission_directory = std::env::current_dir()
        .ok()
        .map(|directory| directory.display().to_string());
    if monitor && workflow.resource_monitor_config.is_none() {
        workflow.resource_monitor_config = Some(usual_monitor());
    }
    let mut creating = std::pin::pin!(patiently(|| client.create_workflow(&workflow)));
    let (created, interrupted) = tokio::select! {
        created = &mut creating => (created?, None),
        signal = signals.next_number() => {
            // Only its id lets it be deleted again.
            let failure = Failure::interrupted(signal);
            match timeout(LAST_ANSWER, creating).await {
                Ok(Ok(created)) => (created, Some(failure)),
                _ => return Err(failure),
            }
        }
    };
    let id = created.id.ok_or_else(|| short_answer("workflow"))?;
    let result = match interrupted {
        Some(failure) => Err(failure),
        None => tokio::select! {
            result = fill(client, id, plan) => result,
            signal = signals.next_number() => Err(Failure::interrupted(signal)),
        },
    };
    if let Err(failure) = result {
        take_back(client, id, signals).await;
        return Err(failure);
    }
    Ok(id)
}

/// Deletes what was begun, unless another signal says that this takes too long.
async fn take_back(client: &Client, id: WorkflowId, signals: &mut Signals) {
    let reason = tokio::select! {
        deleted = patiently(|| client.delete_workflow(id)) => match deleted {
            Ok(_) => return,
            Err(error) => error.to_string(),
        },
        _ = signals.next() => "there was no time for it".to_owned(),
    };
    say(format_args!(
        "warning: workflow {id} is incomplete and could not be deleted: {reason}"
    ));
}

/// Unless a spec says otherwise, highs and means of each job are watched.
fn usual_monitor() -> ResourceMonitorConfig {
    ResourceMonitorConfig {
        jobs: Some(JobMonitorConfig {
            enabled: true,
            ..JobMonitorConfig::default()
        }),
        ..ResourceMonitorConfig::default()
    }
}

fn short_answer(noun: &str) -> Failure {
    Failure::new(format!("the server did not say which {noun} it created"))
}

/// The ids that the server gave, at the places of the plan.
#[derive(Debug, Default)]
struct Ids {
    files: Vec<i64>,
    user_data: Vec<i64>,
    resource_requirements: Vec<i64>,
    jobs: Vec<i64>,
}

async fn fill(client: &Client, id: WorkflowId, plan: Plan) -> Result<(), Failure> {
    let mut ids = Ids::default();
    let files = with_times(plan.files, &plan.jobs);
    ids.files = create_files(client, id, files).await?;
    ids.user_data = create_user_data(client, id, plan.user_data).await?;
    for mut row in plan.resource_requirements {
        row.workflow_id = id;
        let created = patiently(|| client.create_resource_requirements(&row)).await?;
        let created = created
            .id
            .ok_or_else(|| short_answer("resource requirements"))?;
        ids.resource_requirements.push(created);
    }
    create_jobs(client, id, plan.jobs, ids).await
}

/// Fills in when files were changed, for those that jobs read and that exist.
fn with_times(mut files: Vec<FileModel>, jobs: &[PlannedJob]) -> Vec<FileModel> {
    let read: HashSet<usize> = jobs
        .iter()
        .flat_map(|job| &job.input_files)
        .copied()
        .collect();
    for place in read {
        let file = &mut files[place];
        let changed = std::fs::metadata(&file.path).and_then(|found| found.modified());
        if let Ok(changed) = changed
            && let Ok(since) = changed.duration_since(UNIX_EPOCH)
        {
            file.st_mtime = Some(since.as_secs_f64());
        }
    }
    files
}

/// The ids of an answer, of which there must be as many as rows were sent.
fn ids_of(sent: usize, ids: Vec<Option<i64>>, noun: &str) -> Result<Vec<i64>, Failure> {
    let ids: Vec<i64> = ids.into_iter().flatten().collect();
    if ids.len() == sent {
        Ok(ids)
    } else {
        Err(short_answer(noun))
    }
}

async fn create_files(
    client: &Client,
    id: WorkflowId,
    mut files: Vec<FileModel>,
) -> Result<Vec<i64>, Failure> {
    files.iter_mut().for_each(|file| file.workflow_id = id);
    let mut ids = Vec::with_capacity(files.len());
    while !files.is_empty() {
        let rest = files.split_off(files.len().min(CHUNK));
        let body = FilesModel { files };
        let answer = patiently(|| client.create_files(&body)).await?;
        let created = answer.files.unwrap_or_default();
        let created = created.into_iter().map(|file| file.id).collect();
        ids.extend(ids_of(body.files.len(), created, "files")?);
        files = rest;
    }
    Ok(ids)
}

async fn create_user_data(
    client: &Client,
    id: WorkflowId,
    mut rows: Vec<UserDataModel>,
) -> Result<Vec<i64>, Failure> {
    rows.iter_mut().for_each(|row| row.workflow_id = id);
    let mut ids = Vec::with_capacity(rows.len());
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(CHUNK));
        let body = UserDataListModel { user_data: rows };
        let answer = patiently(|| client.create_user_data_list(&body)).await?;
        let created = answer.user_data.unwrap_or_default();
        let created = created.into_iter().map(|row| row.id).collect();
        ids.extend(ids_of(body.user_data.len(), created, "user data")?);
        rows = rest;
    }
    Ok(ids)
}

/// Level by level, because a job can name only jobs that have an id.
async fn create_jobs(
    client: &Client,
    id: WorkflowId,
    mut jobs: Vec<PlannedJob>,
    mut ids: Ids,
) -> Result<(), Failure> {
    let bar = Bar::new(jobs.len());
    ids.jobs = vec![0; jobs.len()];
    let levels: Vec<usize> = jobs.iter().map(|job| job.level).collect();
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|place| levels[*place]);
    for level in order.chunk_by(|a, b| levels[*a] == levels[*b]) {
        for places in level.chunks(CHUNK) {
            let models = places
                .iter()
                .map(|place| model(&mut jobs[*place], id, &ids));
            let body = JobsModel {
                jobs: models.collect(),
            };
            let answer = patiently(|| client.create_jobs(&body)).await?;
            let created = answer.jobs.unwrap_or_default();
            let created = created.into_iter().map(|job| job.id).collect();
            let created = ids_of(places.len(), created, "jobs")?;
            for (place, created) in places.iter().zip(created) {
                ids.jobs[*place] = created;
            }
            bar.advance(places.len());
        }
    }
    Ok(())
}

/// The job as the server takes it; its names are moved out of the plan, not copied.
fn model(job: &mut PlannedJob, id: WorkflowId, ids: &Ids) -> JobModel {
    let named = |places: &[usize], ids: &[i64]| {
        let named: Vec<i64> = places.iter().map(|place| ids[*place]).collect();
        (!named.is_empty()).then_some(named)
    };
    JobModel {
        workflow_id: id,
        depends_on_job_ids: named(&job.depends_on, &ids.jobs),
        input_file_ids: named(&job.input_files, &ids.files),
        output_file_ids: named(&job.output_files, &ids.files),
        input_user_data_ids: named(&job.input_user_data, &ids.user_data),
        output_user_data_ids: named(&job.output_user_data, &ids.user_data),
        resource_requirements_id: job
            .resource_requirements
            .map(|place| ids.resource_requirements[place]),
        ..std::mem::take(&mut job.model)
    }
}
