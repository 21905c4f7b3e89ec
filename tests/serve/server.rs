//! The program as a server, and a minimal HTTP client that can also send malformed requests.

use std::io::{BufRead, BufReader, ErrorKind, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn_digits::picture;
use burn_digits::saved::SavedModel;
use serde_json::Value;

use crate::common::{burn_digits, json_lines, root};

/// A picture of a seven.
pub const SEVEN: &str = "image.png";
/// A picture of a three.
pub const THREE: &str = "artifacts/samples/3-red-pen.png";
/// The file of the shipped model.
pub const SHIPPED_MODEL: &str = "artifacts/model/digits.safetensors";
/// Inference of the Open Inference Protocol.
pub const INFER_PATH: &str = "/v2/models/digits/infer";

/// `burn-digits serve` in its own process, on free ports. Killed when dropped.
pub struct TestServer {
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(&["--model", "shipped"])
    }

    pub fn with(args: &[&str]) -> Self {
        Self::in_folder(&root(), args)
    }

    /// A server whose working directory is `folder`.
    pub fn in_folder(folder: &Path, args: &[&str]) -> Self {
        Self::read_log(Self::spawn(folder, args, &[]))
    }

    /// A server with environment variables.
    pub fn with_environment(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::read_log(Self::spawn(&root(), args, variables))
    }

    fn read_log((server, lines): (Self, Lines<BufReader<ChildStderr>>)) -> Self {
        let log = server.log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                log.lock().unwrap().push(serde_json::from_str(&line).expect(&line));
            }
        });
        server
    }

    /// A server whose standard error is closed once it listens.
    pub fn with_closed_log(args: &[&str]) -> Self {
        Self::spawn(&root(), args, &[]).0
    }

    /// A server whose standard error is a pipe that is open and never read.
    pub fn with_unread_log(args: &[&str]) -> (Self, impl Sized + use<>) {
        Self::spawn(&root(), args, &[])
    }

    fn spawn(
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> (Self, Lines<BufReader<ChildStderr>>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_burn-digits"))
            .args(["serve", "--json"])
            .args(["--http", "--grpc"].iter().filter(|flag| !args.contains(flag)).flat_map(
                // Free ports, unless the test names others.
                |flag| [*flag, "127.0.0.1:0"],
            ))
            .args(args)
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let listening = loop {
            let line = lines.next().expect("the server logs that it listens").unwrap();
            // Graphics drivers print lines of their own while backends are probed.
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            log.lock().unwrap().push(line.clone());
            if line["message"] == "listening" {
                break line;
            }
        };
        let address = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (http, grpc) = (address("http"), address("grpc"));
        (Self { http, grpc, child, log }, lines)
    }

    /// Memory that the process occupies, in KiB.
    #[cfg(target_os = "linux")]
    pub fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// All lines logged so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line is logged.
    pub fn wait_for_log(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            if let Some(line) = self.log().into_iter().find(|line| is_wanted(line)) {
                return line;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the line is not in the log: {:#?}", self.log());
    }

    /// Sends a signal to the process, for example `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the process exits, and returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.http)
    }

    /// Sends bytes as they are and reads the response.
    pub fn send(&self, bytes: &[u8]) -> HttpResponse {
        send(self.http, bytes)
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> HttpResponse {
        self.send(&request(method, path, headers, body))
    }

    pub fn get(&self, path: &str) -> HttpResponse {
        self.request("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> HttpResponse {
        self.request("POST", path, &[], body.as_ref())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection whose reads fail after a minute: no response takes that long, and a test that fails
/// says more than one that hangs.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Sends bytes as they are and reads the response.
pub fn send(address: SocketAddr, bytes: &[u8]) -> HttpResponse {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    HttpResponse::read(stream)
}

/// Everything the server sends until it closes the connection.
///
/// # Panics
/// If it is still open after a minute.
pub fn read_until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => received,
        // Closed while the server had not read everything.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => received,
        Err(error) => panic!("the connection is still open: {error}"),
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    bytes += "\r\n";
    [bytes.as_bytes(), body].concat()
}

#[derive(Debug)]
pub struct HttpResponse {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// Reads until the server closes the connection.
    pub fn read(mut stream: TcpStream) -> Self {
        Self::parse(&read_until_closed(&mut stream))
    }

    /// The response in what a server has sent.
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The JSON of a response with status 200.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The error message of a response with another status.
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["error"].as_str().expect("an error message").to_owned()
    }
}

/// The output of `infer --json` for a picture of the project.
pub fn infer(path: &str) -> Value {
    let out = burn_digits().args(["infer", "--model", "shipped", "--json", path]).output().unwrap();
    json_lines(&out.stdout).remove(0)
}

/// The 784 pixels that the network gets for a picture of the project.
pub fn pixels(path: &str) -> Vec<f32> {
    picture::read(&root().join(path)).unwrap().as_slice().to_vec()
}

/// The bytes of a file of the project.
pub fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

/// A JSON array as the single-precision numbers that it was written from.
pub fn floats(array: &Value) -> Vec<f32> {
    array.as_array().unwrap().iter().map(|number| number.to_string().parse().unwrap()).collect()
}

/// Checks that softmax(logits / T), in double precision and with the temperature T of the shipped
/// model, are the probabilities that `infer` prints for a picture.
pub fn assert_logits_of(path: &str, logits: &[f32]) {
    let saved = SavedModel::load(&root().join(SHIPPED_MODEL)).unwrap();
    let temperature = f64::from(saved.metadata.temperature);
    let powers: Vec<f64> = logits.iter().map(|&z| (f64::from(z) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let expected = floats(&infer(path)["probabilities"]);
    assert_eq!(powers.len(), expected.len());
    for (power, expected) in powers.iter().zip(expected) {
        assert!((power / sum - f64::from(expected)).abs() < 1e-6, "{logits:?}");
    }
}
