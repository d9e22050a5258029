//! Why a request came to nothing, in words that say what to do.

use std::error::Error;
use std::time::Duration;

use crate::wire::error::ErrorResponse;

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// The URL cannot be used.
    #[error(
        "'{url}' is not a usable server URL ({reason}); expected something like http://localhost:8080/torc-service/v1"
    )]
    BadUrl {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Who asks cannot be said, or nobody can be trusted.
    #[error("{0}")]
    Identity(String),
    /// Nobody answers there.
    #[error(
        "no torc server answers at {url} ({reason}); start one with `torc-server run`, or name another with --url or TORC_API_URL"
    )]
    Connect {
        /// The server's URL, and the way there if it leads through a proxy.
        url: String,
        /// What the operating system says.
        reason: String,
    },
    /// The answer took too long.
    #[error("{what}: no answer in time; the server may be overloaded, try again later")]
    Timeout {
        /// Method and URL.
        what: String,
    },
    /// The connection broke before the answer was complete.
    #[error("{what}: the connection broke ({reason}); try again")]
    Broken {
        /// Method and URL.
        what: String,
        /// What broke.
        reason: String,
    },
    /// The server refused.
    #[error("{message} (status {status}, {what})")]
    Api {
        /// Method and URL.
        what: String,
        /// HTTP status.
        status: u16,
        /// The server's reason.
        message: String,
        /// How long the server asks to wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// The answer is not what the contract says.
    #[error(
        "{what}: the answer cannot be read ({reason}); is it a torc server of a matching version?"
    )]
    Decode {
        /// Method and URL.
        what: String,
        /// What was found instead.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Api { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::BadUrl { .. } | Self::Identity(_) | Self::Decode { .. } => false,
        }
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the server refused because the workflow is in another run than the request.
    pub fn says_other_run(&self) -> bool {
        matches!(self, Self::Api { message, .. } if message.contains("Run ID mismatch"))
    }

    pub(super) fn bad_url(url: &str, reason: String) -> Self {
        Self::BadUrl {
            url: url.to_owned(),
            reason,
        }
    }

    pub(super) fn transport(what: &str, server: &str, error: &reqwest::Error) -> Self {
        let (what, reason) = (what.to_owned(), chain(error));
        if error.is_connect() {
            let url = server.to_owned();
            Self::Connect { url, reason }
        } else if error.is_timeout() {
            Self::Timeout { what }
        } else if error.is_builder() {
            Self::Decode { what, reason }
        } else {
            Self::Broken { what, reason }
        }
    }

    pub(super) fn api(what: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let message = match serde_json::from_slice::<ErrorResponse>(body) {
            Ok(error) => error.message(),
            // The framework's own refusals are plain text, and a proxy's may be anything.
            Err(_) => match String::from_utf8_lossy(body).trim() {
                "" => "the server refused without a reason".to_owned(),
                page if page.starts_with('<') => web_page(page),
                text => text.chars().take(500).collect(),
            },
        };
        Self::Api {
            what: what.to_owned(),
            status,
            message,
            retry_after,
        }
    }
}

/// What a web page says in place of an answer: its title, and that it is one.
fn web_page(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let length = lower[start..].find("</title>")?;
        Some(page[start..start + length].trim())
    });
    let title: String = title.unwrap_or_default().chars().take(100).collect();
    let title = if title.is_empty() {
        title
    } else {
        format!(" '{title}'")
    };
    format!(
        "the answer is the web page{title}; this is no torc server, or something stands before it"
    )
}

/// The innermost cause, since the outer ones only say "error sending request".
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::ClientError;

    #[test]
    fn messages_come_from_json_and_from_plain_text() {
        let json = ClientError::api("GET /x", 404, br#"{"error":{"message":"no job"}}"#, None);
        assert_eq!(json.to_string(), "no job (status 404, GET /x)");
        let text = ClientError::api("GET /x", 400, b" bad id \n", None);
        assert_eq!(text.to_string(), "bad id (status 400, GET /x)");
        let none = ClientError::api("GET /x", 500, b"", None);
        assert!(none.to_string().contains("without a reason"));
    }

    #[test]
    fn a_web_page_is_named_and_not_shown() {
        let page =
            b"<!DOCTYPE html>\n<html><head><TITLE>404 Not Found</TITLE></head><body>much</body>";
        let error = ClientError::api("GET /x", 404, page, None).to_string();
        assert!(error.contains("web page '404 Not Found'"), "{error}");
        assert!(!error.contains("much"), "{error}");
        let error = ClientError::api("GET /x", 502, b"<html></html>", None).to_string();
        assert!(error.contains("the web page;"), "{error}");
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        for (status, transient) in [(400, false), (404, false), (409, false), (422, false)]
            .into_iter()
            .chain([(408, true), (429, true), (500, true), (503, true)])
        {
            let error = ClientError::api("GET /x", status, b"", None);
            assert_eq!(error.is_transient(), transient, "{status}");
        }
    }
}
