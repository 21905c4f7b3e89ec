//! The program as a server, and a client of a few lines that can also do what clients should not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn_digits::picture;
use serde_json::Value;

use crate::common::{burn_digits, json_lines, root};

/// A server of its own for each test, on free ports. It ends with the value.
pub struct Server {
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&["--model", "shipped"])
    }

    pub fn with(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_burn-digits"))
            .args(["serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--json"])
            .args(args)
            .current_dir(root())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let listening = loop {
            let line = lines.next().expect("the server says that it listens").unwrap();
            // Graphics drivers have words of their own for whoever looks for a GPU.
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            log.lock().unwrap().push(line.clone());
            if line["message"] == "listening" {
                break line;
            }
        };
        let of = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (http, grpc) = (of("http"), of("grpc"));
        let rest = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                rest.lock().unwrap().push(serde_json::from_str(&line).expect(&line));
            }
        });
        Self { http, grpc, child, log }
    }

    /// Every line logged so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Sends the process a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the process to end by itself: its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.http).unwrap();
        // Nothing here takes so long; a test that hangs says less than one that fails.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What the server answers to these very bytes.
    pub fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        Reply::read(stream)
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.raw(&request(method, path, headers, body))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.request("POST", path, &[], body.as_ref())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request's bytes.
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
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads until the server closes.
    pub fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A reset after the answer takes nothing from it.
        let _ = stream.read_to_end(&mut bytes);
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

    /// The JSON of an answer.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The reason of a refusal.
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["error"].as_str().expect("a reason").to_owned()
    }
}

/// What `infer --json` says of a picture in the project.
pub fn infer(path: &str) -> Value {
    let out = burn_digits().args(["infer", "--model", "shipped", "--json", path]).output().unwrap();
    json_lines(&out.stdout).remove(0)
}

/// The 784 values that the network sees of a picture in the project.
pub fn pixels(path: &str) -> Vec<f32> {
    picture::read(&root().join(path)).unwrap().as_slice().to_vec()
}

/// A picture file in the project.
pub fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

/// An array of JSON as the single-precision numbers that it was written from.
pub fn floats(array: &Value) -> Vec<f32> {
    array.as_array().unwrap().iter().map(|number| number.to_string().parse().unwrap()).collect()
}
