//! Workflows of any size and shape: bodies are built first, then sent and timed.

use std::fmt::Write as _;
use std::time::Duration;

use super::Outcome;
use super::api::Api;
use super::args::{Shape, Submit, Via};

/// A workflow with its jobs.
#[derive(Debug, Default)]
pub struct Flow {
    /// Its id.
    pub id: i64,
    /// The compute node that its workers say they are.
    pub node: i64,
    /// The ids of its jobs, in layers: what is in one waits for the one before.
    pub layers: Vec<Vec<i64>>,
    /// How long the server took to create the jobs.
    pub creating: Duration,
}

/// What a layer of jobs waits for, or reads and writes.
#[derive(Debug, Default)]
struct Ties {
    depends_on: Vec<i64>,
    reads: Vec<i64>,
    /// One file for each job of the layer.
    writes: Vec<i64>,
}

impl Flow {
    /// How many jobs it has.
    pub fn jobs(&self) -> usize {
        self.layers.iter().map(Vec::len).sum()
    }

    async fn empty(api: &mut Api) -> Outcome<Self> {
        let (id, node) = api.create_workflow().await?;
        Ok(Self {
            id,
            node,
            ..Self::default()
        })
    }

    /// Independent jobs.
    pub async fn independent(api: &mut Api, plan: &Submit, seed: u64) -> Outcome<Self> {
        let mut flow = Self::empty(api).await?;
        let mut kinds = Vec::new();
        if plan.kinds > 1 {
            for nth in 0..plan.kinds {
                kinds.push(api.create_needs(flow.id, nth).await?);
            }
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ids = Vec::with_capacity(plan.jobs);
        while ids.len() < plan.jobs {
            let count = plan.chunk.min(plan.jobs - ids.len());
            let body = bulk(count, |nth, text| {
                let nth = ids.len() + nth;
                write!(
                    text,
                    r#"{{"workflow_id":{},"name":"job{nth}","command":"true""#,
                    flow.id
                )?;
                if !kinds.is_empty() {
                    let kind = random.usize(..kinds.len());
                    let priority = kind % 4;
                    write!(
                        text,
                        r#","resource_requirements_id":{},"priority":{priority}"#,
                        kinds[kind]
                    )?;
                }
                text.push('}');
                Ok(())
            })?;
            let (made, took) = api.create_jobs(body.as_bytes()).await?;
            flow.creating += took;
            ids.extend(made);
        }
        flow.layers.push(ids);
        Ok(flow)
    }

    /// One job after the other.
    pub async fn chain(api: &mut Api, links: usize) -> Outcome<Self> {
        let mut flow = Self::empty(api).await?;
        let mut ties = Ties::default();
        for _ in 0..links {
            flow.layer(api, 1, &ties).await?;
            ties.depends_on = flow.layers.last().cloned().unwrap_or_default();
        }
        Ok(flow)
    }

    /// Layers tied together as `shape` says.
    pub async fn layered(
        api: &mut Api,
        shape: Shape,
        (width, layers): (usize, usize),
        via: Via,
    ) -> Outcome<Self> {
        let mut flow = Self::empty(api).await?;
        let sizes: Vec<usize> = match shape {
            Shape::Star => vec![1, width, 1],
            Shape::Full => vec![width; layers],
            Shape::Barriers => [width, 1].repeat(layers)[..2 * layers - 1].to_vec(),
        };
        let mut ties = Ties::default();
        for size in sizes {
            if via == Via::Files {
                ties.reads = std::mem::take(&mut ties.writes);
                ties.writes = flow.files(api, size).await?;
            }
            flow.layer(api, size, &ties).await?;
            if via == Via::Jobs {
                ties.depends_on = flow.layers.last().cloned().unwrap_or_default();
            }
        }
        Ok(flow)
    }

    async fn layer(&mut self, api: &mut Api, size: usize, ties: &Ties) -> Outcome<()> {
        let level = self.layers.len();
        let depends_on = list(&ties.depends_on);
        let reads = list(&ties.reads);
        let body = bulk(size, |nth, text| {
            write!(
                text,
                r#"{{"workflow_id":{},"name":"job{level}_{nth}","command":"true""#,
                self.id
            )?;
            if !ties.depends_on.is_empty() {
                write!(text, r#","depends_on_job_ids":{depends_on}"#)?;
            }
            if !ties.reads.is_empty() {
                write!(text, r#","input_file_ids":{reads}"#)?;
            }
            if let Some(file) = ties.writes.get(nth) {
                write!(text, r#","output_file_ids":[{file}]"#)?;
            }
            text.push('}');
            Ok(())
        })?;
        let (ids, took) = api.create_jobs(body.as_bytes()).await?;
        self.creating += took;
        self.layers.push(ids);
        Ok(())
    }

    /// Files that a layer writes.
    async fn files(&self, api: &mut Api, count: usize) -> Outcome<Vec<i64>> {
        let level = self.layers.len();
        let mut body = String::from(r#"{"files":["#);
        for nth in 0..count {
            let comma = if nth == 0 { "" } else { "," };
            let name = format!("file{level}_{nth}");
            write!(
                body,
                r#"{comma}{{"workflow_id":{},"name":"{name}","path":"{name}"}}"#,
                self.id
            )?;
        }
        body.push_str("]}");
        api.create_files(body.as_bytes()).await
    }
}

/// The body of a bulk creation.
fn bulk(
    count: usize,
    mut write: impl FnMut(usize, &mut String) -> std::fmt::Result,
) -> Outcome<String> {
    let mut body = String::with_capacity(count * 64);
    body.push_str(r#"{"jobs":["#);
    for nth in 0..count {
        if nth > 0 {
            body.push(',');
        }
        write(nth, &mut body)?;
    }
    body.push_str("]}");
    Ok(body)
}

/// Ids as a JSON list.
fn list(ids: &[i64]) -> String {
    let mut text = String::from("[");
    for (nth, id) in ids.iter().enumerate() {
        if nth > 0 {
            text.push(',');
        }
        text.push_str(&id.to_string());
    }
    text.push(']');
    text
}
