//! The message of a caught panic.
//!
//! Two places catch panics of code that is not ours: Burn's download of MNIST, which reports every
//! error by panicking, and inference in the server, which must answer other requests afterwards.

use std::any::Any;

/// The text given to `panic!`; `None` if the payload is something else.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn literal_and_formatted_messages_are_found_and_other_payloads_have_none() {
        let number = 3;
        let literal = catch_unwind(|| panic!("the disk is full")).unwrap_err();
        assert_eq!(panic_message(&*literal), Some("the disk is full"));
        let formatted = catch_unwind(|| panic!("file {number} is full")).unwrap_err();
        assert_eq!(panic_message(&*formatted), Some("file 3 is full"));
        let other = catch_unwind(|| std::panic::panic_any(number)).unwrap_err();
        assert_eq!(panic_message(&*other), None);
    }
}
