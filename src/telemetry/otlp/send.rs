//! One export on its way to the collector, by gRPC or HTTP.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::config::otlp::{OtlpConfig, Protocol};
use crate::trust::Trust;

/// Speaks to the collector.
pub enum Sender {
    /// OTLP/HTTP.
    Http {
        /// Keeps its connection.
        client: reqwest::Client,
        /// Where to.
        url: String,
    },
    /// OTLP/gRPC.
    Grpc {
        /// Keeps its connection.
        client: Box<TraceServiceClient<Channel>>,
        /// What goes with each call.
        metadata: MetadataMap,
        /// How long a call may take.
        timeout: Duration,
    },
}

/// Why an export did not arrive.
#[derive(Debug)]
pub struct SendError {
    /// What the other side or the system says; never a header.
    pub reason: String,
    /// It may go well another time (OTLP, "Failures").
    pub transient: bool,
}

impl Sender {
    /// A sender; it connects when something is sent. To be made and used inside of one
    /// runtime.
    ///
    /// # Errors
    ///
    /// A text for the user, when the configuration cannot be used.
    pub fn new(config: &OtlpConfig) -> Result<Self, String> {
        match config.protocol {
            Protocol::Http => {
                let mut headers = reqwest::header::HeaderMap::new();
                for (name, value) in &config.headers {
                    let unusable = || format!("the header {name} cannot be sent");
                    let key = reqwest::header::HeaderName::try_from(name);
                    let mut value =
                        reqwest::header::HeaderValue::try_from(value).map_err(|_| unusable())?;
                    value.set_sensitive(true);
                    headers.insert(key.map_err(|_| unusable())?, value);
                }
                let tls = Trust::Nobody.config().map_err(|error| error.to_string())?;
                let client = reqwest::Client::builder()
                    .tls_backend_preconfigured(tls)
                    .default_headers(headers)
                    .timeout(config.timeout)
                    .no_proxy()
                    .redirect(reqwest::redirect::Policy::none())
                    .build()
                    .map_err(|error| error.to_string())?;
                Ok(Self::Http {
                    client,
                    url: config.url.clone(),
                })
            }
            Protocol::Grpc => {
                let mut metadata = MetadataMap::new();
                for (name, value) in &config.headers {
                    let unusable = || format!("the header {name} cannot be sent");
                    let key = MetadataKey::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
                    let mut value = MetadataValue::try_from(value).map_err(|_| unusable())?;
                    value.set_sensitive(true);
                    metadata.insert(key, value);
                }
                let endpoint = Endpoint::from_shared(config.url.clone())
                    .map_err(|error| format!("{}: {error}", config.url))?
                    .connect_timeout(config.timeout);
                Ok(Self::Grpc {
                    client: Box::new(TraceServiceClient::new(endpoint.connect_lazy())),
                    metadata,
                    timeout: config.timeout,
                })
            }
        }
    }

    /// Sends one export.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn send(&mut self, export: &ExportTraceServiceRequest) -> Result<(), SendError> {
        match self {
            Self::Http { client, url } => {
                let request = client
                    .post(url.as_str())
                    .header("content-type", "application/x-protobuf")
                    .body(export.encode_to_vec());
                let answer = request.send().await.map_err(|error| SendError {
                    transient: true,
                    reason: root_cause(&error),
                })?;
                let status = answer.status();
                if status.is_success() {
                    return Ok(());
                }
                Err(SendError {
                    transient: matches!(status.as_u16(), 429 | 502 | 503 | 504),
                    reason: format!("it answers {status}"),
                })
            }
            Self::Grpc {
                client,
                metadata,
                timeout,
            } => {
                let mut request = tonic::Request::new(export.clone());
                *request.metadata_mut() = metadata.clone();
                request.set_timeout(*timeout);
                // The deadline in the request is the server's; this one is ours.
                let answer = tokio::time::timeout(*timeout, client.export(request)).await;
                match answer {
                    Err(_elapsed) => Err(SendError {
                        transient: true,
                        reason: format!("no answer within {timeout:?}"),
                    }),
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(status)) => Err(SendError {
                        transient: matches!(
                            status.code(),
                            tonic::Code::Cancelled
                                | tonic::Code::DeadlineExceeded
                                | tonic::Code::Aborted
                                | tonic::Code::OutOfRange
                                | tonic::Code::Unavailable
                                | tonic::Code::DataLoss
                                | tonic::Code::ResourceExhausted
                        ),
                        reason: format!("{:?}: {}", status.code(), status.message()),
                    }),
                }
            }
        }
    }
}

/// The innermost error: the outer ones only say that something was being sent.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
