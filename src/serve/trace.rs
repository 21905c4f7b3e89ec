//! By what a request is found again in logs: its own number, and the trace of the caller.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The number of a request, taken from the client or made here, and sent back.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The trace and the span in which the caller sends the request
/// (<https://www.w3.org/TR/trace-context/>).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The longest number that is taken from a client.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// What identifies a request.
pub(crate) struct RequestTrace {
    /// The number of the request.
    pub(crate) id: HeaderValue,
    traceparent: Option<HeaderValue>,
}

impl RequestTrace {
    /// Takes the client's number, if it is fit for a log, or makes one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_fit = |id: &&HeaderValue| {
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=~".contains(byte);
            (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
        };
        let id = headers.get(REQUEST_ID).filter(is_fit).cloned().unwrap_or_else(random_id);
        Self { id, traceparent: headers.get(TRACEPARENT).cloned() }
    }

    /// The number as text.
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The identifiers of the trace and of the caller's span in it, if they are valid.
    pub(crate) fn caller(&self) -> Option<(&str, &str)> {
        let text = self.traceparent.as_ref()?.to_str().ok()?;
        let mut parts = text.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str, digits: usize| {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.len() == digits && text.bytes().all(is_digit)
        };
        let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        let is_valid = is_number(version, 2)
            && version != "ff"
            && is_number(trace, 32)
            && is_number(span, 16)
            && parts.next().is_some_and(|flags| is_number(flags, 2))
            && !is_zero(trace)
            && !is_zero(span)
            // Later versions may have more parts.
            && (version != "00" || parts.next().is_none());
        is_valid.then_some((trace, span))
    }
}

/// 16 random hexadecimal digits. They need not be hard to guess.
fn random_id() -> HeaderValue {
    let mut digits = [0; 16];
    let number = fastrand::u64(..);
    for (index, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * index)) as usize & 15];
    }
    // Digits are valid in a header.
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(name: HeaderName, value: &[u8]) -> RequestTrace {
        RequestTrace::of(&HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())]))
    }

    #[test]
    fn the_clients_number_is_taken_if_a_log_can_show_it_and_another_is_replaced() {
        for id in ["7", "3f2b-9c.A_1:x/y+z=~", &"a".repeat(128)] {
            assert_eq!(trace(REQUEST_ID, id.as_bytes()).id(), id);
        }
        for id in ["", "a b", "a\"b", "a\tb", "ä", &"a".repeat(129)] {
            let made = trace(REQUEST_ID, id.as_bytes());
            let is_number = made.id().len() == 16 && u64::from_str_radix(made.id(), 16).is_ok();
            assert!(is_number, "{id}: {}", made.id());
        }
        let [first, second] = [(); 2].map(|()| RequestTrace::of(&HeaderMap::new()));
        assert_ne!(first.id(), second.id());
    }

    #[test]
    fn the_callers_trace_is_read_from_a_valid_traceparent_only() {
        // The example of the specification.
        let (trace_id, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for text in
            [format!("00-{trace_id}-{span}-01"), format!("cc-{trace_id}-{span}-00-what-is-next")]
        {
            assert_eq!(trace(TRACEPARENT, text.as_bytes()).caller(), Some((trace_id, span)));
        }
        for text in [
            String::new(),
            format!("00-{trace_id}-{span}"),
            format!("00-{trace_id}-{span}-01-more"),
            format!("ff-{trace_id}-{span}-01"),
            format!("00-{}-{span}-01", trace_id.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace_id}-{}-01", "0".repeat(16)),
            format!("00-{trace_id}0-{span}-01"),
        ] {
            assert_eq!(trace(TRACEPARENT, text.as_bytes()).caller(), None, "{text}");
        }
    }
}
