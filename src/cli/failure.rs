//! Why a command came to nothing: what to print, and with which code to exit.

use std::fmt;

use super::create::{tell, warnings};
use crate::client::ClientError;
use crate::runner::RunnerError;
use crate::say::say;
use crate::spec::SpecErrors;

/// The command ran, and something went wrong.
const FAILED: u8 = 1;
/// A comparison found something worse than it may be.
const WORSE: u8 = 5;
/// The command line makes no sense; the same code that clap uses.
const USAGE: u8 = 2;

/// Why a command came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code to exit with.
    pub code: u8,
    message: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// Something went wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            message: Some(message.into()),
            hint: None,
        }
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            ..Self::new(message)
        }
    }

    /// A comparison found something worse than it may be.
    pub fn worse(message: impl Into<String>) -> Self {
        Self {
            code: WORSE,
            ..Self::new(message)
        }
    }

    /// All has been said; only the code is left.
    pub fn silent(code: u8) -> Self {
        Self {
            code,
            message: None,
            hint: None,
        }
    }

    /// Nobody answers there.
    pub fn unreachable(url: &str, reason: &str) -> Self {
        Self::new(format!("cannot reach the server at {url}: {reason}")).hint(
            "is it running? start it with `torc-server run`, name another with --url or \
             TORC_API_URL, or say `torc -s COMMAND` to have one for this command",
        )
    }

    /// A signal ended the command; this is its number.
    pub fn interrupted(signal: i32) -> Self {
        Self::silent(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }

    /// Whether it says what to do.
    pub fn has_hint(&self) -> bool {
        self.hint.is_some()
    }

    /// The same with a line that says what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.message {
            write!(f, "error: {message}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// The command that lists what the server did not find, by the words of the contract.
fn list_of(message: &str) -> Option<&'static str> {
    [
        ("Workflow not found", "torc workflows list --all-users"),
        ("Job not found", "torc jobs list WORKFLOW"),
    ]
    .into_iter()
    .find_map(|(words, command)| message.starts_with(words).then_some(command))
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Identity(_) => Self::new(error.to_string()),
            ClientError::Connect { url, reason } if reason.contains("certificate") => {
                Self::new(format!("the server at {url} cannot be trusted: {reason}"))
                    .hint("--tls-ca-cert FILE names the certificate that signed the server's")
            }
            ClientError::Api { status: 401, .. } => Self::new(error.to_string()).hint(
                "the server asks for your password: TORC_PASSWORD or --prompt-password, and \
                 TORC_USERNAME if you have another name there",
            ),
            ClientError::BadUrl { .. } => Self::usage(error.to_string()),
            ClientError::Connect { url, reason } => Self::unreachable(url, reason),
            ClientError::Api {
                status: 404,
                message,
                ..
            } => match list_of(message) {
                Some(command) => {
                    Self::new(error.to_string()).hint(format!("`{command}` shows what there is"))
                }
                None => Self::new(error.to_string()),
            },
            _ => Self::new(error.to_string()),
        }
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<SpecErrors> for Failure {
    /// The mistakes themselves say where they are; a word before them would only hide that.
    fn from(errors: SpecErrors) -> Self {
        tell(&warnings(&errors.source, &errors.warnings));
        say(errors);
        Self::silent(FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use crate::client::ClientError;

    #[test]
    fn a_server_that_is_not_there_comes_with_advice() {
        let failure = Failure::from(ClientError::Connect {
            url: "http://localhost:8080".to_owned(),
            reason: "connection refused".to_owned(),
        });
        let text = failure.to_string();
        assert!(text.contains("torc -s"), "{text}");
        assert_eq!(failure.code, 1);
        let url = ClientError::BadUrl {
            url: "x".to_owned(),
            reason: "y".to_owned(),
        };
        assert_eq!(Failure::from(url).code, 2);
    }
}
