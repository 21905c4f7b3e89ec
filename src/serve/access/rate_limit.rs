//! At most so many requests per second, minute or hour of each client.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A): of a client, only the time is kept at
//! which its allowance is whole again. A request moves this time by one interval, and is rejected if
//! it would be more than a whole period ahead.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::address::ClientAddress;
use crate::serve::options::RateLimit;

/// Clients with a time of their own; about 2 MB. Once there are more at the same time, further ones
/// share a single allowance.
const MAX_LIMITED_CLIENTS: usize = 16_384;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LimitedClient {
    /// Everyone with this token, by its number in [`Token::id`](super::tokens::Token::id).
    Token(u64),
    /// Everyone at this address, without a valid token.
    Address(ClientAddress),
    /// All clients beyond [`MAX_LIMITED_CLIENTS`].
    Others,
}

/// Counts the requests of all clients.
pub(crate) struct RateLimiter {
    limit: RateLimit,
    /// When the allowance of each client is whole again; a client that is absent has all of it.
    whole_at: Mutex<HashMap<LimitedClient, Instant>>,
}

impl RateLimiter {
    /// A limiter without clients.
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, whole_at: Mutex::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// If the client has to wait, with the time.
    pub(crate) fn count(&self, client: LimitedClient, now: Instant) -> Result<(), Duration> {
        let RateLimit { requests, period } = self.limit;
        let interval = period / requests.get();
        let mut times = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= MAX_LIMITED_CLIENTS && !times.contains_key(&client) {
            times.retain(|_, whole_at| *whole_at > now);
        }
        let is_full = times.len() >= MAX_LIMITED_CLIENTS && !times.contains_key(&client);
        let client = if is_full { LimitedClient::Others } else { client };
        let whole_at = times.entry(client).or_insert(now);
        let next = (*whole_at).max(now) + interval;
        let ahead = next - now;
        if ahead > period {
            return Err(ahead - period);
        }
        *whole_at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(requests: u32, seconds: u64) -> RateLimiter {
        let requests = NonZeroU32::new(requests).unwrap();
        RateLimiter::new(RateLimit { requests, period: Duration::from_secs(seconds) })
    }

    #[test]
    fn a_burst_of_a_whole_period_is_allowed_and_then_one_request_per_interval() {
        let limiter = limiter(4, 1);
        let (client, start) = (LimitedClient::Token(1), Instant::now());
        for _ in 0..4 {
            assert_eq!(limiter.count(client, start), Ok(()));
        }
        assert_eq!(limiter.count(client, start), Err(Duration::from_millis(250)));
        // A rejected request costs nothing.
        assert_eq!(limiter.count(client, start), Err(Duration::from_millis(250)));
        let later = start + Duration::from_millis(250);
        assert_eq!(limiter.count(client, later), Ok(()));
        assert_eq!(limiter.count(client, later), Err(Duration::from_millis(250)));
        assert_eq!(limiter.count(LimitedClient::Token(2), later), Ok(()));
    }

    #[test]
    fn ten_an_hour_means_a_wait_of_six_minutes() {
        let limiter = limiter(10, 3600);
        let (client, start) = (LimitedClient::Token(1), Instant::now());
        (0..10).for_each(|_| limiter.count(client, start).unwrap());
        assert_eq!(limiter.count(client, start), Err(Duration::from_secs(360)));
    }

    #[test]
    fn very_many_clients_take_no_more_memory_and_clients_that_wait_are_not_forgotten() {
        let limiter = limiter(1, 1);
        let start = Instant::now();
        let client = |number: u64| LimitedClient::Token(number);
        for number in 0..MAX_LIMITED_CLIENTS as u64 {
            limiter.count(client(number), start).unwrap();
        }
        // The first of the others has their allowance, the second has to wait.
        assert_eq!(limiter.count(client(1 << 40), start), Ok(()));
        assert!(limiter.count(client(1 << 41), start).is_err());
        assert!(limiter.count(client(0), start).is_err());
        let later = start + Duration::from_secs(2);
        assert_eq!(limiter.count(client(1 << 41), later), Ok(()));
        let known = limiter.whole_at.lock().unwrap().len();
        assert_eq!(known, 1, "clients with a whole allowance are forgotten");
    }
}
