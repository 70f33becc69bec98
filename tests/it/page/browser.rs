//! A headless Chromium, driven over its own protocol.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::support::{Process, program};

/// What a page is waited for at most; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// One page in a browser of its own; killed at the end.
pub(super) struct Browser {
    _process: Process,
    _profile: TempDir,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    number: u64,
    /// What the page's console and its network said that was wrong.
    complaints: Vec<Complaint>,
}

/// Something that a person would see in red in the browser's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// `network` for answers that were no success, else whatever said it.
    pub(super) source: String,
    pub(super) text: String,
}

impl Browser {
    /// `None`, and a line that says so, where no Chromium is installed.
    pub(super) async fn start() -> Option<Self> {
        let Some(program) = program(&PROGRAMS) else {
            println!("SKIPPED: chromium is not installed (apt-get install chromium)");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        // The sandbox wants rights that root in a container has not; the pages are our own.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--remote-debugging-port=0", "--no-first-run", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut lines = BufReader::new(process.stderr()).lines();
        let url = loop {
            let line = lines.next().expect("the browser ended before it listened").unwrap();
            if let Some(url) = line.strip_prefix("DevTools listening on ") {
                break url.trim().to_owned();
            }
        };
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let session = String::new();
        let mut browser =
            Self { _process: process, _profile: profile, socket, session, number: 0, complaints: Vec::new() };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser.resize(1440, 900).await;
        Some(browser)
    }

    /// The size of the page, in CSS pixels.
    pub(super) async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Where files go that the page has for downloading.
    pub(super) async fn download_to(&mut self, folder: &Path) {
        let place = json!({ "behavior": "allow", "downloadPath": folder });
        self.call("Browser.setDownloadBehavior", place).await;
    }

    /// Goes to an address as if it had been typed.
    pub(super) async fn open(&mut self, url: &str) {
        // A page of which only the fragment changes is not loaded again; a person's new window is.
        self.call("Page.navigate", json!({ "url": "about:blank" })).await;
        self.call("Page.navigate", json!({ "url": url })).await;
    }

    /// What an expression is, awaited if it is a promise.
    pub(super) async fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// What an expression is, as text.
    pub(super) async fn text(&mut self, expression: &str) -> String {
        self.eval(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub(super) async fn wait(&mut self, expression: &str) {
        self.wait_long(expression, PATIENCE).await;
    }

    /// The same for what may take longer.
    pub(super) async fn wait_long(&mut self, expression: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            // While a page is being left, nothing can be asked of it.
            let asked = json!({ "expression": format!("Boolean({expression})"), "returnByValue": true });
            if self.call("Runtime.evaluate", asked).await["result"]["value"] == true {
                return;
            }
            if Instant::now() > deadline {
                let shown = self.eval("document.body.innerText.slice(0, 2000)").await;
                panic!("still not: {expression}\nthe page: {shown}\ncomplaints: {:?}", self.complaints);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Where an element's middle is, after it was scrolled into sight.
    pub(super) async fn middle(&mut self, selector: &str) -> (f64, f64) {
        let quoted = json!(selector);
        self.wait(&format!("document.querySelector({quoted})")).await;
        let script = format!(
            "(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{block: 'center', behavior: 'instant'}});
               const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        );
        let place = self.eval(&script).await;
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    }

    /// Clicks the middle of an element.
    pub(super) async fn click(&mut self, selector: &str) {
        let (x, y) = self.middle(selector).await;
        self.mouse("mouseMoved", x, y).await;
        self.mouse("mousePressed", x, y).await;
        self.mouse("mouseReleased", x, y).await;
    }

    /// Drags from one place to another in a few steps.
    pub(super) async fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mouseMoved", from.0, from.1).await;
        self.mouse("mousePressed", from.0, from.1).await;
        for step in 1..=8_u8 {
            let part = f64::from(step) / 8.0;
            self.mouse("mouseMoved", from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part).await;
        }
        self.mouse("mouseReleased", to.0, to.1).await;
    }

    async fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let pressed = u8::from(kind != "mouseMoved");
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": pressed });
        self.call("Input.dispatchMouseEvent", event).await;
    }

    /// Types over what a field holds.
    pub(super) async fn type_into(&mut self, selector: &str, text: &str) {
        self.click(selector).await;
        self.eval(&format!("document.querySelector({}).select()", json!(selector))).await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key that has a name, such as `Enter`.
    pub(super) async fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Delete" => 46,
            "ArrowDown" => 40,
            "ArrowRight" => 39,
            _ => 0,
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Chooses an option as a person does.
    pub(super) async fn choose(&mut self, selector: &str, value: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({}); e.value = {}; e.dispatchEvent(new Event('change', {{bubbles: true}})); }})()",
            json!(selector),
            json!(value)
        );
        self.eval(&script).await;
    }

    /// What was wrong so far.
    pub(super) fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let number = self.number;
        let mut message = json!({ "id": number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let received = received.unwrap_or_else(|_| panic!("{method} is not answered")).unwrap().unwrap();
            let Message::Text(text) = received else { continue };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == number {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let said = &event["params"];
        let (source, text) = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => ("exception", said["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if said["type"] == "error" || said["type"] == "warning" => {
                ("console", said["args"].to_string())
            }
            Some("Log.entryAdded") if said["entry"]["level"] == "error" => (
                said["entry"]["source"].as_str().unwrap_or("log"),
                format!("{} {}", said["entry"]["text"], said["entry"]["url"]),
            ),
            _ => return,
        };
        self.complaints.push(Complaint { source: source.to_owned(), text });
    }
}
