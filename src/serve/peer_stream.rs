//! The stream that hyper reads and writes: a socket that records when everything was sent, and that
//! is closed without losing the last response.

use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Connection;

/// How long a closed connection waits for its client to close too.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// The same once the server stops, when most connections are closed because they are idle.
const STOPPING_LINGER_TIME: Duration = Duration::from_millis(100);

/// A client's socket.
pub(crate) struct PeerStream {
    connection: Arc<Connection>,
}

impl PeerStream {
    /// The stream of a connection.
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    fn socket(&self) -> &TcpStream {
        &self.connection.socket
    }

    /// Reads what has arrived; `None` if nothing has.
    fn try_read(&self, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        let length = bytes.len();
        let mut read = None;
        let result = self.socket().try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(self.socket())).read(bytes)?;
            read = Some(count);
            // Less than there is room for: everything has been read, and epoll reports when there is
            // more. An error spares the system call that would find out, as in Tokio's own `read`.
            let is_all = cfg!(target_os = "linux") && 0 < count && count < length;
            if is_all { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (read, result) {
            (Some(count), _) => Ok(Some(count)),
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            (None, _) => Ok(None),
        }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket().poll_read_ready(context))?;
            if let Some(count) = self.try_read(buffer.initialize_unfilled())? {
                buffer.advance(count);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket().poll_write_ready(context))?;
            match self.socket().try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context,
        slices: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket().poll_write_ready(context))?;
            match self.socket().try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper calls this once its own buffer is written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        self.connection.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(self.socket()).shutdown(Shutdown::Write))
    }
}

/// Closes a connection that hyper has finished.
///
/// A socket closed while bytes of the client are unread, such as the rest of a body that was too
/// large, resets the connection, and the client loses the response that explains it. So the server
/// stops writing first, and drops what still arrives until the client closes too.
pub(crate) async fn close(socket: &TcpStream, is_stopping: bool) {
    let _ = SockRef::from(socket).shutdown(Shutdown::Write);
    let drain = async {
        let mut dropped = [0; 16 << 10];
        while let Ok(()) = socket.readable().await {
            match socket.try_read(&mut dropped) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
    };
    let limit = if is_stopping { STOPPING_LINGER_TIME } else { LINGER_TIME };
    let _ = timeout(limit, drain).await;
}
