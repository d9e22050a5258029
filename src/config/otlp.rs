//! Where traces are exported to: the flags, and the standard variables of OpenTelemetry
//! (`OTEL_*`, specification of SDK environment variables and of the OTLP exporter).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Port of collectors for gRPC, by the specification; HTTP has 4318.
const GRPC_PORT: &str = ":4317";
/// What is appended to an endpoint that serves all signals over HTTP.
const TRACES_PATH: &str = "/v1/traces";

/// The flags about OpenTelemetry.
#[derive(Debug, Clone, Default, Args)]
pub struct OtlpArgs {
    /// Export traces to this OpenTelemetry collector, such as http://localhost:4318 or,
    /// for gRPC, http://localhost:4317. The standard OTEL_* variables are read as well, such
    /// as OTEL_EXPORTER_OTLP_ENDPOINT; a flag goes before its variable.
    #[arg(long = "otlp", id = "otlp", value_name = "ENDPOINT")]
    pub endpoint: Option<String>,

    /// How to speak to it. [default: grpc on port 4317, else http/protobuf]
    #[arg(long = "otlp-protocol", value_name = "PROTOCOL", value_enum)]
    pub protocol: Option<Protocol>,

    /// The share of requests that is exported, from 0 to 1; slow ones are exported all the
    /// same, and callers that sampled their own trace decide for themselves. [default: 1]
    #[arg(long = "otlp-sample", value_name = "SHARE", value_parser = parse_share)]
    pub sample: Option<f64>,
}

/// How spans travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// OTLP/gRPC.
    #[value(name = "grpc")]
    Grpc,
    /// OTLP/HTTP with Protocol Buffers.
    #[value(name = "http/protobuf", alias = "http")]
    Http,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number from 0 to 1"))?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{text} is not between 0 and 1"))
    }
}

/// Which requests are exported, before it is known how slow they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// The share of those whose caller says nothing.
    pub share: f64,
    /// A caller that says whether it sampled is followed.
    pub parent_based: bool,
}

/// Where and how to export.
#[derive(Clone)]
pub struct OtlpConfig {
    /// The whole URL for HTTP, the authority's URL for gRPC; always `http://`.
    pub url: String,
    /// How.
    pub protocol: Protocol,
    /// Which requests.
    pub sampler: Sampler,
    /// Sent with each export: may be credentials, so never shown.
    pub headers: Vec<(String, String)>,
    /// How long one export may take.
    pub timeout: Duration,
    /// Requests that may wait to be exported; more are dropped.
    pub queue: usize,
    /// Requests in one export at most.
    pub batch: usize,
    /// How long a request may wait for its batch to fill.
    pub delay: Duration,
    /// What the spans come from: `service.name` and whatever was said.
    pub resource: Vec<(String, String)>,
}

impl fmt::Debug for OtlpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OtlpConfig")
            .field("url", &self.url)
            .field("protocol", &self.protocol)
            .field("sampler", &self.sampler)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot be used; one line each, without the values of headers.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OtlpConfigError {
    /// The endpoint is not one that can be spoken to.
    #[error(
        "the OTLP endpoint `{0}` is not an http:// URL; for TLS let a collector on this \
         machine pass the traces on"
    )]
    Endpoint(String),
    /// The endpoint holds a password, which would be shown wherever the endpoint is.
    #[error(
        "the OTLP endpoint holds a name or a password before its `@`; say them in \
         OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20..., which is never shown"
    )]
    Credentials,
    /// A variable means nothing.
    #[error("{name}={value:?} is not understood: {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// A list of pairs is none.
    #[error("{0} is not a list of name=value pairs, separated by commas")]
    Pairs(&'static str),
}

impl OtlpConfig {
    /// Joins the flags with the environment; `None` when nothing is to be exported.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn new(args: &OtlpArgs) -> Result<Option<Self>, OtlpConfigError> {
        Self::with_env(args, |name| std::env::var(name).ok())
    }

    /// Like [`Self::new`], with the variables given.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn with_env(
        args: &OtlpArgs,
        env: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Option<Self>, OtlpConfigError> {
        let env = |name| env(name).filter(|value| !value.trim().is_empty());
        let disabled = env("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let exporter = env("OTEL_TRACES_EXPORTER").is_none_or(|name| name != "none");
        let flag = args.endpoint.clone().filter(|text| !text.trim().is_empty());
        let for_traces = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let whole = flag.is_none() && for_traces.is_some();
        let given = flag.or(for_traces);
        let Some(endpoint) = given.or_else(|| env("OTEL_EXPORTER_OTLP_ENDPOINT")) else {
            return Ok(None);
        };
        if disabled || !exporter {
            return Ok(None);
        }
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        let authority = endpoint
            .split("://")
            .last()
            .and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(OtlpConfigError::Credentials);
        }
        let host = endpoint.strip_prefix("http://").unwrap_or("");
        if host.is_empty() || host.starts_with([':', '/']) || host.contains(char::is_whitespace) {
            return Err(OtlpConfigError::Endpoint(endpoint));
        }
        let protocol = protocol(args, &env)?.unwrap_or_else(|| {
            let authority = host.split('/').next().unwrap_or("");
            if authority.ends_with(GRPC_PORT) {
                Protocol::Grpc
            } else {
                Protocol::Http
            }
        });
        let url = match protocol {
            // The variable for traces alone is used as it is (OTLP exporter, "Endpoint URLs").
            Protocol::Http if !whole => format!("{endpoint}{TRACES_PATH}"),
            _ => endpoint,
        };
        let number = |name, default: u64| match env(name) {
            None => Ok(default),
            Some(text) => text
                .trim()
                .parse::<u64>()
                .map_err(|_| variable(name, &text, "a whole number")),
        };
        Ok(Some(Self {
            url,
            protocol,
            sampler: sampler(args, &env)?,
            headers: headers(&env)?,
            timeout: Duration::from_millis(number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?.max(1)),
            queue: size(number("OTEL_BSP_MAX_QUEUE_SIZE", 2_048)?),
            batch: size(number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?),
            delay: Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", 5_000)?),
            resource: resource(&env)?,
        }))
    }
}

fn variable(name: &'static str, value: &str, expected: &'static str) -> OtlpConfigError {
    OtlpConfigError::Variable {
        name,
        value: value.to_owned(),
        expected,
    }
}

/// A number of requests, within what memory can bear.
fn size(number: u64) -> usize {
    usize::try_from(number.clamp(1, 1 << 20)).unwrap_or(1 << 20)
}

/// The protocol, where one is named.
fn protocol(
    args: &OtlpArgs,
    env: &impl Fn(&'static str) -> Option<String>,
) -> Result<Option<Protocol>, OtlpConfigError> {
    if args.protocol.is_some() {
        return Ok(args.protocol);
    }
    let names = [
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ];
    let Some((name, text)) = names.into_iter().find_map(|name| Some((name, env(name)?))) else {
        return Ok(None);
    };
    let named = Protocol::from_str(text.trim(), false);
    named
        .map(Some)
        .map_err(|_| variable(name, &text, "grpc or http/protobuf"))
}

fn sampler(
    args: &OtlpArgs,
    env: &impl Fn(&'static str) -> Option<String>,
) -> Result<Sampler, OtlpConfigError> {
    if let Some(share) = args.sample {
        return Ok(Sampler {
            share,
            parent_based: true,
        });
    }
    let name = env("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    let (parent_based, kind) = match name.strip_prefix("parentbased_") {
        Some(kind) => (true, kind),
        None => (false, name.as_str()),
    };
    let share = match kind {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => match env("OTEL_TRACES_SAMPLER_ARG") {
            None => 1.0,
            Some(text) => parse_share(text.trim()).map_err(|_| {
                let expected = "a number from 0 to 1";
                variable("OTEL_TRACES_SAMPLER_ARG", &text, expected)
            })?,
        },
        _ => {
            let expected =
                "always_on, always_off, traceidratio, or one of these after parentbased_";
            return Err(variable("OTEL_TRACES_SAMPLER", &name, expected));
        }
    };
    Ok(Sampler {
        share,
        parent_based,
    })
}

fn headers(
    env: &impl Fn(&'static str) -> Option<String>,
) -> Result<Vec<(String, String)>, OtlpConfigError> {
    let mut all = BTreeMap::new();
    for name in [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    ] {
        all.extend(pairs(name, env(name))?);
    }
    Ok(all
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect())
}

fn resource(
    env: &impl Fn(&'static str) -> Option<String>,
) -> Result<Vec<(String, String)>, OtlpConfigError> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let mut all: BTreeMap<String, String> = pairs(name, env(name))?.into_iter().collect();
    all.entry("service.version".to_owned())
        .or_insert_with(|| env!("CARGO_PKG_VERSION").to_owned());
    let service = env("OTEL_SERVICE_NAME");
    match service {
        Some(service) => {
            all.insert("service.name".to_owned(), service);
        }
        None => {
            all.entry("service.name".to_owned())
                .or_insert_with(|| "torc-server".to_owned());
        }
    }
    all.insert("process.pid".to_owned(), std::process::id().to_string());
    Ok(all.into_iter().collect())
}

/// `a=1,b=x%20y`, percent-encoded as in W3C Baggage.
fn pairs(
    name: &'static str,
    text: Option<String>,
) -> Result<Vec<(String, String)>, OtlpConfigError> {
    let text = text.unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').ok_or(OtlpConfigError::Pairs(name))?;
            let key = key.trim();
            if key.is_empty() {
                return Err(OtlpConfigError::Pairs(name));
            }
            Ok((key.to_owned(), decoded(value.trim())))
        })
        .collect()
}

/// Percent escapes resolved; what is none stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        let escape = escape.and_then(|two| std::str::from_utf8(two).ok());
        match escape.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Made = Result<Option<OtlpConfig>, OtlpConfigError>;

    fn made(endpoint: Option<&str>, env: &[(&'static str, &str)]) -> Made {
        let args = OtlpArgs {
            endpoint: endpoint.map(str::to_owned),
            ..OtlpArgs::default()
        };
        OtlpConfig::with_env(&args, |name| {
            let found = env.iter().find(|(each, _)| *each == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_protocol_follows_the_port() {
        let grpc = made(Some("http://localhost:4317/"), &[]).unwrap().unwrap();
        assert_eq!(grpc.protocol, Protocol::Grpc);
        assert_eq!(grpc.url, "http://localhost:4317");
        let http = made(Some("http://localhost:4318"), &[]).unwrap().unwrap();
        assert_eq!(http.protocol, Protocol::Http);
        assert_eq!(http.url, "http://localhost:4318/v1/traces");
        let whole = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a:1/in")];
        let http = made(None, &whole).unwrap().unwrap();
        assert_eq!(http.url, "http://a:1/in");
    }

    #[test]
    fn a_flag_goes_before_its_variable() {
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/in"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ];
        let url = |endpoint, env| made(endpoint, env).unwrap().unwrap().url;
        assert_eq!(url(Some("http://flag:1"), &env), "http://flag:1");
        assert_eq!(url(None, &env), "http://traces:1/in");
        assert_eq!(url(None, &env[..1]), "http://general:1/v1/traces");
        let args = OtlpArgs {
            endpoint: Some("http://flag:4317".to_owned()),
            protocol: Some(Protocol::Http),
            ..OtlpArgs::default()
        };
        let env = |name| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| "grpc".to_owned());
        let http = OtlpConfig::with_env(&args, env).unwrap().unwrap();
        assert_eq!(http.protocol, Protocol::Http);
        let wrong = made(
            Some("http://a:1"),
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "udp")],
        );
        let wrong = wrong.unwrap_err().to_string();
        assert!(wrong.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{wrong}");
    }

    /// A password in the endpoint would be in every line that names it.
    #[test]
    fn a_password_in_the_endpoint_is_refused_and_not_shown() {
        for endpoint in ["http://me:hush@a:1", "https://me:hush@a", "me:hush@a:1"] {
            let error = made(Some(endpoint), &[]).unwrap_err();
            assert_eq!(error, OtlpConfigError::Credentials);
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        assert!(made(Some("http://a:1/in@box"), &[]).is_ok());
    }

    #[test]
    fn nothing_is_exported_unless_it_is_wanted() {
        assert!(made(None, &[]).unwrap().is_none());
        let endpoint = Some("http://a:1");
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert!(made(endpoint, &[off]).unwrap().is_none());
        }
        for wrong in ["https://a:1", "a:1", "http://", "http://:1", "http:// a"] {
            let error = made(Some(wrong), &[]).unwrap_err();
            assert!(error.to_string().contains("not an http:// URL"), "{error}");
        }
    }

    #[test]
    fn samplers_are_those_of_the_specification() {
        let of = |env: &[(&'static str, &str)]| made(Some("http://a:1"), env).unwrap().unwrap();
        let sampler = |share, parent_based| Sampler {
            share,
            parent_based,
        };
        assert_eq!(of(&[]).sampler, sampler(1.0, true));
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ];
        assert_eq!(of(&ratio).sampler, sampler(0.25, false));
        let wrong = made(Some("http://a:1"), &[("OTEL_TRACES_SAMPLER", "sometimes")]);
        assert!(wrong.unwrap_err().to_string().contains("parentbased_"));
    }

    /// Headers may be passwords: they are used, and nowhere shown.
    #[test]
    fn headers_are_read_and_not_shown() {
        let env = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=s%65cret%2C1,b = 2"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment=test"),
            ("OTEL_SERVICE_NAME", "mine"),
        ];
        let config = made(Some("http://a:1"), &env).unwrap().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            config.headers,
            [pair("api-key", "secret,1"), pair("b", "2")]
        );
        assert!(config.resource.contains(&pair("service.name", "mine")));
        assert!(config.resource.contains(&pair("deployment", "test")));
        assert!(!format!("{config:?}").contains("secret"));
        let wrong = made(
            Some("http://a:1"),
            &[("OTEL_EXPORTER_OTLP_HEADERS", "hush")],
        );
        assert!(!wrong.unwrap_err().to_string().contains("hush"));
    }
}
