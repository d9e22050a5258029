//! Hostile input in every position that the contract has: each parameter and each field of
//! each body of all operations. A refusal is clear, leaves no trace and tells nothing of
//! the inside; nothing fails on the server's side.

use serde_json::{Map, Value, json};

use crate::support::api::Answer;
use crate::support::server::TestServer;

/// What may stand for a parameter, encoded for a URL.
const IN_URLS: [&str; 14] = [
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "-1",
    "0",
    "1.5",
    "1e3",
    "%20",
    "%00",
    "%ED%A0%80",
    "%FF%FE",
    "1%27%20OR%20%271%27=%271",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "..%2F..%2Fetc%2Fpasswd",
];

/// What may stand for a field, as JSON text.
const IN_BODIES: [&str; 20] = [
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "-0.5",
    "true",
    "null",
    "[]",
    "{}",
    "[[1]]",
    r#"{"a": {"b": null}}"#,
    r#""""#,
    r#""' OR '1'='1'; DROP TABLE workflow; --""#,
    r#""<script>alert(1)</script>""#,
    r#""\u0000a\u0000""#,
    r#""\ud800""#,
    r#""\ud83d\ude00 \u202e""#,
    r#"["\udfff", 1]"#,
    "NaN",
    "'single'",
];

struct Operation {
    method: String,
    path: String,
    name: String,
    parameters: Vec<Value>,
    body: Option<Value>,
}

fn contract() -> Value {
    serde_json::from_str(include_str!("../../docs/contract.json")).unwrap()
}

fn operations(contract: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let body = operation["requestBody"]["content"]["application/json"].get("schema");
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                name: operation["operationId"].as_str().unwrap().to_owned(),
                parameters,
                body: body.cloned(),
            });
        }
    }
    // What removes rows comes last.
    all.sort_by_key(|operation| operation.method == "DELETE");
    all
}

fn resolved<'a>(contract: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => contract.pointer(&target[1..]).unwrap(),
        None => schema,
    }
}

/// A value that fits a schema, about the rows with the id 1.
fn fitting(contract: &Value, schema: &Value) -> Value {
    let schema = resolved(contract, schema);
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match kind {
        "integer" => json!(1),
        "number" => json!(1.0),
        "boolean" => json!(false),
        "array" => json!([fitting(contract, &schema["items"])]),
        "object" => {
            let mut fields = Map::new();
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                let field = fitting(contract, &schema["properties"][name]);
                fields.insert(name.to_owned(), field);
            }
            Value::Object(fields)
        }
        "string" => json!("x"),
        _ => json!({"a": 1}),
    }
}

impl Operation {
    /// The request line, with `value` for the parameter `at`.
    fn request(&self, at: Option<usize>, value: &str) -> String {
        let mut path = self.path.clone();
        let mut query = Vec::new();
        for (n, parameter) in self.parameters.iter().enumerate() {
            let name = parameter["name"].as_str().unwrap();
            let given = if at == Some(n) {
                value
            } else if name == "status" {
                "completed"
            } else {
                "1"
            };
            if parameter["in"] == "path" {
                path = path.replace(&format!("{{{name}}}"), given);
            } else if at == Some(n) || parameter["required"] == true {
                query.push(format!("{name}={given}"));
            }
        }
        format!("{} {path}?{}", self.method, query.join("&"))
    }
}

/// A server with a row of each noun, all with the id 1, and a second opinion on its file.
async fn server(contract: &Value) -> TestServer {
    let server = TestServer::start().await;
    let api = &server.api;
    api.workflow().await;
    api.compute_node(1).await;
    api.jobs(1, &[("a", &[])]).await;
    for operation in operations(contract) {
        let single = operation.name.starts_with("create_") && operation.name != "create_result";
        if let (true, Some(schema)) = (single, &operation.body) {
            let mut body = fitting(contract, schema);
            if operation.name == "create_workflow_action" {
                body["action_config"] = json!({});
            }
            api.send(&operation.request(None, ""), &body).await;
        }
    }
    api.post(
        "/results",
        crate::support::api::result(1, 1, 1, "completed", 0),
    )
    .await;
    server
}

/// What is wrong with an answer; `changed` says whether the file did.
fn wrong(answer: &Answer, changed: bool) -> Option<&'static str> {
    let said = answer.body.to_string();
    let inside = [
        "sqlite", "rusqlite", "panicked", ".rs:", "SELECT ", "INSERT ", "/tmp",
    ];
    match answer.status {
        500.. => Some("failed"),
        400.. if changed => Some("left a trace"),
        400.. if inside.iter().any(|word| said.contains(word)) => Some("tells of the inside"),
        400 | 415 | 422 if said.len() < 10 => Some("says nothing"),
        _ => None,
    }
}

/// Sends requests and gathers what is wrong with their answers.
struct Tried {
    server: TestServer,
    watch: rusqlite::Connection,
    version: i64,
    wrong: Vec<String>,
    requests: usize,
}

impl Tried {
    async fn new(contract: &Value) -> Self {
        let server = server(contract).await;
        let watch = server.sql();
        let version = version(&watch);
        Self {
            server,
            watch,
            version,
            wrong: Vec::new(),
            requests: 0,
        }
    }

    async fn send(&mut self, operation: &Operation, request: &str, body: Option<String>) -> u16 {
        let headers = [("content-type", "application/json")];
        let shown = body
            .as_ref()
            .map(|body| body.chars().take(200).collect::<String>());
        let answer = self.server.api.send_raw(request, body, &headers).await;
        let now = version(&self.watch);
        // What an administrator's statement was to do is logged, also when it failed.
        let changed = now != self.version && operation.name != "admin_sql";
        self.version = now;
        self.requests += 1;
        if let Some(what) = wrong(&answer, changed) {
            let said = answer.body.to_string();
            let said: String = said.chars().take(300).collect();
            let status = answer.status;
            self.wrong
                .push(format!("{what}: {request} {shown:?}: {status} {said}"));
        }
        answer.status
    }

    async fn end(self, least: usize) {
        let count = self.wrong.len();
        assert!(count == 0, "{count}:\n{}", self.wrong.join("\n"));
        assert!(self.requests > least, "{} requests", self.requests);
        self.server.stop().await;
    }
}

/// Changes whenever somebody else changes the file.
fn version(conn: &rusqlite::Connection) -> i64 {
    conn.query_row("PRAGMA data_version", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn parameters() {
    let contract = contract();
    let mut tried = Tried::new(&contract).await;
    for operation in operations(&contract) {
        let body = operation
            .body
            .as_ref()
            .map(|schema| fitting(&contract, schema).to_string());
        for at in 0..operation.parameters.len() {
            for value in IN_URLS {
                let request = operation.request(Some(at), value);
                tried.send(&operation, &request, body.clone()).await;
            }
            // Longer than a pattern of SQLite may be.
            let request = operation.request(Some(at), &"a%25".repeat(15_000));
            tried.send(&operation, &request, body.clone()).await;
        }
    }
    tried.end(3_000).await;
}

#[tokio::test]
async fn bodies() {
    let contract = contract();
    let mut tried = Tried::new(&contract).await;
    for operation in operations(&contract) {
        let Some(schema) = &operation.body else {
            continue;
        };
        let request = operation.request(None, "");
        let valid = fitting(&contract, schema);
        let fields = resolved(&contract, schema)["properties"]
            .as_object()
            .cloned();
        for name in fields.unwrap_or_default().keys() {
            for value in IN_BODIES {
                let mut body = valid.clone();
                body[name] = json!("@");
                let text = body.to_string().replace("\"@\"", value);
                tried.send(&operation, &request, Some(text)).await;
            }
        }
        if let Some(name) = valid
            .as_object()
            .and_then(|fields| fields.keys().next().cloned())
        {
            let mut long = valid.clone();
            long[&name] = json!("x".repeat(1 << 20));
            tried
                .send(&operation, &request, Some(long.to_string()))
                .await;
            let twice = format!("{{\"{name}\": 1, {}", &valid.to_string()[1..]);
            let status = tried.send(&operation, &request, Some(twice)).await;
            let free = ["update_event", "update_workflow_action"];
            assert!((400..500).contains(&status) || free.contains(&operation.name.as_str()));
        }
    }
    tried.end(2_500).await;
}

#[tokio::test]
async fn what_is_no_json() {
    let contract = contract();
    let mut tried = Tried::new(&contract).await;
    for operation in operations(&contract) {
        let Some(schema) = &operation.body else {
            continue;
        };
        let request = operation.request(None, "");
        let valid = fitting(&contract, schema).to_string();
        for (body, status) in [
            (valid[..valid.len() - 1].to_owned(), 400),
            (format!("{valid}}}"), 400),
            ("[".repeat(100_000), 400),
            ("{\"a\":".repeat(100_000), 400),
            (String::new(), 400),
            ("\u{feff}".to_owned() + &valid, 400),
        ] {
            let got = tried.send(&operation, &request, Some(body.clone())).await;
            // A field that is unknown may be refused before the end is seen.
            let fine = got == status || got == 422;
            assert!(fine, "{request}: {got}: {}", &body[..body.len().min(40)]);
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jso",
        ] {
            let headers = [("content-type", kind)];
            let api = &tried.server.api;
            let answer = api.send_raw(&request, Some(valid.clone()), &headers).await;
            assert_eq!(answer.status, 415, "{request} {kind}: {answer:?}");
        }
    }
    tried.end(200).await;
}

/// A body that ends in the middle, declared whole or in chunks: nothing of it is taken.
#[tokio::test]
async fn bodies_that_are_cut_off() {
    let contract = contract();
    let mut tried = Tried::new(&contract).await;
    let address = tried
        .server
        .api
        .root()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    for operation in operations(&contract) {
        let Some(schema) = &operation.body else {
            continue;
        };
        let request = operation.request(None, "");
        let (method, path) = request.split_once(' ').unwrap();
        let body = fitting(&contract, schema).to_string();
        let half = &body[..body.len() / 2];
        for (how, sent) in [
            (format!("content-length: {}", body.len()), half.to_owned()),
            (
                "transfer-encoding: chunked".to_owned(),
                format!("{:x}\r\n{half}\r\n", half.len()),
            ),
        ] {
            let text = format!(
                "{method} /torc-service/v1{path} HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\n{how}\r\n\r\n{sent}"
            );
            let answer = cut_off(&address, &text).await;
            let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
            assert!(refused, "{request} {how}: {answer}");
            let now = version(&tried.watch);
            assert_eq!(now, tried.version, "{request} {how} left a trace");
            tried.requests += 1;
        }
    }
    tried.end(80).await;
}

/// Sends this and no more; answers what came back.
async fn cut_off(address: &str, text: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
