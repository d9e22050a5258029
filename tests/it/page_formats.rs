//! The debug pages as programs see them: formats, charts as JSON, and what is refused.

use std::time::{Duration, Instant};

use crate::support::http;
use crate::support::loaded::Loaded;
use crate::support::process::HANG;

#[tokio::test]
async fn programs_get_what_they_name_and_what_they_always_got() {
    let loaded = Loaded::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for page in ["timings", "writer", "statements"] {
        for (query, accept, expected) in [
            ("", None, "application/json"),
            ("", Some("*/*"), "application/json"),
            ("", Some("text/plain"), "text/plain"),
            ("", Some(browser), "text/html"),
            ("?format=html", None, "text/html"),
            ("?format=text", Some(browser), "text/plain"),
            ("?format=json", Some(browser), "application/json"),
        ] {
            let path = format!("/debug/{page}{query}");
            let (status, kind, _) = loaded.ask(&path, accept).await;
            assert_eq!(status, 200, "{path}");
            assert!(kind.starts_with(expected), "{path} {accept:?}: {kind}");
        }
        let (status, _, text) = loaded.ask(&format!("/debug/{page}?format=xml"), None).await;
        assert_eq!(status, 400, "{page}: {text}");
        let told = "unknown format 'xml'; it is html, json";
        assert!(text.starts_with(told), "{page}: {text}");
    }
    let (_, kind, text) = loaded.ask("/debug", None).await;
    assert!(
        kind.starts_with("text/plain") && text.contains("ns for a record"),
        "{text}"
    );
    let index = loaded.json("/debug/?format=json").await;
    assert!(index["now"]["record_ns"].as_f64().unwrap() > 0.0, "{index}");
    let listed = index["pages"].as_array().unwrap();
    let listed: Vec<&str> = listed
        .iter()
        .map(|page| page["path"].as_str().unwrap())
        .collect();
    let pages = [
        "/debug/timings",
        "/debug/writer",
        "/debug/statements",
        "/debug/slow",
        "/debug/requests",
        "/debug/exemplars",
        "/debug/trace",
        "/debug/trace/recent",
        "/debug/runtime",
        "/debug/tasks",
        "/debug/profile",
        "/metrics",
    ];
    assert_eq!(listed, pages);
    // What it tells one to type is answered.
    let asked: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("curl '")?.split_once('\''))
        .filter_map(|(url, _)| {
            Some(
                url.split_at(url.find("/debug/").or(url.find("/metrics"))?)
                    .1,
            )
        })
        .collect();
    assert_eq!(asked.len(), pages.len(), "{asked:?}");
    let waits = |path: &&&str| !path.contains("seconds=");
    for path in asked.iter().filter(waits) {
        let path = path.replace("complete_job", "create_job");
        let (status, kind, body) = loaded.ask(&path, None).await;
        // A build without stacks of tasks says so, and has the rest.
        assert!(
            status == 200 || path.contains("/tasks") && status == 501,
            "{path}: {body}"
        );
        assert!(
            kind.starts_with("text/plain") || path.contains("trace"),
            "{path}: {kind}"
        );
    }

    let answer = http::client()
        .get(loaded.url("/debug/?format=html"))
        .header("host", "localhost:1\"<script>")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    let answer = http::get(loaded.url("/debug/?format=html")).await.unwrap();
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let (status, _, _) = loaded.ask("/debug/web/..%2fdebug.rs", None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn charts_say_what_they_lack() {
    let loaded = Loaded::start().await;
    let answered = |path: &'static str| {
        let loaded = &loaded;
        async move {
            let (status, _, text) = loaded.ask(path, None).await;
            (status, text)
        }
    };
    for (path, status, part) in [
        ("curve", 400, "say of what"),
        ("heat?kind=job&name=x", 400, "unknown kind 'job'"),
        ("heat?kind=function&name=x", 400, "no heat map"),
        ("heat?kind=command&name=nobody", 404, "nothing was recorded"),
    ] {
        let path: &'static str = format!("/debug/timings/{path}").leak();
        let (got, text) = answered(path).await;
        assert_eq!(got, status, "{path}: {text}");
        assert!(text.contains(part), "{path}: {text}");
    }
    // Once something came, a curve and a heat map count the same.
    loaded.server.api().workflow().await;
    let query = "kind=command&name=create_workflow&window=start";
    let curve = loaded
        .json(&format!("/debug/timings/curve?{query}&part=commit"))
        .await;
    assert!(curve["count"].as_i64().unwrap() >= 2, "{curve}");
    let points = curve["points"].as_array().unwrap();
    let values: Vec<f64> = points
        .iter()
        .map(|point| point["value"].as_f64().unwrap())
        .collect();
    assert!(values.is_sorted(), "{curve}");
    let (status, text) =
        answered("/debug/timings/heat?kind=command&name=create_workflow&part=busy").await;
    assert!(
        status == 404 && text.contains("it has whole, queue_wait"),
        "{text}"
    );
    let (status, text) =
        answered("/debug/timings/heat?kind=command&name=create_workflow&part=no").await;
    assert!(
        status == 400 && text.contains("unknown part 'no'"),
        "{text}"
    );
    let (status, text) =
        answered("/debug/timings/curve?kind=command&name=create_workflow&window=9h").await;
    assert!(
        status == 400 && text.contains("unknown window '9h'"),
        "{text}"
    );
    let start = Instant::now();
    loop {
        let heat = loaded.json(&format!("/debug/timings/heat?{query}")).await;
        let cells = heat["columns"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|column| column["cells"].as_array().unwrap());
        let values: i64 = cells.map(|cell| cell[1].as_i64().unwrap()).sum();
        if values == curve["count"].as_i64().unwrap() {
            break;
        }
        assert!(start.elapsed() < HANG, "{heat}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
