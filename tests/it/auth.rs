//! Who asks: passwords, and what is answered without them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use torc_server::server::auth::AuthConfig;

use crate::support::api::{Answer, Api};
use crate::support::http;
use crate::support::process::{ServerProcess, output_to, torc_server};
use crate::support::server::TestServer;

/// The value of an `Authorization` header.
fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let both = format!("{user}:{password}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(both)
    )
}

/// A line of the file, at a cost that suits tests.
fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
}

fn write_users(directory: &Path, users: &[(&str, &str)]) -> PathBuf {
    let file = directory.join("users");
    let text: String = users.iter().map(|(user, word)| line(user, word)).collect();
    std::fs::write(&file, text).unwrap();
    file
}

async fn server(file: &Path, required: bool) -> TestServer {
    TestServer::start_with(|config| {
        config.auth = AuthConfig {
            file: Some(file.to_owned()),
            required,
            ..AuthConfig::default()
        };
    })
    .await
}

async fn ask(api: &Api, request: &str, body: Value, authorization: Option<&str>) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let body = (!body.is_null()).then(|| body.to_string());
    api.send_raw(request, body, &headers).await
}

/// For whom the server takes whoever says this of itself: it stands in the event of what
/// was done.
async fn taken_for(api: &Api, authorization: Option<&str>) -> String {
    let flow = json!({"name": "w", "user": "u"});
    let flow = ask(api, "POST /workflows", flow, authorization).await.ok();
    let id = &flow["id"];
    let start = format!("POST /workflows/{id}/process_changed_job_inputs");
    ask(api, &start, Value::Null, authorization).await.ok();
    let events = format!("GET /events?workflow_id={id}");
    let events = ask(api, &events, Value::Null, authorization).await.ok();
    let mut users = events["items"].as_array().unwrap().iter();
    let user = users.find_map(|event| event["data"]["user"].as_str());
    user.unwrap_or_else(|| panic!("{events}")).to_owned()
}

#[tokio::test]
async fn without_a_file_everybody_is_anonymous() {
    let server = TestServer::start().await;
    for authorization in [
        None,
        Some(&*basic("ann", "x")),
        Some("Basic %"),
        Some("Bearer x"),
    ] {
        assert_eq!(taken_for(&server.api, authorization).await, "anonymous");
    }
    let reload = ask(&server.api, "POST /admin/reload-auth", Value::Null, None).await;
    assert_eq!(reload.status, 422);
    let error = json!({
        "error": "NoAuthFile",
        "message": "No auth file configured. Start the server with --auth-file to enable auth reloading.",
    });
    assert_eq!(reload.body, json!({"error": error}));
    server.stop().await;
}

#[tokio::test]
async fn a_password_says_who_asks_and_a_wrong_one_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "a:b"), ("böb", "ü")]);
    let server = server(&file, false).await;
    let scheme_in_capitals = basic("ann", "a:b").replace("Basic", "BASIC");
    for (authorization, user) in [
        (Some(&*basic("ann", "a:b")), "ann"),
        // Once more, from the cache.
        (Some(&*basic("ann", "a:b")), "ann"),
        (Some(&*scheme_in_capitals), "ann"),
        (Some(&*basic("böb", "ü")), "böb"),
        (None, "anonymous"),
        (Some("Bearer abc"), "anonymous"),
        (Some(&*basic("ann", "a")), "unknown"),
        (Some(&*basic("ann", "")), "unknown"),
        (Some(&*basic("Ann", "a:b")), "unknown"),
        (Some(&*basic("", "a:b")), "unknown"),
        (Some("Basic"), "anonymous"),
        (Some("Basic %%%"), "unknown"),
        (Some("Basic YW5u"), "unknown"),
    ] {
        assert_eq!(
            taken_for(&server.api, authorization).await,
            user,
            "{authorization:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn where_a_password_is_required_nothing_is_answered_without() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "secret")]);
    let server = server(&file, true).await;
    let http = http::client();
    let header = |headers: &HeaderMap, name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let paths = [
        "/torc-service/v1/ping",
        "/torc-service/v1/version",
        "/torc-service/v1/workflows",
        "/torc-service/v1/no/such/path",
        "/",
        "/nowhere",
        "/debug/timings",
        "/metrics",
    ];
    for path in paths {
        let url = format!("{}{path}", server.api.root());
        for given in [
            None,
            Some(basic("ann", "wrong")),
            Some("Bearer x".to_owned()),
        ] {
            let mut request = http.get(&url).header("x-span-id", "7");
            if let Some(given) = given {
                request = request.header("authorization", given);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path}");
            let headers = answer.headers().clone();
            for (name, value) in [
                ("www-authenticate", "Basic realm=\"Torc\""),
                ("x-span-id", "7"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(header(&headers, name).as_deref(), Some(value), "{path}");
            }
            assert_eq!(answer.text().await.unwrap(), "Unauthorized");
        }
        let right = http.get(&url).basic_auth("ann", Some("secret"));
        assert_ne!(right.send().await.unwrap().status(), 401, "{path}");
    }
    assert_eq!(
        taken_for(&server.api, Some(&basic("ann", "secret"))).await,
        "ann"
    );
    // A large body is refused unread.
    let large = json!({"name": "x".repeat(1 << 20), "user": "u"}).to_string();
    let json = [("content-type", "application/json")];
    if let Ok(answer) = server
        .api
        .try_send_raw("POST /workflows", Some(large), &json)
        .await
    {
        assert_eq!(answer.status, 401);
    }
    server.stop().await;
}

#[tokio::test]
async fn many_workers_are_one_check_and_wrong_guesses_do_not_lock_anybody_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "secret")]);
    let server = server(&file, true).await;
    let api = &server.api;
    let ann = basic("ann", "secret");
    // More than one address may have checked at one time, were they not the same.
    let all = (0..64).map(|_| ask(api, "GET /ping", Value::Null, Some(&ann)));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    for n in 0..5 {
        let guess = basic("ann", &format!("guess{n}"));
        assert_eq!(
            ask(api, "GET /ping", Value::Null, Some(&guess))
                .await
                .status,
            401
        );
    }
    // Not from the cache.
    ask(api, "POST /admin/reload-auth", Value::Null, Some(&ann))
        .await
        .ok();
    assert_eq!(
        ask(api, "GET /ping", Value::Null, Some(&ann)).await.status,
        200
    );
    server.stop().await;
}

/// A guess waits, and so many may wait; who is known is not kept from anything meanwhile.
#[tokio::test]
async fn guesses_beyond_those_that_may_wait_are_put_off() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "secret")]);
    let server = server(&file, true).await;
    let api = &server.api;
    let ann = basic("ann", "secret");
    ask(api, "GET /ping", Value::Null, Some(&ann)).await.ok();
    let (http, url) = (http::client(), format!("{}/ping", api.url()));
    let guess = async |n: usize| {
        let guess = basic(&format!("user{n}"), "guess");
        let request = http.get(&url).header("authorization", guess);
        let answer = request.send().await.unwrap();
        let retry = answer.headers().contains_key("retry-after");
        (answer.status().as_u16(), retry)
    };
    let guesses = futures_util::future::join_all((0..100).map(guess));
    let known = async {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(ask(api, "GET /ping", Value::Null, Some(&ann)).await.status);
        }
        statuses
    };
    let (answers, known) = tokio::join!(guesses, known);
    assert_eq!(known, [200; 20]);
    for expected in [(401, false), (503, true)] {
        assert!(answers.contains(&expected), "{expected:?} in {answers:?}");
    }
    let others = answers
        .iter()
        .filter(|(status, _)| ![401, 503].contains(status));
    assert_eq!(others.count(), 0, "{answers:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_file_is_read_again_when_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "old"), ("bob", "b")]);
    let server = server(&file, true).await;
    let api = &server.api;
    let status = async |user: &str, password: &str| {
        let given = basic(user, password);
        ask(api, "GET /ping", Value::Null, Some(&given))
            .await
            .status
    };
    let reload = async |user: &str, password: &str| {
        let given = basic(user, password);
        ask(api, "POST /admin/reload-auth", Value::Null, Some(&given)).await
    };
    assert_eq!(status("ann", "old").await, 200);
    assert_eq!(status("ann", "new").await, 401);

    write_users(directory.path(), &[("ann", "new")]);
    assert_eq!(status("ann", "old").await, 200, "nobody asked for it yet");
    assert_eq!(reload("bob", "wrong").await.status, 401);
    let answer = reload("bob", "b").await.ok();
    assert_eq!(answer["user_count"], 1);
    assert!(answer["message"].is_string());
    assert_eq!(status("ann", "old").await, 401);
    assert_eq!(status("ann", "new").await, 200, "wrong before");
    assert_eq!(status("bob", "b").await, 401);

    // A file that is no good changes nothing.
    for (text, mistake) in [("ann:secret\n", "line 1"), ("# none\n", "no users")] {
        std::fs::write(&file, text).unwrap();
        let answer = reload("ann", "new").await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.body["error"]["error"], "ReloadFailed");
        let message = answer.body["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(mistake) && !message.contains("secret"),
            "{message}"
        );
        assert_eq!(status("ann", "new").await, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_cache_each_request_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "secret")]);
    let server = TestServer::start_with(|config| {
        config.auth = AuthConfig {
            file: Some(file.clone()),
            required: true,
            cache_ttl: std::time::Duration::ZERO,
        };
    })
    .await;
    for _ in 0..20 {
        let given = basic("ann", "secret");
        assert_eq!(
            ask(&server.api, "GET /ping", Value::Null, Some(&given))
                .await
                .status,
            200
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn where_access_is_controlled_debug_pages_are_for_administrators() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_users(directory.path(), &[("ann", "a"), ("bob", "b")]);
    let server = TestServer::start_with(|config| {
        config.auth.file = Some(file.clone());
        config.enforce_access_control = true;
        config.admin_users = vec!["ann".to_owned()];
    })
    .await;
    let status = async |path: &str, user: Option<(&str, &str)>| {
        let mut request = http::client().get(format!("{}{path}", server.api.root()));
        if let Some((user, password)) = user {
            request = request.basic_auth(user, Some(password));
        }
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/debug/", "/debug/writer", "/debug/requests"] {
        assert_ne!(status(path, Some(("ann", "a"))).await, 403, "{path}");
        for other in [None, Some(("bob", "b")), Some(("ann", "wrong"))] {
            assert_eq!(status(path, other).await, 403, "{path} {other:?}");
        }
    }
    assert_ne!(status("/metrics", None).await, 403);
    server.stop().await;
}

#[test]
fn a_server_that_would_let_nobody_in_or_anybody_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let good = line("ann", "x");
    for (name, text, arguments, said) in [
        ("none", None, &["--require-auth"][..], "--auth-file"),
        (
            "missing",
            None,
            &["--auth-file", "missing"][..],
            "cannot read the auth file missing",
        ),
        (
            "empty",
            Some(String::new()),
            &["--auth-file", "empty"][..],
            "has no users",
        ),
        (
            "plain",
            Some(format!("# ours\n{good}bob:hunter2\n")),
            &["--auth-file", "plain"][..],
            "the auth file plain, line 3: ",
        ),
    ] {
        if let Some(text) = text {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
            .args(arguments)
            .stdin(Stdio::null());
        let answer = output_to(&mut command, Stdio::null(), Stdio::piped());
        assert_eq!(answer.code, Some(1), "{name}: {}", answer.err);
        assert!(answer.err.contains(said), "{name}: {}", answer.err);
        assert!(!answer.err.contains("hunter2"), "{}", answer.err);
    }
    assert!(!directory.path().join("torc-server.db").exists());
}

/// The most that the log can say, and the dump: neither a password nor what is made of it.
#[tokio::test]
async fn passwords_are_written_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    write_users(directory.path(), &[("ann", "hunter2")]);
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["--log-level", "trace", "--log-dir", "logs"])
        .env("TORC_AUTH_FILE", "users")
        .env("TORC_CREDENTIAL_CACHE_TTL_SECS", "5")
        .env("TORC_ADMIN_USERS", "ann, bob,");
    let server = ServerProcess::spawn(command);
    server.wait_for_log("the administrator bob is no user");
    let given = basic("ann", "hunter2");
    assert_eq!(taken_for(&server.api(), Some(&given)).await, "ann");
    assert_eq!(
        taken_for(&server.api(), Some(&basic("ann", "hunter3"))).await,
        "unknown"
    );
    server.wait_for_log("wrong credentials");
    server.signal("USR1");
    server.wait_for_log("dumped");
    server.signal("TERM");
    let (status, mut said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path().join("logs")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        said += &String::from_utf8_lossy(&bytes);
        files += 1;
    }
    assert!(files >= 2 && said.contains("wrong credentials"), "{said}");
    let encoded = [given, basic("ann", "hunter3")];
    let secrets = encoded.iter().filter_map(|given| given.split_once(' '));
    for secret in secrets.map(|(_, secret)| secret).chain(["hunter", "$2b$"]) {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
}
