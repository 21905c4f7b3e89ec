//! The account of memory: what requests make the server hold is charged before it is allocated.
//!
//! The account has three parts, so that no kind of request can use up what the others need:
//!
//! - `small` for everything up to [`SMALL_BYTES`]: the state of a request, short bodies, tensors of
//!   a few pictures. A quarter of it is kept for connections that hold little. Only a very large
//!   number of connections can fill that, and then the one that holds most is closed.
//! - `large` for everything above that, such as the bodies of batches. A request that finds it full
//!   is answered with 503.
//! - `decoding` for the working memory of picture decoders. Requests wait for it, because a decoder
//!   always finishes soon. An eighth of it is for light work, which is never behind a photograph.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::api_error::{ApiError, ApiErrorKind};
use super::connection::Connection;

/// The unit of the account, in bytes.
const BLOCK_BYTES: usize = 1024;
/// Up to this size, memory is charged to the part `small`.
pub(crate) const SMALL_BYTES: usize = 64 << 10;
/// A connection that holds at most this much has the last quarter of the small part.
const LITTLE_BYTES: usize = 2 * SMALL_BYTES;
/// How long a small charge waits for memory of the connection that is closed for it.
const EVICTION_WAIT: Duration = Duration::from_millis(250);

/// How long a piece of work takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Up to about 10 ms.
    Light,
    /// More.
    Heavy,
}

/// The account, shared by all requests.
pub(crate) struct MemoryAccount {
    small: Pool,
    /// The quarter of the small part that is for connections of at most [`LITTLE_BYTES`].
    little: Pool,
    large: Pool,
    decoding: Pool,
    light_decoding: Pool,
}

/// A part of the account.
struct Pool {
    blocks: Arc<Semaphore>,
    total_blocks: usize,
}

impl Pool {
    fn new(bytes: usize) -> Self {
        let total_blocks = (bytes / BLOCK_BYTES).min(u32::MAX as usize);
        Self { blocks: Arc::new(Semaphore::new(total_blocks)), total_blocks }
    }

    fn try_acquire(&self, blocks: usize) -> Option<OwnedSemaphorePermit> {
        let blocks = u32::try_from(blocks).ok()?;
        self.blocks.clone().try_acquire_many_owned(blocks).ok()
    }
}

impl MemoryAccount {
    /// An account of `bytes`: an eighth is for small charges, three for large ones, and half for
    /// decoders.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            small: Pool::new(bytes / 32 * 3),
            little: Pool::new(bytes / 32),
            large: Pool::new(large_bytes(bytes)),
            decoding: Pool::new(bytes / 16 * 7),
            light_decoding: Pool::new(bytes / 16),
        }
    }

    /// Bytes that are charged at the moment, in all parts.
    pub(crate) fn charged_bytes(&self) -> usize {
        let charged = |pool: &Pool| pool.total_blocks - pool.blocks.available_permits();
        let pools = [&self.small, &self.little, &self.large, &self.decoding, &self.light_decoding];
        BLOCK_BYTES * pools.map(charged).iter().sum::<usize>()
    }

    /// Memory for a decoder. Waits until it is free; the caller limits the time.
    ///
    /// # Errors
    /// If it will never be free.
    pub(crate) async fn decoding(
        &self,
        bytes: usize,
        weight: Weight,
    ) -> Result<OwnedSemaphorePermit, ApiError> {
        let blocks = bytes.div_ceil(BLOCK_BYTES);
        let is_light = weight == Weight::Light && blocks <= self.light_decoding.total_blocks;
        let pool = if is_light { &self.light_decoding } else { &self.decoding };
        let too_large = || {
            let (needed, limit) = (bytes >> 20, (self.decoding.total_blocks * BLOCK_BYTES) >> 20);
            let message = format!(
                "decoding the picture takes {needed} MiB and the server has {limit} MiB for \
                 pictures; send a smaller one"
            );
            ApiError::new(ApiErrorKind::TooLarge, message)
        };
        if blocks > pool.total_blocks {
            return Err(too_large());
        }
        // No overflow: a part has at most u32::MAX blocks.
        let permit = pool.blocks.clone().acquire_many_owned(blocks as u32).await;
        permit.map_err(|_| too_large())
    }
}

/// Bytes of an account of `total` that are for large charges.
pub(crate) fn large_bytes(total: usize) -> usize {
    total / 8 * 3
}

/// Memory charged to a request, released when dropped. It only grows.
pub(crate) struct Charge {
    account: Arc<MemoryAccount>,
    connection: Arc<Connection>,
    held: Mutex<HeldBlocks>,
}

#[derive(Default)]
struct HeldBlocks {
    /// Bytes charged so far. What is held is rounded up to blocks.
    bytes: usize,
    small: Option<OwnedSemaphorePermit>,
    little: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl HeldBlocks {
    fn small_blocks(&self) -> usize {
        blocks(&self.small) + blocks(&self.little)
    }

    fn total_blocks(&self) -> usize {
        self.small_blocks() + blocks(&self.large)
    }
}

impl Charge {
    /// An empty charge.
    pub(crate) fn new(account: Arc<MemoryAccount>, connection: Arc<Connection>) -> Self {
        Self { account, connection, held: Mutex::default() }
    }

    /// Extends the charge by `bytes`.
    ///
    /// # Errors
    /// If there is no memory left, or the connection holds too much.
    pub(crate) async fn grow(&self, bytes: usize) -> Result<(), ApiError> {
        let missing = self.try_grow(bytes)?;
        if missing == 0 {
            return Ok(());
        }
        if self.connection.evict_largest() {
            // No overflow: a part has at most u32::MAX blocks, and this is within a small charge.
            let waiting = self.account.small.blocks.clone().acquire_many_owned(missing as u32);
            if let Ok(Ok(permit)) = timeout(EVICTION_WAIT, waiting).await {
                self.add(&mut self.lock().small, permit);
                return Ok(());
            }
        }
        let message = "too many requests at once; retry after 1 second";
        Err(ApiError::new(ApiErrorKind::Unavailable, message))
    }

    /// Extends the charge by `bytes`, as far as memory is free. Returns the number of small blocks
    /// that are missing.
    fn try_grow(&self, bytes: usize) -> Result<usize, ApiError> {
        let mut held = self.lock();
        held.bytes = held.bytes.saturating_add(bytes);
        let small = held.bytes.min(SMALL_BYTES).div_ceil(BLOCK_BYTES);
        let large = held.bytes.saturating_sub(SMALL_BYTES).div_ceil(BLOCK_BYTES);
        let limit = self.account.large.total_blocks;
        if large > limit {
            let message = format!(
                "the request takes {} MiB of memory and the server has {} MiB for requests",
                held.bytes >> 20,
                (limit * BLOCK_BYTES) >> 20
            );
            return Err(ApiError::new(ApiErrorKind::TooLarge, message));
        }
        let more_small = small - held.small_blocks();
        let more_large = large - blocks(&held.large);
        let connection_bytes =
            self.connection.held_bytes() + (more_small + more_large) * BLOCK_BYTES;
        if connection_bytes > limit * BLOCK_BYTES + SMALL_BYTES {
            let message = "this connection has too many unfinished requests; \
                           wait for answers before you send more";
            return Err(ApiError::new(ApiErrorKind::TooManyRequests, message));
        }
        if more_large > 0 {
            let permit = self.account.large.try_acquire(more_large).ok_or_else(|| {
                let message = "too many large requests at once; retry after 1 second";
                ApiError::new(ApiErrorKind::Unavailable, message)
            })?;
            self.add(&mut held.large, permit);
        }
        if more_small == 0 {
            return Ok(0);
        }
        if let Some(permit) = self.account.small.try_acquire(more_small) {
            self.add(&mut held.small, permit);
            return Ok(0);
        }
        if connection_bytes <= LITTLE_BYTES
            && let Some(permit) = self.account.little.try_acquire(more_small)
        {
            self.add(&mut held.little, permit);
            return Ok(0);
        }
        Ok(more_small)
    }

    fn add(&self, part: &mut Option<OwnedSemaphorePermit>, permit: OwnedSemaphorePermit) {
        self.connection.hold(permit.num_permits() * BLOCK_BYTES);
        match part {
            Some(held) => held.merge(permit),
            empty => *empty = Some(permit),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HeldBlocks> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let held = self.lock().total_blocks();
        self.connection.release(held * BLOCK_BYTES);
    }
}

fn blocks(permit: &Option<OwnedSemaphorePermit>) -> usize {
    permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
}
