//! Events: the live streams, and the stored ones.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use super::{Caller, Engine, EngineError, Subject, access, check_paging, weight};
use crate::clock;
use crate::store::{Command, Effects, WriteTx, events as rows};
use crate::wire::events::{EventModel, ListEventsQuery, Severity, StreamEvent};
use crate::wire::page::{DeleteCountResponse, Page};

/// Events that a slow reader may lag behind before it misses some; the contract's figure.
const CAPACITY: usize = 512;

/// An event with its JSON, encoded once for all subscribers.
#[derive(Debug)]
pub struct Encoded {
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// How loud it is.
    pub severity: Severity,
    /// Name of the frame.
    pub event_type: String,
    /// The frame's data.
    pub json: String,
}

/// Sends committed events to whoever listens. Cheap to clone.
#[derive(Clone)]
pub struct Broadcaster {
    sender: broadcast::Sender<Arc<Encoded>>,
}

impl Default for Broadcaster {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(CAPACITY),
        }
    }
}

impl Broadcaster {
    /// Sends each event; without listeners nothing is even encoded.
    pub fn perform(&self, effects: Effects) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        for event in effects.into_events() {
            self.send(&event);
        }
    }

    fn send(&self, event: &StreamEvent) {
        match serde_json::to_string(event) {
            Ok(json) => {
                // An error means that the last listener has just left.
                let _ = self.sender.send(Arc::new(Encoded {
                    workflow_id: event.workflow_id,
                    severity: event.severity,
                    event_type: event.event_type.clone(),
                    json,
                }));
            }
            Err(error) => tracing::error!("an event has no JSON form: {error}"),
        }
    }

    /// Who listens now.
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// A new listener; it hears what is sent from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Encoded>> {
        self.sender.subscribe()
    }
}

/// Stores an event that the server itself writes.
///
/// # Errors
///
/// What the database says.
pub(super) fn record(tx: &WriteTx<'_>, workflow_id: i64, data: &Value) -> Result<i64, EngineError> {
    Ok(rows::insert(tx, workflow_id, clock::now_ms(), data)?)
}

/// Stores what a user did to a workflow; `details` are added to the common fields.
///
/// # Errors
///
/// What the database says.
pub(super) fn record_action(
    tx: &WriteTx<'_>,
    caller: &Caller,
    workflow_id: i64,
    action: &str,
    details: Value,
) -> Result<(), EngineError> {
    let mut data = serde_json::json!({
        "category": "user_action",
        "action": action,
        "user": caller.name(),
    });
    if let (Some(all), Value::Object(details)) = (data.as_object_mut(), details) {
        all.extend(details);
    }
    record(tx, workflow_id, &data)?;
    Ok(())
}

struct CreateEvent(EventModel);

impl Command for CreateEvent {
    const NAME: &'static str = "create_event";
    type Reply = EventModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<EventModel, EngineError> {
        let mut event = self.0;
        access::workflow(tx, event.workflow_id)?;
        event.timestamp = clock::now_ms();
        event.id = Some(rows::insert(
            tx,
            event.workflow_id,
            event.timestamp,
            &event.data,
        )?);
        Ok(event)
    }

    fn bytes(&self) -> usize {
        weight::of_json(&self.0.data)
    }
}

struct UpdateEvent {
    id: i64,
    data: Value,
}

impl Command for UpdateEvent {
    const NAME: &'static str = "update_event";
    type Reply = EventModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<EventModel, EngineError> {
        let mut event = stored(tx, self.id)?;
        rows::set_data(tx, self.id, &self.data)?;
        event.data = self.data;
        Ok(event)
    }

    fn bytes(&self) -> usize {
        weight::of_json(&self.data)
    }
}

struct DeleteEvent(i64);

impl Command for DeleteEvent {
    const NAME: &'static str = "delete_event";
    type Reply = EventModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<EventModel, EngineError> {
        let event = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(event)
    }
}

struct DeleteEvents(i64);

impl Command for DeleteEvents {
    const NAME: &'static str = "delete_events";
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

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<EventModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("event", id))
}

impl Engine {
    /// Stores an event, stamped with the server's time.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = event.workflow_id))]
    pub async fn create_event(&self, event: EventModel) -> Result<EventModel, EngineError> {
        self.may_use(Subject::Workflow(event.workflow_id)).await?;
        self.submit(CreateEvent(event)).await
    }

    /// One stored event.
    ///
    /// # Errors
    ///
    /// An unknown event.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_event(&self, id: i64) -> Result<EventModel, EngineError> {
        self.may_use(Subject::Row("event", id)).await?;
        let conn = self.read("get_event").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("event", id))
    }

    /// The stored events of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_events(
        &self,
        query: &ListEventsQuery,
    ) -> Result<Page<EventModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_events").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Replaces the data of a stored event.
    ///
    /// # Errors
    ///
    /// An unknown event.
    #[tracing::instrument(level = "debug", skip(self, data))]
    pub async fn update_event(&self, id: i64, data: Value) -> Result<EventModel, EngineError> {
        self.may_use(Subject::Row("event", id)).await?;
        self.submit(UpdateEvent { id, data }).await
    }

    /// Removes a stored event.
    ///
    /// # Errors
    ///
    /// An unknown event.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_event(&self, id: i64) -> Result<EventModel, EngineError> {
        self.may_use(Subject::Row("event", id)).await?;
        self.submit(DeleteEvent(id)).await
    }

    /// Removes the stored events of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_events(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteEvents(workflow_id)).await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }
}
