//! `/metrics`: what promtool and a real Prometheus say of it, and that its figures are true.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, lasting_port, wait_bounded};
use crate::support::root;

/// A program of Debian's package prometheus: where scripts/test.sh unpacks it, or installed.
fn tool(name: &str) -> Command {
    let unpacked = root().join("target/prometheus/usr/bin").join(name);
    Command::new(if unpacked.exists() {
        unpacked
    } else {
        name.into()
    })
}

fn spawn(command: &mut Command) -> Child {
    let program = command.get_program().to_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("{program:?}: {error}; scripts/test.sh unpacks the package prometheus")
    })
}

/// What promtool complains of.
fn lint(page: &str) -> (Option<i32>, String) {
    let mut child = spawn(
        tool("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

async fn page_of(api: &Api, accept: &str) -> (String, String) {
    let request = http::client().get(format!("{}/metrics", api.root()));
    let answer = request.header("accept", accept).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.text().await.unwrap())
}

/// The values of a page by name with labels.
struct Scrape {
    values: BTreeMap<String, f64>,
    /// What kind each family is.
    kinds: BTreeMap<String, String>,
}

impl Scrape {
    async fn of(api: &Api) -> Self {
        let (kind, page) = page_of(api, "").await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(&page)
    }

    fn parse(page: &str) -> Self {
        let mut scrape = Self {
            values: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for line in page.lines() {
            if let Some(about) = line.strip_prefix("# TYPE ") {
                let (name, kind) = about.split_once(' ').unwrap();
                let before = scrape.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let before = scrape
                    .values
                    .insert(name.to_owned(), value.parse().unwrap());
                assert_eq!(before, None, "{name} twice");
            }
        }
        scrape
    }

    #[track_caller]
    fn get(&self, name: &str) -> f64 {
        *self
            .values
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:#?}", self.values.keys()))
    }

    /// Values that only ever grow.
    fn growing(&self) -> impl Iterator<Item = (&String, f64)> {
        self.values.iter().filter_map(|(name, value)| {
            let family = name.split('{').next().unwrap();
            let histogram = ["_bucket", "_sum", "_count"].iter().any(|ending| {
                let family = family.strip_suffix(ending);
                family.is_some_and(|family| self.kinds.get(family).unwrap() == "histogram")
            });
            let counter = self.kinds.get(family).is_some_and(|kind| kind == "counter");
            (histogram || counter).then_some((name, *value))
        })
    }

    /// Nothing that only grows has become less since `before`, or is gone.
    #[track_caller]
    fn assert_grown_since(&self, before: &Self) {
        for (name, value) in before.growing() {
            assert!(self.get(name) >= value, "{name} fell below {value}");
        }
    }
}

/// One job from its creation to its end.
async fn one_job(api: &Api) -> i64 {
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    api.initialize(flow).await;
    let node = api.compute_node(flow).await;
    let claim = format!("/workflows/{flow}/claim_next_jobs?limit=1");
    api.post(&claim, Value::Null).await;
    let job = jobs[0];
    let start = format!("PUT /jobs/{job}/start_job/0/{node}");
    api.send(&start, &Value::Null).await.ok();
    let ended = result(flow, job, node, "completed", 0);
    api.post(&format!("/jobs/{job}/complete_job/completed/0"), ended)
        .await;
    flow
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_no_complaint_and_the_figures_are_true() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    one_job(&api).await;
    let missing = api.send("GET /jobs/99", &Value::Null).await;
    assert_eq!(missing.status, 404);
    let (_, page) = page_of(&api, "").await;
    assert_eq!(lint(&page), (Some(0), String::new()));

    let first = Scrape::parse(&page);
    assert_eq!(first.get("torc_jobs{status=\"completed\"}"), 1.0);
    assert_eq!(first.get("torc_jobs{status=\"ready\"}"), 1.0);
    for (name, count) in [
        (
            "torc_http_requests_total{route=\"POST /jobs\",status=\"2xx\"}",
            2.0,
        ),
        (
            "torc_http_requests_total{route=\"GET /jobs/{id}\",status=\"4xx\"}",
            1.0,
        ),
        (
            "torc_http_request_duration_seconds_count{route=\"POST /jobs\"}",
            2.0,
        ),
        ("torc_write_seconds_count{operation=\"create_job\"}", 2.0),
        (
            "torc_write_phase_seconds_bucket{le=\"+Inf\",operation=\"create_job\",phase=\"commit\"}",
            2.0,
        ),
        ("torc_write_failures_total{operation=\"create_job\"}", 0.0),
        ("torc_write_queue_depth", 0.0),
        ("torc_http_requests_open", 1.0),
        ("torc_event_streams", 0.0),
        ("torc_log_lines_dropped_total", 0.0),
        ("torc_answer_limit_bytes", 268_435_456.0),
    ] {
        assert_eq!(first.get(name), count, "{name}");
    }
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    let build = first.values.keys().find(|name| name.contains(&version));
    assert!(build.unwrap().starts_with("torc_build_info{"));
    for above_zero in [
        "torc_wal_bytes",
        "torc_tokio_alive_tasks",
        "process_cpu_seconds_total",
        "process_open_fds",
    ] {
        assert!(first.get(above_zero) > 0.0, "{above_zero}");
    }
    assert!(first.get("process_resident_memory_bytes") > f64::from(1 << 20));

    // What the parts say is what the whole says, within what is not accounted for.
    let sum = |name: &str| first.get(&format!("{name}operation=\"create_job\"}}"));
    let whole = sum("torc_write_seconds_sum{");
    let parts: f64 = ["queue_wait", "begin", "batch_wait", "execute", "commit"]
        .iter()
        .map(|phase| {
            let labels = format!("operation=\"create_job\",phase=\"{phase}\"");
            first.get(&format!("torc_write_phase_seconds_sum{{{labels}}}"))
        })
        .sum();
    assert!(parts > 0.0 && parts <= whole + 1e-9, "{parts} of {whole}");

    one_job(&api).await;
    let second = Scrape::of(&api).await;
    second.assert_grown_since(&first);
    assert_eq!(second.get("torc_jobs{status=\"completed\"}"), 2.0);
    let posted = "torc_http_requests_total{route=\"POST /jobs\",status=\"2xx\"}";
    assert_eq!(second.get(posted), 4.0);
    let scrapes = "torc_http_request_duration_seconds_count{route=\"GET /metrics\"}";
    assert_eq!(second.get(scrapes), 1.0);
}

/// Figures never fall while everything changes, and buckets add up.
#[tokio::test(flavor = "multi_thread")]
async fn scrapes_under_load_only_grow() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    let flow = one_job(&api).await;
    let load = tokio::spawn({
        let api = api.clone();
        async move {
            loop {
                let writes = (0..16).map(|_| {
                    let event = json!({"workflow_id": flow, "timestamp": 0, "data": 1});
                    api.post("/events", event)
                });
                futures_util::future::join_all(writes).await;
            }
        }
    });
    let mut last = Scrape::of(&api).await;
    let written = "torc_write_seconds_count{operation=\"create_event\"}";
    let start = Instant::now();
    let mut scrapes = 0;
    while scrapes < 20 || last.values.get(written).is_none_or(|count| *count < 100.0) {
        let next = Scrape::of(&api).await;
        next.assert_grown_since(&last);
        for (name, count) in &next.values {
            if let Some(labels) = name.strip_prefix("torc_write_seconds_count{") {
                let all = format!("torc_write_seconds_bucket{{le=\"+Inf\",{labels}");
                assert_eq!(next.get(&all), *count);
            }
        }
        last = next;
        scrapes += 1;
        assert!(start.elapsed() < HANG, "{scrapes} scrapes");
    }
    load.abort();
    let (code, said) = lint(&page_of(&api, "").await.1);
    assert_eq!((code, said), (Some(0), String::new()));
}

/// The documentation names what there is, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn each_metric_is_documented() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let there: BTreeSet<String> = Scrape::of(&server.api()).await.kinds.into_keys().collect();
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<String> = rows
        .filter_map(|row| row.split('`').next())
        .filter(|name| name.starts_with("torc_") || name.starts_with("process_"))
        // A build without tokio_unstable lacks these.
        .map(str::to_owned)
        .collect();
    if cfg!(tokio_unstable) {
        assert_eq!(there, documented);
    } else {
        assert!(there.is_subset(&documented), "{there:?}");
    }
}

/// Like the debug pages it tells too much for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn it_answers_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let url = format!("{}/metrics", server.api().root());
    let request = http::client().get(url);
    let answer = request.header("x-forwarded-for", "10.0.0.1");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("loopback only"));
}

/// A Prometheus that scrapes the server in the format that it prefers; killed when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = wait_bounded(&mut self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_takes_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    one_job(&api).await;
    let (kind, page) = page_of(&api, "application/openmetrics-text;version=1.0.0").await;
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(page.ends_with("# EOF\n"));

    let config = json!({"scrape_configs": [{
        "job_name": "torc",
        "scrape_interval": "1s",
        "static_configs": [{"targets": [format!("127.0.0.1:{}", server.port())]}],
    }]});
    // JSON is YAML too.
    std::fs::write(directory.path().join("prometheus.yml"), config.to_string()).unwrap();
    let address = format!("127.0.0.1:{}", lasting_port());
    let _prometheus = Prometheus(spawn(
        tool("prometheus")
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    ));
    let start = Instant::now();
    let ask = async |query: &str| -> Option<Value> {
        let url = format!("http://{address}/api/v1/query");
        let request = http::client().get(url).query(&[("query", query)]);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        let value = answer["data"]["result"][0]["value"][1].clone();
        value.is_string().then_some(value)
    };
    // It discovers its targets some seconds after its start.
    let completed = loop {
        if let Some(value) = ask("torc_jobs{status=\"completed\"}").await {
            break value;
        }
        assert!(start.elapsed() < HANG, "nothing was scraped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(completed, "1");
    assert_eq!(ask("up{job=\"torc\"}").await.unwrap(), "1");
    let quantile = "histogram_quantile(0.5, torc_write_seconds_bucket{operation=\"create_job\"})";
    let median = ask(quantile).await.unwrap();
    assert!(median.as_str().unwrap().parse::<f64>().unwrap() > 0.0);
}
