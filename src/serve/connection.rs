//! One open connection: its socket, what its requests hold, and when it last made progress.
//!
//! hyper has no limit for a client that opens a connection and sends nothing, that only answers
//! pings, or that never reads a response. So each connection records its progress here, and
//! `listen` closes those that are [`Overdue`].

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::access::address::ClientAddress;

/// A connection is closed for others only if it holds at least this much.
const MIN_EVICTED_BYTES: usize = 256 << 10;
/// How long the memory of a closed connection may take to become free before another is closed.
const EVICTION_PAUSE: Duration = Duration::from_millis(50);

/// An open connection.
pub(crate) struct Connection {
    id: u64,
    /// Shared with the stream that hyper reads and writes.
    pub(crate) socket: Arc<TcpStream>,
    /// The address of the client.
    pub(crate) peer: SocketAddr,
    /// Whether the client uses TLS.
    is_encrypted: bool,
    /// Accepted beyond the limit of connections: only probes are answered.
    pub(crate) is_for_probes: bool,
    opened: Instant,
    is_http2: AtomicBool,
    /// Requests that are neither answered nor given up.
    open_requests: AtomicUsize,
    /// When a request last started or ended, in milliseconds after `opened`.
    last_request: AtomicU64,
    /// Requests that have arrived.
    requests: AtomicU64,
    /// Bytes charged to its requests.
    held: AtomicUsize,
    pub(crate) responses: ResponseCount,
    /// Asks `listen` to close the connection now.
    evicted: Notify,
    registry: Weak<ConnectionRegistry>,
}

/// How far the responses of a connection have come.
#[derive(Default)]
pub(crate) struct ResponseCount {
    /// Given to hyper.
    ready: AtomicU64,
    /// Read by hyper to the end.
    taken: AtomicU64,
    /// Accepted by the system for sending.
    sent: AtomicU64,
    /// When the last one became ready or was sent, in milliseconds after the connection opened.
    last_progress: AtomicU64,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// There is no request, and has been none for too long.
    Idle,
    /// The client doesn't read its response.
    Unread,
}

impl Connection {
    /// Whether the client speaks HTTP/2, as far as its requests tell.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Records the start of a request.
    pub(crate) fn start_request(&self, version: http::Version) {
        if version == http::Version::HTTP_2 {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.open_requests.fetch_add(1, Ordering::Relaxed);
        self.last_request.store(self.age(), Ordering::Relaxed);
    }

    /// Records that a request has been answered or given up.
    pub(crate) fn end_request(&self) {
        self.last_request.store(self.age(), Ordering::Relaxed);
        self.open_requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Records a response that hyper is to send.
    pub(crate) fn response_ready(&self) {
        self.responses.last_progress.store(self.age(), Ordering::Relaxed);
        self.responses.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that hyper has read a response to the end.
    pub(crate) fn response_taken(&self) {
        self.responses.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that hyper has nothing left to write.
    pub(crate) fn flushed(&self) {
        let taken = self.responses.taken.load(Ordering::Relaxed);
        if self.responses.sent.swap(taken, Ordering::Relaxed) != taken {
            self.responses.last_progress.store(self.age(), Ordering::Relaxed);
        }
    }

    /// Responses that have not been sent so far.
    pub(crate) fn unsent_responses(&self) -> u64 {
        let ready = self.responses.ready.load(Ordering::Relaxed);
        ready.saturating_sub(self.responses.sent.load(Ordering::Relaxed))
    }

    /// Whether no request is open.
    pub(crate) fn is_without_requests(&self) -> bool {
        self.open_requests.load(Ordering::Relaxed) == 0 && self.unsent_responses() == 0
    }

    /// Whether the connection should be closed, and why.
    ///
    /// `first_request` limits the time to the first request, `idle` the time without one after it,
    /// and `unread` how long responses may make no progress.
    pub(crate) fn overdue(
        &self,
        first_request: Duration,
        idle: Duration,
        unread: Duration,
    ) -> Option<Overdue> {
        let now = self.age();
        let is_past =
            |since: u64, limit: Duration| u128::from(now - since.min(now)) > limit.as_millis();
        if self.unsent_responses() > 0 {
            let since = self.responses.last_progress.load(Ordering::Relaxed);
            return is_past(since, unread).then_some(Overdue::Unread);
        }
        if self.open_requests.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let limit = match self.requests.load(Ordering::Relaxed) {
            0 => first_request,
            _ => idle,
        };
        is_past(self.last_request.load(Ordering::Relaxed), limit).then_some(Overdue::Idle)
    }

    /// Whether the client has closed its side of the connection. It may still wait for an answer.
    pub(crate) fn client_is_gone(&self) -> bool {
        if self.is_encrypted {
            return self.is_read_closed();
        }
        let peek = || SockRef::from(&*self.socket).peek(&mut [MaybeUninit::uninit()]);
        match self.socket.try_io(Interest::READABLE, peek) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Whether the end of what the client sends has arrived, also if bytes before it are unread: with
    /// TLS there is always a message that announces the end.
    fn is_read_closed(&self) -> bool {
        let ready = pin!(self.socket.ready(Interest::READABLE));
        let mut context = task::Context::from_waker(Waker::noop());
        match ready.poll(&mut context) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// Bytes charged to the requests of this connection.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Records a charge.
    pub(crate) fn hold(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Records the end of a charge.
    pub(crate) fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Closes the connection that holds most, unless this one holds about as much. Returns whether
    /// there will be memory soon.
    pub(crate) fn evict_largest(&self) -> bool {
        self.registry.upgrade().is_some_and(|registry| registry.evict_largest(self))
    }

    /// Waits until the connection must be closed for others.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Milliseconds since the connection opened.
    fn age(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

/// All open connections.
pub(crate) struct ConnectionRegistry {
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Open connections by client, at least one each.
    clients: Mutex<HashMap<ClientAddress, usize>>,
    next_id: AtomicU64,
    opened: Instant,
    /// When a connection was last closed for its memory, in milliseconds after `opened`; 0 for
    /// never.
    last_eviction: AtomicU64,
}

impl ConnectionRegistry {
    /// An empty registry.
    pub(crate) fn new() -> Self {
        Self {
            connections: Mutex::default(),
            clients: Mutex::default(),
            next_id: AtomicU64::default(),
            opened: Instant::now(),
            last_eviction: AtomicU64::default(),
        }
    }

    /// A place among the `limit` connections that a client may have. `None` if there is none left.
    pub(crate) fn admit(
        self: &Arc<Self>,
        client: ClientAddress,
        limit: usize,
    ) -> Option<ClientPlace> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let open = clients.get(&client).copied().unwrap_or_default();
        if open >= limit {
            return None;
        }
        clients.insert(client, open + 1);
        Some(ClientPlace { client, registry: self.clone() })
    }

    /// Adds a connection from `peer`.
    pub(crate) fn open(
        self: &Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        is_encrypted: bool,
        is_for_probes: bool,
    ) -> RegisteredConnection {
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            socket: Arc::new(socket),
            peer,
            is_encrypted,
            is_for_probes,
            opened: Instant::now(),
            is_http2: AtomicBool::default(),
            open_requests: AtomicUsize::default(),
            last_request: AtomicU64::default(),
            requests: AtomicU64::default(),
            held: AtomicUsize::default(),
            responses: ResponseCount::default(),
            evicted: Notify::new(),
            registry: Arc::downgrade(self),
        });
        self.lock().insert(connection.id, connection.clone());
        RegisteredConnection { connection, registry: self.clone() }
    }

    /// Closes the connection that holds most, if it holds twice as much as `requester`. Requests
    /// that arrive together close one connection together.
    fn evict_largest(&self, requester: &Connection) -> bool {
        let connections = self.lock();
        let largest = connections.values().max_by_key(|connection| connection.held_bytes());
        let limit = MIN_EVICTED_BYTES.max(2 * requester.held_bytes());
        let Some(largest) = largest.filter(|largest| largest.held_bytes() >= limit) else {
            return false;
        };
        let now = self.opened.elapsed().as_millis() as u64;
        let last = self.last_eviction.load(Ordering::Relaxed);
        if last == 0 || now - last.min(now) > EVICTION_PAUSE.as_millis() as u64 {
            self.last_eviction.store(now.max(1), Ordering::Relaxed);
            largest.evicted.notify_one();
        }
        true
    }

    /// Closes the connection that has had no request for the longest time, at least `min_idle`.
    pub(crate) fn evict_idlest(&self, min_idle: Duration) -> bool {
        let connections = self.lock();
        let idle = |connection: &&Arc<Connection>| {
            connection.is_without_requests() && !connection.is_for_probes
        };
        let idle_for = |connection: &Connection| {
            connection.age() - connection.last_request.load(Ordering::Relaxed).min(connection.age())
        };
        let idlest =
            connections.values().filter(idle).max_by_key(|connection| idle_for(connection));
        match idlest {
            Some(idlest) if u128::from(idle_for(idlest)) >= min_idle.as_millis() => {
                idlest.evicted.notify_one();
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that a client has open, as far as its limit is concerned. Given back when dropped.
pub(crate) struct ClientPlace {
    client: ClientAddress,
    registry: Arc<ConnectionRegistry>,
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut clients = self.registry.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match clients.get_mut(&self.client) {
            Some(open) if *open > 1 => *open -= 1,
            _ => drop(clients.remove(&self.client)),
        }
    }
}

/// An open connection. Removed from the registry when dropped.
pub(crate) struct RegisteredConnection {
    pub(crate) connection: Arc<Connection>,
    registry: Arc<ConnectionRegistry>,
}

impl Drop for RegisteredConnection {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.connection.id);
    }
}
