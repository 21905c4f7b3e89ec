//! How many requests a version has answered, and how long they took: the figures of Triton's
//! statistics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The counters of one version. They only grow.
#[derive(Default)]
pub(crate) struct VersionStatistics {
    last_inference: AtomicU64,
    pictures: AtomicU64,
    batches: AtomicU64,
    success: Counter,
    failure: Counter,
    queue: Counter,
    input: Counter,
    inference: Counter,
}

/// Where the time of one successful request went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InferenceTimes {
    /// Decoding pictures.
    pub(crate) input: Duration,
    /// Waiting for the network.
    pub(crate) queue: Duration,
    /// In the network, together with the requests of the same batch.
    pub(crate) inference: Duration,
}

/// A number of requests, and their time together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DurationCount {
    pub(crate) count: u64,
    pub(crate) nanoseconds: u64,
}

/// All counters at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatisticsReading {
    /// When a request last succeeded, in milliseconds since the epoch; 0 for never.
    pub(crate) last_inference: u64,
    pub(crate) pictures: u64,
    pub(crate) batches: u64,
    pub(crate) success: DurationCount,
    pub(crate) failure: DurationCount,
    pub(crate) queue: DurationCount,
    pub(crate) input: DurationCount,
    pub(crate) inference: DurationCount,
}

#[derive(Default)]
struct Counter {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Counter {
    fn add(&self, duration: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn read(&self) -> DurationCount {
        DurationCount {
            count: self.count.load(Ordering::Relaxed),
            nanoseconds: self.nanoseconds.load(Ordering::Relaxed),
        }
    }
}

impl VersionStatistics {
    /// Counts a request of `pictures` that was answered in `total`.
    pub(crate) fn record_success(&self, pictures: usize, total: Duration, times: InferenceTimes) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_inference.store(now.as_millis() as u64, Ordering::Relaxed);
        self.pictures.fetch_add(pictures as u64, Ordering::Relaxed);
        self.success.add(total);
        self.queue.add(times.queue);
        self.input.add(times.input);
        self.inference.add(times.inference);
    }

    /// Counts a request that failed after `total`.
    pub(crate) fn record_failure(&self, total: Duration) {
        self.failure.add(total);
    }

    /// Counts a batch of one or more requests.
    pub(crate) fn record_batch(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// All counters now.
    pub(crate) fn read(&self) -> StatisticsReading {
        StatisticsReading {
            last_inference: self.last_inference.load(Ordering::Relaxed),
            pictures: self.pictures.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            success: self.success.read(),
            failure: self.failure.read(),
            queue: self.queue.read(),
            input: self.input.read(),
            inference: self.inference.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_pictures_and_times_add_up() {
        let statistics = VersionStatistics::default();
        let times = InferenceTimes { queue: Duration::from_nanos(5), ..Default::default() };
        statistics.record_success(3, Duration::from_micros(2), times);
        statistics.record_success(1, Duration::from_micros(1), times);
        statistics.record_failure(Duration::from_nanos(7));
        statistics.record_batch();
        let read = statistics.read();
        assert_eq!((read.pictures, read.batches), (4, 1));
        assert_eq!(read.success, DurationCount { count: 2, nanoseconds: 3000 });
        assert_eq!(read.queue, DurationCount { count: 2, nanoseconds: 10 });
        assert_eq!(read.failure, DurationCount { count: 1, nanoseconds: 7 });
        assert!(read.last_inference > 1_600_000_000_000);
    }
}
