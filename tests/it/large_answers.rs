//! Large answers: what clients leave unread is bounded, and does not last.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::api::Api;
use crate::support::http;
use crate::support::process::{HANG, ServerProcess};
use crate::support::server::TestServer;

/// Bytes of each of the rows that make an answer large.
const ROW: usize = 1 << 20;

/// A workflow with so many rows of a MiB, and the path of their list.
async fn large_list(api: &Api, rows: usize) -> String {
    let flow = api.workflow().await;
    for n in 0..rows {
        let data = "x".repeat(ROW);
        let record = json!({"workflow_id": flow, "name": format!("d{n}"), "data": data});
        api.post("/user_data", record).await;
    }
    format!("/torc-service/v1/user_data?workflow_id={flow}&limit={rows}")
}

/// A server with so much room, that waits for its clients as long as the test may take.
async fn with_room(bytes: usize) -> TestServer {
    TestServer::start_with(|config| {
        config.answer_bytes = bytes;
        config.write_timeout = 10 * HANG;
    })
    .await
}

fn address(api: &Api) -> SocketAddr {
    api.root().strip_prefix("http://").unwrap().parse().unwrap()
}

/// A client that asks and reads the head of the answer, but nothing of its body.
struct Lazy {
    stream: TcpStream,
    /// What it has read.
    head: Vec<u8>,
}

impl Lazy {
    async fn ask(address: SocketAddr, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // The system would take some MiB for it otherwise.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = vec![0; 12];
        let read = stream.read_exact(&mut head);
        tokio::time::timeout(HANG, read).await.unwrap().unwrap();
        Self { stream, head }
    }

    fn status(&self) -> &str {
        std::str::from_utf8(&self.head[9..]).unwrap()
    }

    /// Reads until the connection ends or fails; answers how much there was.
    async fn rest(mut self) -> usize {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        // Cut off: an end or a reset, as the system likes.
        let _ = tokio::time::timeout(HANG, read).await.unwrap();
        rest.len()
    }
}

/// Asks until there is room.
async fn until_there_is_room(api: &Api, path: &str) {
    let start = Instant::now();
    loop {
        let answer = http::get(format!("{}{path}", api.root())).await.unwrap();
        let status = answer.status();
        if status == StatusCode::OK {
            // Where clients are cut off soon, a busy machine may make us one of them.
            if let Ok(bytes) = answer.bytes().await {
                assert!(bytes.len() > ROW);
                return;
            }
        } else {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert!(start.elapsed() < HANG, "no room came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Three answers of ten MiB fit into 32: the next is refused in words that help, small ones
/// are answered, and who leaves makes room.
#[tokio::test(flavor = "multi_thread")]
async fn unread_answers_share_a_room() {
    let server = with_room(32 << 20).await;
    let api = &server.api;
    let path = large_list(api, 10).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Lazy::ask(address(api), &path).await);
        assert_eq!(clients.last().unwrap().status(), "200");
    }
    // Both turn out to be large when they are read.
    let default = path.replace("&limit=10", "");
    for path in [&default, &path] {
        let answer = http::get(format!("{}{path}", api.root())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "1");
        let text = answer.text().await.unwrap();
        assert!(text.contains("32 MiB of large answers"), "{text}");
        assert!(text.contains("set limit"), "{text}");
    }
    api.get("/ping").await;
    let flow = api.workflow().await;
    // What might have any number of rows, and has none, needs no room.
    for query in [
        format!("/jobs?workflow_id={flow}"),
        format!("/jobs?workflow_id={flow}&%6cimit=%31%30%30%30%30%30"),
        format!("/workflows/{flow}/job_ids"),
        format!("/workflows/{flow}/missing_user_data"),
    ] {
        api.get(&query).await;
    }

    drop(clients.pop());
    until_there_is_room(api, &path).await;
    clients.clear();
    until_there_is_room(api, &default).await;
    server.stop().await;
}

/// A write that was carried out is answered as such, whoever holds the room.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_not_refused_after_it_was_done() {
    let server = with_room(8 << 20).await;
    let api = &server.api;
    let path = large_list(api, 7).await;
    let lazy = Lazy::ask(address(api), &path).await;
    assert_eq!(lazy.status(), "200");
    let flow = api.workflow().await;
    // A body of less than a MiB, an answer of more.
    let jobs: Vec<Value> = (0..16_000)
        .map(|n| json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"}))
        .collect();
    let created = api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    let size = created.to_string().len();
    assert!(size > 1 << 20, "{size}");
    assert_eq!(created["jobs"].as_array().unwrap().len(), 16_000);

    // One with a large body is put off while there is time, before anything was done.
    let pad = "x".repeat(3 << 19);
    let body = json!({"jobs": [{"workflow_id": flow, "name": "late", "command": pad}]});
    let url = format!("{}/bulk_jobs", api.url());
    let request = http::client().post(url).json(&body);
    // Its body is left unread, so the connection may end before the answer was read.
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["connection"], "close");
    }
    let all = api.get(&format!("/jobs?workflow_id={flow}&limit=1")).await;
    assert_eq!(all["total_count"], 16_000);
    drop(lazy);
    server.stop().await;
}

/// Who takes nothing is cut off, and what was held for it is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_cut_off() {
    let server = TestServer::start_with(|config| {
        config.answer_bytes = 16 << 20;
        config.write_timeout = Duration::from_secs(1);
    })
    .await;
    let api = &server.api;
    let path = large_list(api, 10).await;
    let lazy = Lazy::ask(address(api), &path).await;
    assert_eq!(lazy.status(), "200");
    // Its connection stands, and yet there is room.
    until_there_is_room(api, &path).await;
    assert!(lazy.rest().await < 10 * ROW, "all of it came");
    server.stop().await;
}

/// Nothing to send is no stall: a stream may be quiet for as long as nothing happens.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_is_no_stalled_one() {
    let patience = Duration::from_millis(100);
    let server = TestServer::start_with(|config| config.write_timeout = patience).await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[])]).await;
    api.initialize(flow).await;
    let node = api.compute_node(flow).await;
    let path = format!("/torc-service/v1/workflows/{flow}/events/stream?level=debug");
    let mut listener = Lazy::ask(address(api), &path).await;
    assert_eq!(listener.status(), "200");
    tokio::time::sleep(patience * 5).await;
    let start = format!("PUT /jobs/{}/start_job/0/{node}", jobs[0]);
    api.post(
        &format!("/workflows/{flow}/claim_next_jobs?limit=1"),
        Value::Null,
    )
    .await;
    api.send(&start, &Value::Null).await.ok();
    let mut heard = String::new();
    while !heard.contains("job_started") {
        let mut some = [0; 4096];
        let read = listener.stream.read(&mut some);
        let count = tokio::time::timeout(HANG, read).await.unwrap().unwrap();
        assert!(count > 0, "the stream ended: {heard}");
        heard.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    drop(listener);
    server.stop().await;
}

/// Bytes of large answers that the server holds, as it says.
async fn held(api: &Api) -> usize {
    let page = http::get(format!("{}/metrics", api.root())).await.unwrap();
    let page = page.text().await.unwrap();
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix("torc_answer_bytes "));
    value.unwrap().parse().unwrap()
}

/// The most memory that a process had.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() >> 10
}

/// Eighty clients ask for 12 MiB each and read nothing of it. The server keeps what its room
/// allows, answers others, and has its room back when they are gone.
#[tokio::test(flavor = "multi_thread")]
async fn many_clients_that_read_nothing_do_not_fill_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    let path = large_list(&api, 12).await;
    // As many rows as there may be: whom there is no room for is told before they are read.
    let path = path.replace("limit=12", "limit=100000");
    let asked = (0..80).map(|_| Lazy::ask(address(&api), &path));
    let asked = futures_util::future::join_all(asked);
    let small = async {
        for _ in 0..20 {
            api.get("/ping").await;
            api.workflow().await;
        }
    };
    let (clients, ()) = tokio::join!(asked, small);
    let answered = clients.iter().filter(|one| one.status() == "200").count();
    // So many are made at once, the others have to wait.
    assert!(answered >= 2, "{answered} answers");
    let refused = clients.iter().filter(|one| one.status() == "503").count();
    assert_eq!(answered + refused, 80);
    // Far from all: the room, the lists that are read at one time, what the server has anyway.
    let peak = peak_mib(server.pid());
    assert!(peak < 700, "{peak} MiB");
    assert!(held(&api).await <= 256 << 20);
    drop(clients);
    until_there_is_room(&api, &path).await;
    let start = Instant::now();
    while held(&api).await > 0 {
        assert!(start.elapsed() < HANG, "something is held for nobody");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
