//! A headless browser with the page open, and strokes to draw on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::clients::clients_are_required;
use crate::server::{TestServer, request};

/// Points of the drawing area in percent of its side, from the top left corner.
pub type DrawnStroke = &'static [(f64, f64)];

/// The digits 0 to 9 as people draw them.
pub const DIGIT_STROKES: [&[DrawnStroke]; 10] = [
    &[&[
        (50., 18.),
        (36., 24.),
        (28., 42.),
        (29., 62.),
        (38., 78.),
        (52., 82.),
        (65., 74.),
        (72., 56.),
        (70., 36.),
        (62., 22.),
        (50., 18.),
    ]],
    &[&[(52., 16.), (51., 38.), (50., 60.), (49., 84.)]],
    &[&[
        (30., 32.),
        (36., 20.),
        (52., 16.),
        (66., 24.),
        (66., 40.),
        (54., 56.),
        (38., 70.),
        (28., 82.),
        (46., 81.),
        (74., 80.),
    ]],
    &[&[
        (32., 22.),
        (48., 16.),
        (64., 22.),
        (66., 36.),
        (56., 46.),
        (46., 48.),
        (60., 51.),
        (69., 62.),
        (64., 77.),
        (48., 84.),
        (31., 78.),
    ]],
    &[
        &[(36., 16.), (31., 36.), (28., 54.), (46., 54.), (74., 52.)],
        &[(62., 20.), (61., 46.), (59., 68.), (58., 86.)],
    ],
    &[
        &[
            (36., 18.),
            (34., 34.),
            (32., 46.),
            (46., 43.),
            (62., 48.),
            (68., 62.),
            (60., 77.),
            (44., 83.),
            (29., 77.),
        ],
        &[(36., 18.), (52., 18.), (70., 17.)],
    ],
    &[&[
        (62., 16.),
        (46., 28.),
        (35., 46.),
        (31., 64.),
        (37., 79.),
        (52., 84.),
        (65., 77.),
        (66., 62.),
        (55., 54.),
        (42., 58.),
        (34., 68.),
    ]],
    &[&[(28., 22.), (48., 21.), (70., 19.), (62., 38.), (53., 60.), (46., 84.)]],
    &[&[
        (64., 24.),
        (50., 17.),
        (37., 24.),
        (38., 37.),
        (52., 47.),
        (64., 58.),
        (66., 73.),
        (52., 83.),
        (36., 76.),
        (37., 61.),
        (50., 49.),
        (63., 37.),
        (64., 24.),
    ]],
    &[&[
        (66., 30.),
        (56., 18.),
        (41., 20.),
        (34., 34.),
        (41., 48.),
        (56., 48.),
        (66., 34.),
        (66., 30.),
        (65., 52.),
        (61., 70.),
        (56., 86.),
    ]],
];

/// A browser session, controlled by the WebDriver protocol. Closed when dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
}

impl Browser {
    pub fn open(server: &TestServer) -> Option<Self> {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = spawned else {
            assert!(!clients_are_required(), "chromedriver is not installed");
            eprintln!("skipped: chromedriver is not installed");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver prints its port").unwrap();
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("127.0.0.1:{port}");
        let mut browser = Self { driver, address, session: String::new() };
        // No sandbox: Chromium's sandbox does not run as root, as in many CI containers.
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
        let made = browser.call(
            "POST",
            "/session",
            json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": args }, "goog:loggingPrefs": { "browser": "ALL" },
        } } }),
        );
        browser.session = format!("/session/{}", made["sessionId"].as_str().expect("a session"));
        browser.post("/url", json!({ "url": format!("http://{}/", server.http) }));
        Some(browser)
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let kind = [("Content-Type", "application/json")];
        stream.write_all(&request(method, path, &kind, body.to_string().as_bytes())).unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).unwrap();
        let reply: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(reply["value"].get("error").is_none(), "{method} {path}: {}", reply["value"]);
        reply["value"].clone()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns true.
    pub fn until(&self, script: &str) {
        let start = Instant::now();
        while self.run(script) != true {
            assert!(start.elapsed() < Duration::from_secs(60), "never: {script}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text of the answer, once the page shows that to its last request.
    pub fn answer(&self) -> String {
        self.until("return document.body.dataset.answered == latestRequest");
        self.run("return document.getElementById('message').textContent")
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn clear(&self) {
        self.run("document.getElementById('clear').click()");
    }

    /// Draws with a mouse, a pen or a finger.
    pub fn draw(&self, strokes: &[impl AsRef<[(f64, f64)]>], with: &str) {
        let sheet = self.run(
            "const s = document.getElementById('sheet'); s.scrollIntoView({ block: 'center' }); \
             const b = s.getBoundingClientRect(); return [b.left, b.top, b.width]",
        );
        let [left, top, width] = [0, 1, 2].map(|index: usize| sheet[index].as_f64().unwrap());
        let place = |&(x, y): &(f64, f64), milliseconds: u32| {
            let at = |start: f64, share: f64| (start + share / 100. * width).round() as i64;
            json!({ "type": "pointerMove", "duration": milliseconds,
                    "x": at(left, x), "y": at(top, y) })
        };
        for stroke in strokes {
            let stroke = stroke.as_ref();
            let mut actions =
                vec![place(&stroke[0], 0), json!({ "type": "pointerDown", "button": 0 })];
            actions.extend(stroke[1..].iter().map(|point| place(point, 20)));
            actions.push(json!({ "type": "pointerUp", "button": 0 }));
            self.post(
                "/actions",
                json!({ "actions": [{
                "type": "pointer", "id": with, "parameters": { "pointerType": with },
                "actions": actions,
            }] }),
            );
        }
    }

    pub fn keys(&self, keys: &[&str]) {
        let pressed = |key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        self.key_actions(keys.iter().flat_map(pressed).collect());
    }

    /// Presses Ctrl-Z.
    pub fn control_z(&self) {
        let [control, z] = ["\u{E009}", "z"];
        let actions = [("keyDown", control), ("keyDown", z), ("keyUp", z), ("keyUp", control)];
        let action = |(kind, key)| json!({ "type": kind, "value": key });
        self.key_actions(actions.map(action).to_vec());
    }

    fn key_actions(&self, actions: Vec<Value>) {
        self.post(
            "/actions",
            json!({ "actions": [{
            "type": "key", "id": "keys", "actions": actions,
        }] }),
        );
    }

    pub fn resize(&self, width: u32, height: u32, scheme: &str) {
        self.post("/goog/cdp/execute", json!({ "cmd": "Emulation.setDeviceMetricsOverride",
            "params": { "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false } }));
        self.post(
            "/goog/cdp/execute",
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{ "name": "prefers-color-scheme", "value": scheme }] } }),
        );
    }

    pub fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("BURN_DIGITS_SCREENSHOTS") else { return };
        let taken = self.call("GET", &format!("{}/screenshot", self.session), json!({}));
        let bytes = STANDARD.decode(taken.as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }

    /// The console of the browser: script errors, requests blocked by the policy.
    pub fn console_errors(&self) -> Value {
        self.post("/se/log", json!({ "type": "browser" }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &self.session, json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
