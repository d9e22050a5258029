//! What to say when a debug page does not answer.

use super::failure::Failure;
use crate::client::{Client, ClientError};

/// A refusal of a debug page, with what to do about it. `missing` says what a server that
/// does not know the page lacks.
pub fn refused(client: &Client, error: ClientError, missing: &str) -> Failure {
    match &error {
        ClientError::Api {
            status: 403,
            message,
            ..
        } => Failure::new(message.clone()).hint(from_afar(client)),
        // The router's own answer to an unknown page has no words.
        ClientError::Api {
            status: 404,
            message,
            ..
        } if message.starts_with("the server refused without") => {
            Failure::new(missing).hint(format!(
                "there is no such page at {}; is it a torc server of a matching version?",
                client.base_url()
            ))
        }
        ClientError::Api {
            status: 404,
            message,
            ..
        } if message.contains("without telemetry") => Failure::new(format!(
            "{message}: only a `torc-server` process measures itself, not a standalone one"
        )),
        ClientError::Api {
            status: 400 | 404,
            message,
            ..
        } => Failure::new(message.clone()),
        ClientError::Connect { url, reason } => {
            Failure::unreachable(url, reason).hint(is_it_there(client))
        }
        _ => error.into(),
    }
}

/// What to do when nobody answers there who has debug pages.
pub fn is_it_there(client: &Client) -> String {
    format!("is it running? {}", from_afar(client))
}

/// How to reach pages that answer on the server's machine alone.
fn from_afar(client: &Client) -> String {
    let port = port(client.base_url());
    format!(
        "debug pages answer on the server's own machine; there, name it by \
         --url http://localhost:{port}; from elsewhere, first \
         `ssh -L {port}:localhost:{port} SERVER`, then the same"
    )
}

/// The port in a URL, or the usual one of the server.
fn port(url: &str) -> u16 {
    let host = url.split("://").nth(1).unwrap_or(url);
    let host = host.split('/').next().unwrap_or(host);
    let port = host.rsplit_once(':').map(|(_, port)| port.parse().ok());
    match port {
        Some(Some(port)) => port,
        // An address in brackets, or no port: that of http.
        _ => 80,
    }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn the_port_is_that_of_the_url() {
        assert_eq!(port("http://[::1]:81/torc-service/v1"), 81);
        assert_eq!(port("http://h/x"), 80);
        assert_eq!(port("http://[::1]/"), 80);
    }
}
