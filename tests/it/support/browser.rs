//! A real headless Chromium, driven through chromedriver by the plain HTTP of WebDriver.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http;
use super::process::{HANG, bare, lines};

/// How WebDriver names an element in its answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; it is closed when dropped.
pub struct Browser {
    http: reqwest::Client,
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one that finds no host but 127.0.0.1, in a window of this size.
    pub async fn start(width: u32, height: u32) -> Self {
        let mut driver = bare("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: scripts/test.sh installs it");
        let said = lines(driver.stdout.take().unwrap());
        let start = Instant::now();
        let port = loop {
            let left = HANG.saturating_sub(start.elapsed());
            let line = said.recv_timeout(left).expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new".to_owned(),
            // Root may not have a sandbox; the pages are ours.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--no-first-run".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let mut browser = Self {
            http: http::client(),
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let session = browser.say("POST", "", wanted).await;
        let id = session["sessionId"].as_str().unwrap();
        browser.session = format!("/{id}");
        // What its own first page asked for is not ours.
        browser.open("about:blank").await;
        browser.asked().await;
        browser
    }

    /// A command of WebDriver; answers its value.
    async fn say(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!(
            "http://127.0.0.1:{}/session{}{path}",
            self.port, self.session
        );
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .timeout(HANG);
        if method == "POST" {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let answer: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {}", answer["value"]);
        answer["value"].clone()
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.say("POST", "/url", json!({"url": url})).await;
    }

    /// What a script answers, which stands in a function of its own.
    pub async fn run(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.say("POST", "/execute/sync", body).await
    }

    /// Waits until a script answers something true, and answers that.
    pub async fn wait(&self, script: &str) -> Value {
        let start = Instant::now();
        loop {
            let value = self.run(script).await;
            let holds = match &value {
                Value::Null => false,
                Value::Bool(holds) => *holds,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                Value::Object(_) => true,
            };
            if holds {
                return value;
            }
            if start.elapsed() > HANG {
                let page = self.run("return document.body.innerText").await;
                panic!("waited in vain for: {script}\n{}", page.as_str().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The first element of a CSS selector, waited for.
    async fn element(&self, selector: &str) -> String {
        self.wait(&format!(
            "return document.querySelectorAll({selector:?}).length"
        ))
        .await;
        let find = json!({"using": "css selector", "value": selector});
        let found = self.say("POST", "/element", find).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks on an element as a mouse does.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.say("POST", &format!("/element/{element}/click"), json!({}))
            .await;
    }

    /// Types into an element. `\u{E007}` is Enter, `\u{E003}` the key before.
    pub async fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        let path = format!("/element/{element}/value");
        self.say("POST", &path, json!({"text": text})).await;
    }

    /// Has pages see a dark or light screen.
    pub async fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        let body = json!({
            "cmd": "Emulation.setEmulatedMedia", "params": {"features": [feature]},
        });
        self.say("POST", "/goog/cdp/execute", body).await;
    }

    /// Gives the window another size, also one that is smaller than a window may be.
    pub async fn resize(&self, width: u32, height: u32) {
        let body = json!({
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false},
        });
        self.say("POST", "/goog/cdp/execute", body).await;
    }

    /// Warnings and errors of the console since it was asked last.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self
            .say("POST", "/se/log", json!({"type": "browser"}))
            .await;
        let lines = log.as_array().unwrap().iter();
        lines
            .filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG")
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The addresses that pages asked for since this was asked last.
    pub async fn asked(&self) -> Vec<String> {
        let log = self
            .say("POST", "/se/log", json!({"type": "performance"}))
            .await;
        let entries = log.as_array().unwrap().iter();
        entries
            .filter_map(|entry| serde_json::from_str(entry["message"].as_str()?).ok())
            .filter(|entry: &Value| entry["message"]["method"] == "Network.requestWillBeSent")
            .map(|entry| {
                let url = &entry["message"]["params"]["request"]["url"];
                url.as_str().unwrap().to_owned()
            })
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes the browser; killed at once, it would leave it behind.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let request = format!(
                "DELETE /session{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                self.session, self.port
            );
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 256]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
