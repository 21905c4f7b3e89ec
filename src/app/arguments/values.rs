//! Values of flags: parsers whose errors say what is expected.

use std::ffi::OsStr;
use std::fmt::Display;
#[cfg(feature = "serve")]
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use burn_digits::internal::same_spelling;
use burn_digits::model::MAX_HIDDEN_WIDTH;
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser, ValueParser};
use clap::{Arg, Command, ValueEnum};

/// Number of threads that is accepted. Each has a stack and takes time to start, and this network
/// has no work for more than a few dozen.
const MAX_THREADS: usize = 1024;

/// An enumeration, whose values may be written in any case, with hyphens, underscores or neither.
pub fn name<T: ValueEnum + Clone + Send + Sync + 'static>() -> ValueParser {
    ValueParser::new(NameParser(EnumValueParser::<T>::new()))
}

#[derive(Clone)]
struct NameParser<T: ValueEnum + Clone + Send + Sync + 'static>(EnumValueParser<T>);

impl<T: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for NameParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let is_named = |variant: &&T| {
            let name = variant.to_possible_value();
            name.zip(value.to_str())
                .is_some_and(|(name, text)| same_spelling(name.get_name(), text))
        };
        match T::value_variants().iter().find(is_named) {
            Some(variant) => Ok(variant.clone()),
            None => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

pub fn thread_count(text: &str) -> Result<usize, String> {
    whole_number_in(text, 1..=MAX_THREADS)
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("must be a whole number, 1 or more".to_owned()),
    }
}

/// 0 or more, without a fraction.
pub fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "must be a whole number, 0 or more".to_owned())
}

fn whole_number_in<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let rule = || format!("must be a whole number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(rule)
}

/// The number of digits in a ranking.
pub fn one_to_ten(text: &str) -> Result<u8, String> {
    whole_number_in(text, 1..=10)
}

/// The number of layers of a network in `compare`.
pub fn depth(text: &str) -> Result<u8, String> {
    whole_number_in(text, 2..=64)
}

/// The number of runs in `compare`.
pub fn one_to_twenty(text: &str) -> Result<u8, String> {
    whole_number_in(text, 1..=20)
}

/// A size in MiB.
#[cfg(feature = "serve")]
pub fn mebibytes(text: &str) -> Result<u16, String> {
    whole_number_in(text, 1..=1024)
}

/// A decimal number, such as 0.002 or 2e-3.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "must be a number, like 0.002 or 2e-3".to_owned())
}

pub fn above_zero(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f32::is_finite(number) => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

pub fn zero_to_one(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

pub fn three_widths(text: &str) -> Result<[usize; 3], String> {
    let widths: Option<Vec<usize>> =
        text.split(',').map(|width| width.trim().parse().ok()).collect();
    match widths.and_then(|widths| <[usize; 3]>::try_from(widths).ok()) {
        Some(widths) if widths.iter().all(|width| (1..=MAX_HIDDEN_WIDTH).contains(width)) => {
            Ok(widths)
        }
        _ => Err(format!("must be three widths from 1 to {MAX_HIDDEN_WIDTH}, like 256,128,64")),
    }
}

/// A time with its unit.
#[cfg(feature = "serve")]
pub fn time(text: &str) -> Result<humantime::Duration, String> {
    text.parse().map_err(|_| "must be a time with its unit, like 10s or 2min".to_owned())
}

/// A time that may be zero.
#[cfg(feature = "serve")]
pub fn interval(text: &str) -> Result<humantime::Duration, String> {
    text.parse().map_err(|_| "must be a time with its unit, like 1s or 500ms, or 0s".to_owned())
}

#[cfg(feature = "serve")]
pub fn max_batch(text: &str) -> Result<usize, String> {
    whole_number_in(text, 1..=1024)
}

#[cfg(feature = "serve")]
pub fn batch_wait(text: &str) -> Result<humantime::Duration, String> {
    let rule = || "must be a time from 0s to 2ms, like 500us or 1ms".to_owned();
    let wait: humantime::Duration = text.parse().map_err(|_| rule())?;
    if *wait <= burn_digits::serve::MAX_BATCH_WAIT { Ok(wait) } else { Err(rule()) }
}

/// An address with a port, or a port alone: then on the loopback address, for this machine only.
///
/// `localhost` is the loopback address too; other names are not looked up, because they may have
/// several addresses, or that of another machine.
#[cfg(feature = "serve")]
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let rule = || {
        "must be a port like 8080, or an IP address with a port like 0.0.0.0:8080 or [::1]:8080"
            .to_owned()
    };
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let ip: IpAddr = match host {
        "" | "localhost" => Ipv4Addr::LOCALHOST.into(),
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        _ => return Err(rule()),
    };
    Ok(SocketAddr::new(ip, port.parse().map_err(|_| rule())?))
}

#[cfg(all(test, feature = "serve"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_an_ip_address_with_a_port() {
        for (text, expected) in [
            ("9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("0.0.0.0:9000", "0.0.0.0:9000"),
            ("*:9000", "0.0.0.0:9000"),
            ("[::1]:9000", "[::1]:9000"),
        ] {
            assert_eq!(address(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "http://localhost:9000", "example.org:80", "70000", "127.0.0.1"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
