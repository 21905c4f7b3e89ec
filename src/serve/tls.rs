//! TLS: the certificate, which can be read again while the server runs, and the stream of a
//! connection with or without encryption.
//!
//! rustls accepts TLS 1.2 and 1.3 only, and no weak ciphers. Its cryptography is aws-lc, which Burn's
//! downloader brings into every build.

use std::io::{self, IoSlice};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::Connection;
use super::options::{OptionFileError, TlsFiles};
use super::peer_stream::PeerStream;
use crate::files::read_regular;

/// The largest file with certificates: the authorities of a whole operating system take 250 KB.
const MAX_PEM_BYTES: u64 = 1 << 20;
/// Bytes of responses that rustls encrypts ahead of a client that does not read them: one record.
/// Its own limit is four times as much.
const TLS_SEND_BUFFER: usize = 16 << 10;
/// How long before the end of a certificate there is a warning.
const EXPIRY_WARNING: Duration = Duration::from_secs(7 * 24 * 3600);
/// The protocols offered to clients (ALPN). Both are served on both ports.
const APPLICATION_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What a client gets that speaks HTTP to a port with TLS. Without TLS it can't read anything else.
const PLAIN_HTTP_BODY: &str =
    "{\"error\":\"this port speaks TLS; use https:// instead of http://\"}";

/// The server's side of TLS.
pub(crate) struct TlsSettings {
    files: TlsFiles,
    current: RwLock<Arc<Certificate>>,
}

/// A certificate in use.
struct Certificate {
    config: Arc<ServerConfig>,
    /// When it ceases to be valid, if it says so in a way that can be read.
    expires: Option<SystemTime>,
}

impl TlsSettings {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// If a file can't be read or used.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, OptionFileError> {
        Ok(Self { current: RwLock::new(Arc::new(Certificate::read(files)?)), files: files.clone() })
    }

    /// Reads the files again, for new connections. Open ones keep theirs.
    ///
    /// # Errors
    /// As [`Self::read`]; the current certificate stays in use then.
    pub(crate) fn reload(&self) -> Result<(), OptionFileError> {
        let certificate = Arc::new(Certificate::read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certificate;
        Ok(())
    }

    fn current(&self) -> Arc<Certificate> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the certificate ceases to be valid.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.current().expires
    }

    /// That the certificate is no longer valid, or soon will not be.
    pub(crate) fn expiry_warning(&self) -> Option<String> {
        let expires = self.expires()?;
        let date = humantime::format_rfc3339_seconds(expires);
        let now = SystemTime::now();
        let file = crate::format::path(&self.files.certificate);
        if expires <= now {
            Some(format!("EXPIRED: clients reject the certificate {file} since {date}"))
        } else if expires <= now + EXPIRY_WARNING {
            Some(format!("the certificate {file} expires at {date}; renew it and send SIGHUP"))
        } else {
            None
        }
    }

    /// Whether clients need a certificate.
    pub(crate) fn needs_client_certificates(&self) -> bool {
        self.files.client_authorities.is_some()
    }

    /// Performs the handshake of a new connection. The caller limits its time.
    ///
    /// # Errors
    /// If the client does not speak TLS, or no version, cipher or certificate that is accepted.
    pub(crate) async fn accept(&self, connection: &Arc<Connection>) -> io::Result<ClientStream> {
        let mut first = [0];
        connection.socket.peek(&mut first).await?;
        let mut stream = PeerStream::new(connection.clone());
        // A TLS connection begins with a record of the type 22, HTTP with the letters of a method.
        if first[0].is_ascii_uppercase() {
            stream.write_all(plain_http_answer().as_bytes()).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not use TLS"));
        }
        let handshake = TlsAcceptor::from(self.current().config.clone())
            .accept_with(stream, |session| session.set_buffer_limit(Some(TLS_SEND_BUFFER)));
        handshake.await.map(|stream| ClientStream::Encrypted(Box::new(stream)))
    }
}

fn plain_http_answer() -> String {
    let length = PLAIN_HTTP_BODY.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{PLAIN_HTTP_BODY}"
    )
}

impl Certificate {
    fn read(files: &TlsFiles) -> Result<Self, OptionFileError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = certificates(&files.certificate, "--tls-certificate")?;
        let expires = chain.first().and_then(|certificate| expiry(certificate, &provider));
        Ok(Self { config: Arc::new(server_config(files, chain, provider)?), expires })
    }
}

/// When a certificate ceases to be valid. rustls has no function for it, but names the date of a
/// certificate that has expired: so it checks this one long after that.
fn expiry(certificate: &CertificateDer, provider: &CryptoProvider) -> Option<SystemTime> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let long_after = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
    let checked = verify_server_cert_signed_by_trust_anchor(
        &certificate,
        &RootCertStore::empty(),
        &[],
        long_after,
        provider.signature_verification_algorithms.all,
    );
    match checked {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after,
            ..
        })) => Some(UNIX_EPOCH + Duration::from_secs(not_after.as_secs())),
        _ => None,
    }
}

fn server_config(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, OptionFileError> {
    let TlsFiles { certificate, key, client_authorities } = files;
    let private_key = private_key(key)?;
    let unusable = |error: rustls::Error| {
        let problem = match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("its key is not the one in {}", crate::format::path(key))
            }
            error => format!("TLS does not accept it: {error}"),
        };
        OptionFileError::new(certificate, "--tls-certificate", problem)
    };
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match client_authorities {
        Some(authorities) => {
            builder.with_client_cert_verifier(client_verifier(authorities, &provider)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, private_key).map_err(unusable)?;
    config.alpn_protocols = APPLICATION_PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

/// Accepts clients whose certificate was issued by one of the authorities in a file.
fn client_verifier(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, OptionFileError> {
    let flag = "--tls-client-ca";
    let unusable = |problem: String| OptionFileError::new(path, flag, problem);
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(path, flag)? {
        authorities.add(certificate).map_err(|error| {
            unusable(format!("a certificate in it can't be that of an authority: {error}"))
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider.clone())
        .build()
        .map_err(|error| unusable(error.to_string()))
}

/// The certificates in a PEM file, at least one.
fn certificates(
    path: &Path,
    flag: &'static str,
) -> Result<Vec<CertificateDer<'static>>, OptionFileError> {
    let unusable = |problem: String| OptionFileError::new(path, flag, problem);
    let bytes = read_regular(path, MAX_PEM_BYTES).map_err(|error| unusable(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| unusable(format!("it is not a valid PEM file: {error}")))?;
    if found.is_empty() {
        let rule = "it contains no certificate. It must be a PEM file with BEGIN CERTIFICATE, the \
                    server's own first and those of intermediate authorities after it";
        return Err(unusable(rule.to_owned()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, OptionFileError> {
    let unusable = |problem: String| OptionFileError::new(path, "--tls-key", problem);
    let bytes = read_regular(path, MAX_PEM_BYTES).map_err(|error| unusable(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => unusable(
            "it contains no private key. It must be a PEM file with BEGIN PRIVATE KEY, without a \
             passphrase"
                .to_owned(),
        ),
        error => unusable(format!("it is not a valid PEM file: {error}")),
    })
}

/// What hyper reads and writes. One type for both, so that hyper is compiled once.
pub(crate) enum ClientStream {
    Plain(PeerStream),
    Encrypted(Box<TlsStream<PeerStream>>),
}

/// Calls the same method of whichever stream it is.
macro_rules! delegate {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            ClientStream::Plain(stream) => {
                let $inner = Pin::new(stream);
                $call
            }
            ClientStream::Encrypted(stream) => {
                let $inner = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context,
        slices: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(context))
    }
}
