//! The account of memory: what requests make the server hold is charged before it is allocated.
//!
//! The account has three parts, so that no kind of request can use up what the others need:
//!
//! - `small` for everything up to [`SMALL_BYTES`]: the state of a request, short bodies, tensors of
//!   a few pictures. Only a very large number of requests can fill it, and then the connection that
//!   holds most is closed.
//! - `large` for everything above that, such as the bodies of batches. A request that finds it full
//!   is answered with 503.
//! - `decoding` for the working memory of picture decoders. Requests wait for it, because a decoder
//!   always finishes soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::api_error::{ApiError, ApiErrorKind};
use super::connection::Connection;

/// The unit of the account, in bytes.
const BLOCK_BYTES: usize = 1024;
/// Up to this size, memory is charged to the part `small`.
pub(crate) const SMALL_BYTES: usize = 64 << 10;
/// How long a small charge waits for memory of the connection that is closed for it.
const EVICTION_WAIT: Duration = Duration::from_millis(250);

/// The account, shared by all requests.
pub(crate) struct MemoryAccount {
    small: Pool,
    large: Pool,
    decoding: Pool,
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
            small: Pool::new(bytes / 8),
            large: Pool::new(large_bytes(bytes)),
            decoding: Pool::new(bytes / 2),
        }
    }

    /// Bytes that are charged at the moment, in all parts.
    pub(crate) fn charged_bytes(&self) -> usize {
        let charged = |pool: &Pool| pool.total_blocks - pool.blocks.available_permits();
        BLOCK_BYTES * [&self.small, &self.large, &self.decoding].map(charged).iter().sum::<usize>()
    }

    /// Memory for a decoder. Waits until it is free; the caller limits the time.
    ///
    /// # Errors
    /// If it will never be free.
    pub(crate) async fn decoding(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let blocks = bytes.div_ceil(BLOCK_BYTES);
        let too_large = || {
            let (needed, limit) = (bytes >> 20, (self.decoding.total_blocks * BLOCK_BYTES) >> 20);
            let message = format!(
                "decoding the picture takes {needed} MiB and the server has {limit} MiB for \
                 pictures; send a smaller one"
            );
            ApiError::new(ApiErrorKind::TooLarge, message)
        };
        if blocks > self.decoding.total_blocks {
            return Err(too_large());
        }
        // No overflow: a part has at most u32::MAX blocks.
        let permit = self.decoding.blocks.clone().acquire_many_owned(blocks as u32).await;
        permit.map_err(|_| too_large())
    }
}

/// Bytes of an account of `total` that are for large charges.
pub(crate) fn large_bytes(total: usize) -> usize {
    total / 8 * 3
}

/// Memory charged to a request, released when dropped. It may grow.
pub(crate) struct Charge {
    account: Arc<MemoryAccount>,
    connection: Arc<Connection>,
    small: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// An empty charge.
    pub(crate) fn new(account: Arc<MemoryAccount>, connection: Arc<Connection>) -> Self {
        Self { account, connection, small: None, large: None }
    }

    /// Extends the charge to `bytes` in total.
    ///
    /// # Errors
    /// If there is no memory left, or the connection holds too much.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), ApiError> {
        let small = bytes.min(SMALL_BYTES).div_ceil(BLOCK_BYTES);
        let large = bytes.saturating_sub(SMALL_BYTES).div_ceil(BLOCK_BYTES);
        let more_small = small.saturating_sub(blocks(self.small.as_ref()));
        let more_large = large.saturating_sub(blocks(self.large.as_ref()));
        let more_bytes = (more_small + more_large) * BLOCK_BYTES;
        if more_bytes == 0 {
            return Ok(());
        }
        let limit = self.account.large.total_blocks;
        if large > limit {
            let message = format!(
                "the request takes {} MiB of memory and the server has {} MiB for requests",
                bytes >> 20,
                (limit * BLOCK_BYTES) >> 20
            );
            return Err(ApiError::new(ApiErrorKind::TooLarge, message));
        }
        if self.connection.held_bytes() + more_bytes > limit * BLOCK_BYTES + SMALL_BYTES {
            let message = "this connection has too many unfinished requests; \
                           wait for answers before you send more";
            return Err(ApiError::new(ApiErrorKind::TooManyRequests, message));
        }
        if more_large > 0 {
            let permit = self.account.large.try_acquire(more_large).ok_or_else(|| {
                let message = "too many large requests at once; retry after 1 second";
                ApiError::new(ApiErrorKind::Unavailable, message)
            })?;
            self.add(permit, |charge| &mut charge.large);
        }
        if more_small > 0 {
            let permit = self.small_blocks(more_small).await?;
            self.add(permit, |charge| &mut charge.small);
        }
        Ok(())
    }

    async fn small_blocks(&self, count: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let pool = &self.account.small;
        if let Some(permit) = pool.try_acquire(count) {
            return Ok(permit);
        }
        if self.connection.evict_largest() {
            let waiting = pool.blocks.clone().acquire_many_owned(count as u32);
            if let Ok(Ok(permit)) = timeout(EVICTION_WAIT, waiting).await {
                return Ok(permit);
            }
        }
        let message = "too many requests at once; retry after 1 second";
        Err(ApiError::new(ApiErrorKind::Unavailable, message))
    }

    fn add(
        &mut self,
        permit: OwnedSemaphorePermit,
        part: fn(&mut Self) -> &mut Option<OwnedSemaphorePermit>,
    ) {
        self.connection.hold(permit.num_permits() * BLOCK_BYTES);
        match part(self) {
            Some(held) => held.merge(permit),
            empty => *empty = Some(permit),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let held = blocks(self.small.as_ref()) + blocks(self.large.as_ref());
        self.connection.release(held * BLOCK_BYTES);
    }
}

fn blocks(permit: Option<&OwnedSemaphorePermit>) -> usize {
    permit.map_or(0, OwnedSemaphorePermit::num_permits)
}

/// Bytes that a connection holds.
#[derive(Default)]
pub(crate) struct HeldBytes(AtomicUsize);

impl HeldBytes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
