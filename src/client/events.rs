//! Events: the stored ones, and the stream of those that happen now.

use reqwest::Response;
use serde_json::Value;

use super::sse::{Frame, Parser};
use super::{Client, ClientError, Deleted, error};
use crate::wire::WorkflowId;
use crate::wire::events::{DROPPED_FRAME, EventModel, ListEventsQuery, Severity, StreamEvent};
use crate::wire::page::{Page, WorkflowQuery};

impl Client {
    /// Stores an event.
    pub async fn create_event(&self, event: &EventModel) -> Result<EventModel, ClientError> {
        self.post("/events").json(event).send().await
    }

    /// Reads a stored event.
    pub async fn get_event(&self, id: i64) -> Result<EventModel, ClientError> {
        self.get(format!("/events/{id}")).send().await
    }

    /// Lists stored events.
    pub async fn list_events(
        &self,
        query: &ListEventsQuery,
    ) -> Result<Page<EventModel>, ClientError> {
        self.get("/events").query(query).send().await
    }

    /// Replaces the data of a stored event.
    pub async fn update_event(&self, id: i64, data: &Value) -> Result<EventModel, ClientError> {
        self.put(format!("/events/{id}")).json(data).send().await
    }

    /// Deletes a stored event.
    pub async fn delete_event(&self, id: i64) -> Result<EventModel, ClientError> {
        self.delete(format!("/events/{id}")).send().await
    }

    /// Deletes the stored events of a workflow, and says how many.
    pub async fn delete_events(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/events").query(&query).send().await?;
        Ok(answer.rows())
    }

    /// Follows what happens in a workflow, from `level` upwards, from now on.
    pub async fn events(
        &self,
        workflow_id: WorkflowId,
        level: Severity,
    ) -> Result<EventStream, ClientError> {
        let call = self
            .get(format!("/workflows/{workflow_id}/events/stream"))
            .query(&[("level", level)]);
        let (what, server) = (call.what.clone(), call.server.clone());
        Ok(EventStream {
            what,
            server,
            response: call.open().await?,
            parser: Parser::default(),
        })
    }
}

/// What comes out of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamItem {
    /// Something happened.
    Event(StreamEvent),
    /// This reader was too slow and missed so many events.
    Dropped(u64),
}

/// The events of one workflow, as they happen.
#[derive(Debug)]
pub struct EventStream {
    what: String,
    server: String,
    response: Response,
    parser: Parser,
}

impl EventStream {
    /// Waits for the next item; `None` when the server has closed the stream.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// A broken connection. The stream is then over; what happened meanwhile is not repeated.
    pub async fn next(&mut self) -> Result<Option<StreamItem>, ClientError> {
        loop {
            while let Some(frame) = self.parser.pop() {
                if let Some(item) = read(&frame) {
                    return Ok(Some(item));
                }
                tracing::debug!(event = frame.event, "unreadable frame in the event stream");
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.parser.push(&bytes),
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&self, error: &reqwest::Error) -> ClientError {
        match ClientError::transport(&self.what, &self.server, error) {
            // A body that breaks off counts as undecodable with reqwest.
            ClientError::Decode { what, .. } => ClientError::Broken {
                what,
                reason: error::chain(error),
            },
            other => other,
        }
    }
}

fn read(frame: &Frame) -> Option<StreamItem> {
    let data: Value = serde_json::from_str(&frame.data).ok()?;
    // An event of severity warning has a name of its own, so only this frame is called so.
    if frame.event == DROPPED_FRAME
        && let Some(missed) = data.get("dropped").and_then(Value::as_u64)
    {
        return Some(StreamItem::Dropped(missed));
    }
    serde_json::from_value(data).ok().map(StreamItem::Event)
}

#[cfg(test)]
mod tests {
    use super::{Frame, StreamItem, read};

    fn item(event: &str, data: &str) -> Option<StreamItem> {
        read(&Frame {
            event: event.to_owned(),
            data: data.to_owned(),
        })
    }

    #[test]
    fn frames_become_items() {
        let Some(StreamItem::Event(event)) = item(
            "jobs_ready",
            r#"{"workflow_id":1,"timestamp":2,"event_type":"jobs_ready","severity":"debug","data":{"count":3}}"#,
        ) else {
            panic!("an event was sent");
        };
        assert_eq!(event.event_type, "jobs_ready");
        assert_eq!(event.data["count"], 3);
        assert_eq!(
            item("warning", r#"{"dropped":5}"#),
            Some(StreamItem::Dropped(5))
        );
        assert_eq!(item("warning", "{}"), None);
        assert_eq!(item("x", "not json"), None);
    }
}
