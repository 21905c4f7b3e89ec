//! TLS over both addresses: who can connect, with which version and certificate.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use predicates::prelude::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::Value;

use crate::common::{burn_digits, root};
use crate::grpc::proto::inference::ServerMetadataRequest;
use crate::grpc::with_client_over;
use crate::server::{HttpResponse, SEVEN, TestServer, connect, file, request, send};

/// A file that `tests/fixtures/tls.py` has written.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/tls").join(name)
}

/// The flags of a server with a certificate, and more flags.
pub fn tls_flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let certificate = ["--tls-certificate", "tests/fixtures/tls/server.pem"];
    let key = ["--tls-key", "tests/fixtures/tls/server.key"];
    [&["--model", "shipped"], &certificate[..], &key, more].concat()
}

/// What a client of TLS accepts and presents.
pub struct TlsClient {
    /// The name of its certificate, if it has one.
    identity: Option<&'static str>,
    versions: &'static [&'static SupportedProtocolVersion],
    protocols: &'static [&'static str],
}

impl Default for TlsClient {
    fn default() -> Self {
        Self { identity: None, versions: rustls::ALL_VERSIONS, protocols: &[] }
    }
}

type TlsConnection = StreamOwned<ClientConnection, TcpStream>;

impl TlsClient {
    fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let authority = fixture("authority.pem");
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.identity {
            Some(name) => {
                let chain = CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(fixture(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols =
            self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A connection whose handshake is done. With TLS 1.3, the client learns only later whether the
    /// server accepts its certificate.
    fn connect(&self, address: SocketAddr) -> io::Result<TlsConnection> {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(self.config(), name).unwrap();
        let mut stream = StreamOwned::new(session, connect(address));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    pub fn send(&self, address: SocketAddr, bytes: &[u8]) -> io::Result<HttpResponse> {
        let mut stream = self.connect(address)?;
        stream.write_all(bytes)?;
        let mut received = Vec::new();
        // An end without close_notify would be an error here.
        stream.read_to_end(&mut received)?;
        Ok(HttpResponse::parse(&received))
    }
}

/// The certificate that a server presents.
fn certificate(address: SocketAddr) -> CertificateDer<'static> {
    let stream = TlsClient::default().connect(address).unwrap();
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

#[test]
fn a_picture_is_recognised_over_tls_1_2_and_1_3() {
    let server = TestServer::with(&tls_flags(&[]));
    let picture = request("POST", "/predict", &[], &file(SEVEN));
    for version in rustls::ALL_VERSIONS {
        let client = TlsClient { versions: std::slice::from_ref(version), ..TlsClient::default() };
        let response = client.send(server.http, &picture).unwrap();
        assert_eq!(response.ok()["digit"], 7, "{version:?}");
    }
    // More than a record, and more than the socket holds, in both directions.
    let description =
        TlsClient::default().send(server.http, &request("GET", "/openapi.json", &[], b"")).unwrap();
    assert_eq!(description.ok()["info"]["title"], "burn-digits");
    let error = TlsClient::default()
        .send(server.http, &request("POST", "/predict", &[], &vec![b'x'; 5 << 20]))
        .unwrap();
    error.error(415);
}

#[test]
fn a_call_of_grpc_is_answered_over_tls() {
    let server = TestServer::with(&tls_flags(&[]));
    let config = TlsClient { protocols: &["h2"], ..TlsClient::default() }.config();
    let encrypt = async |stream| {
        let name = ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap()
    };
    let answer = with_client_over(&server, encrypt, async |mut client| {
        client.server_metadata(ServerMetadataRequest {}).await
    });
    assert_eq!(answer.unwrap().into_inner().name, "burn-digits");
}

#[test]
fn both_addresses_offer_http_2_and_refuse_clients_without_a_common_protocol() {
    let server = TestServer::with(&tls_flags(&[]));
    for address in [server.http, server.grpc] {
        for protocol in ["h2", "http/1.1"] {
            let protocols: &'static [&'static str] =
                if protocol == "h2" { &["h2", "http/1.1"] } else { &["http/1.1"] };
            let client = TlsClient { protocols, ..TlsClient::default() };
            let stream = client.connect(address).unwrap();
            assert_eq!(stream.conn.alpn_protocol(), Some(protocol.as_bytes()));
        }
        let client = TlsClient { protocols: &["spdy/3"], ..TlsClient::default() };
        let error = client.connect(address).unwrap_err().to_string();
        assert!(error.contains("NoApplicationProtocol"), "{error}");
    }
}

#[test]
fn http_on_a_port_with_tls_gets_the_reason() {
    let server = TestServer::with(&tls_flags(&[]));
    let response = send(server.http, &request("GET", "/", &[], b""));
    assert!(response.error(400).contains("https://"));
}

#[test]
fn only_clients_with_a_valid_certificate_of_the_authority_can_connect() {
    let server =
        TestServer::with(&tls_flags(&["--tls-client-ca", "tests/fixtures/tls/authority.pem"]));
    let live = request("GET", "/v2/health/live", &[], b"");
    for address in [server.http, server.grpc] {
        for version in rustls::ALL_VERSIONS {
            for identity in [None, Some("expired"), Some("stranger"), Some("server")] {
                let versions = std::slice::from_ref(version);
                let client = TlsClient { identity, versions, ..TlsClient::default() };
                let outcome = client.send(address, &live);
                assert!(outcome.is_err(), "{identity:?} {version:?}: {outcome:?}");
            }
        }
    }
    let client = TlsClient { identity: Some("client"), ..TlsClient::default() };
    assert_eq!(client.send(server.http, &live).unwrap().status, 200);
    let metrics =
        client.send(server.http, &request("GET", "/metrics", &[], b"")).unwrap().text().to_owned();
    // Two addresses, two versions, four clients.
    let line = "burn_digits_tls_handshakes_failed_total 16";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}

#[test]
fn sighup_replaces_the_certificate_and_keeps_it_if_the_new_one_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate_file, key_file] =
        ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    let install = |name: &str| {
        std::fs::copy(fixture(&format!("{name}.pem")), &certificate_file).unwrap();
        std::fs::copy(fixture(&format!("{name}.key")), &key_file).unwrap();
    };
    install("server");
    let [certificate_path, key_path] =
        [&certificate_file, &key_file].map(|path| path.to_str().unwrap());
    let server = TestServer::with(&[
        "--model",
        "shipped",
        "--tls-certificate",
        certificate_path,
        "--tls-key",
        key_path,
    ]);
    let [first, renewed] = ["server.pem", "renewed.pem"]
        .map(|name| CertificateDer::from_pem_file(fixture(name)).unwrap());
    assert_eq!(certificate(server.http), first);
    let mut open = TlsClient::default().connect(server.http).unwrap();

    install("renewed");
    server.signal("HUP");
    server.wait_for_log(|line| line["what"] == "certificate" && line["message"] == "reloaded");
    assert_eq!(certificate(server.http), renewed);
    assert_eq!(certificate(server.grpc), renewed);
    // A connection that was open goes on.
    open.write_all(&request("GET", "/v2/health/live", &[], b"")).unwrap();
    let mut received = Vec::new();
    open.read_to_end(&mut received).unwrap();
    assert_eq!(HttpResponse::parse(&received).status, 200);

    std::fs::copy(fixture("server.pem"), &certificate_file).unwrap();
    server.signal("HUP");
    let failed = server.wait_for_log(|line| line["level"] == "ERROR");
    assert!(failed["error"].as_str().unwrap().contains("key is not the one"), "{failed}");
    assert_eq!(certificate(server.http), renewed);
}

#[test]
fn a_certificate_that_has_expired_is_served_with_a_warning_and_its_date_is_a_metric() {
    let server = TestServer::with(&[
        "--model",
        "shipped",
        "--tls-certificate",
        "tests/fixtures/tls/expired.pem",
        "--tls-key",
        "tests/fixtures/tls/expired.key",
    ]);
    let warning = server.wait_for_log(|line| line["level"] == "WARN");
    let message = warning["message"].as_str().unwrap();
    // As tests/fixtures/tls.py has made it.
    assert!(message.starts_with("EXPIRED: ") && message.contains("2020-02-01"), "{message}");
    let error = TlsClient::default().connect(server.http).unwrap_err().to_string();
    assert!(error.to_lowercase().contains("expired"), "{error}");

    let server = TestServer::with(&tls_flags(&[]));
    let metrics =
        TlsClient::default().send(server.http, &request("GET", "/metrics", &[], b"")).unwrap();
    // 1 January 2125.
    let line = "burn_digits_certificate_expiry_timestamp_seconds 4891363200";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
}

#[test]
fn files_that_cannot_be_used_are_errors_that_name_file_and_flag() {
    let server = fixture("server.pem");
    let paths = ["server.key", "client.key", "missing.pem"].map(fixture);
    let [key, other_key, missing] = paths.each_ref().map(|path| path.to_str().unwrap());
    let server = server.to_str().unwrap();
    for (certificate, key, authority, flag, problem) in [
        (missing, key, server, "--tls-certificate", "No such file"),
        (key, key, server, "--tls-certificate", "contains no certificate"),
        (server, server, server, "--tls-key", "contains no private key"),
        (server, other_key, server, "--tls-certificate", "its key is not the one in"),
        (server, key, key, "--tls-client-ca", "contains no certificate"),
    ] {
        burn_digits()
            .args(["serve", "--model", "shipped", "--http", "0", "--grpc", "0"])
            .args(["--tls-certificate", certificate, "--tls-key", key])
            .args(["--tls-client-ca", authority])
            .assert()
            .code(1)
            .stderr(predicate::str::contains(flag).and(predicate::str::contains(problem)));
    }
    burn_digits()
        .args(["serve", "--tls-certificate", server])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--tls-key"));
}

#[test]
fn the_listening_line_has_a_link_with_https() {
    let server = TestServer::with(&tls_flags(&[]));
    let log = server.log();
    let listening: &Value = log.iter().find(|line| line["message"] == "listening").unwrap();
    assert_eq!(listening["page"], format!("https://{}/", server.http));
}
