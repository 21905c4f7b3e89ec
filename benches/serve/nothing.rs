//! An axum handler that reads the body and discards it: the upper limit of the HTTP stack itself.
//!
//! ```text
//! cargo run --release --features serve --example serve-nothing -- 127.0.0.1:8090
//! ```

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = TcpListener::bind(address).await?;
    let router = Router::new().fallback(post(async |_body: Bytes| "{}"));
    // The same loop as in `axum::serve`.
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // A client that disconnects is not an error.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
