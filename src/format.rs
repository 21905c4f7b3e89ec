//! Numbers and names as text for people: in tables, on pages, on the axes of plots, in messages.

use std::borrow::Cow;
use std::path::Path;

use serde::{Serialize, Serializer};

/// A fraction as a percentage with two decimals.
///
/// ```
/// assert_eq!(burn_digits::internal::format::percent(0.98764), "98.76 %");
/// ```
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// A count with commas between groups of three digits.
///
/// ```
/// use burn_digits::internal::format::thousands;
///
/// assert_eq!([0, 999, 1_000, 242_762].map(thousands), ["0", "999", "1,000", "242,762"]);
/// ```
pub fn thousands(count: usize) -> String {
    grouped(&count.to_string())
}

/// Digits with commas between groups of three.
fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun, in the singular or the plural.
///
/// ```
/// use burn_digits::internal::format::counted;
///
/// assert_eq!([1, 2_000].map(|n| counted(n, "epoch")), ["1 epoch", "2,000 epochs"]);
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(count))
}

/// A confidence as a JSON number with four decimals, rounded down, so that only certainty is 1 and
/// no answer below a threshold seems to reach it.
///
/// A fraction's further digits say nothing about a picture, and those of an `f32` differ between
/// backends. The probabilities beside it are not rounded.
pub fn serialize_confidence<S: Serializer>(
    confidence: &f32,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(round_down(*confidence))
}

/// Like [`serialize_confidence`], and null without an answer.
pub fn serialize_optional_confidence<S: Serializer>(
    confidence: &Option<f32>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    confidence.map(round_down).serialize(serializer)
}

/// Rounds a probability down to four decimals.
///
/// ```
/// use burn_digits::internal::format::round_down;
///
/// assert_eq!([0.999_984_7, 1.0, 0.8, 0.0].map(round_down), [0.9999, 1.0, 0.8, 0.0]);
/// ```
pub fn round_down(probability: f32) -> f64 {
    // A decimal fraction such as 0.7 is a little less as an f32, which must not cost a digit.
    ((f64::from(probability) + f64::from(f32::EPSILON) / 4.0) * 1e4).floor() / 1e4
}

/// A number as a decimal where that is short, with commas as in [`thousands`]; otherwise in scientific
/// notation with two significant digits at most.
///
/// ```
/// use burn_digits::internal::format::scientific;
///
/// assert_eq!([0.05, -1000.5, 20_000.0].map(scientific), ["0.05", "-1,000.5", "20,000"]);
/// assert_eq!([9.9999e-8, 2e9].map(scientific), ["10⁻⁷", "2·10⁹"]);
/// ```
pub fn scientific(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        let decimal = ((value * 1e9).round() / 1e9).to_string();
        let (whole, fraction) = decimal.split_at(decimal.find('.').unwrap_or(decimal.len()));
        let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
        return format!("{sign}{}{fraction}", grouped(digits));
    }
    let exponential = format!("{value:.1e}");
    let Some((factor, exponent)) = exponential.split_once('e') else { return exponential };
    let factor = factor.trim_end_matches(".0");
    let exponent: String = exponent.chars().map(superscript).collect();
    if factor == "1" { format!("10{exponent}") } else { format!("{factor}·10{exponent}") }
}

/// A path in a message or a table; see [`printable`].
pub fn path(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// A name that someone else chose, such as a file's or a tensor's, without the characters that a
/// terminal obeys instead of showing: control characters (line breaks included) and those that
/// reverse the direction of text. They appear as Rust writes them in a string.
///
/// ```
/// use burn_digits::internal::format::printable;
///
/// assert_eq!(printable("7 é.png"), "7 é.png");
/// assert_eq!(printable("\u{1b}[31m7\n.png"), r"\u{1b}[31m7\n.png");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, is_obeyed)
}

/// Like [`printable`], but keeps line breaks and tabs: for a message of several lines.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| is_obeyed(character) && !matches!(character, '\n' | '\t'))
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal does something for this character instead of showing it.
fn is_obeyed(character: char) -> bool {
    // Separators of lines and paragraphs; embeddings, overrides and isolates of direction (Unicode
    // Standard Annex 9).
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn superscript(character: char) -> char {
    match character {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit
            .to_digit(10)
            .and_then(|digit| char::from_u32('⁰' as u32 + digit))
            .unwrap_or(character),
    }
}
