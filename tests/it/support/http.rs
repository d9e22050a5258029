//! Plain HTTP for tests. reqwest's own `get` and `Client::new` would ask the system for
//! certificates that no test needs, and fail where there are none.

use torc_server::trust::Trust;

/// A client.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(Trust::Nobody.config().unwrap())
        .build()
        .unwrap()
}

/// A `GET` by a client of its own.
pub async fn get(url: impl reqwest::IntoUrl) -> reqwest::Result<reqwest::Response> {
    client().get(url).send().await
}
