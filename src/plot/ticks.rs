//! Where an axis has its numbers, and how they are written.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// An axis with its own numbers: plotters' own are fractions where epochs are meant, and powers of ten
/// alone however short a logarithmic scale is.
pub struct Axis {
    low: f64,
    /// Its end.
    pub high: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl Axis {
    /// From `low` to `high`, its numbers `least` apart or more.
    pub fn even(low: f64, high: f64, least: f64) -> Self {
        Self { low, high, is_log: false, ticks: even(low, high, least) }
    }

    /// From `low` to `high`, both above 0.
    pub fn logarithmic(low: f64, high: f64) -> Self {
        Self { low, high, is_log: true, ticks: logarithmic(low, high) }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let scaled = |value: f64| if self.is_log { value.ln() } else { value };
        let share = (scaled(*value) - scaled(self.low)) / (scaled(self.high) - scaled(self.low));
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Plotters asks for the finer ones too, which there are none of.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// About so many numbers stand on an axis.
const ABOUT: f64 = 6.0;

/// Multiples of 1, 2 or 5 times a power of ten, and of `least` at least, from `low` to `high`.
fn even(low: f64, high: f64, least: f64) -> Vec<f64> {
    let wanted = ((high - low) / ABOUT).max(least);
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(wanted);
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Powers of ten from `low` to `high`, both above 0; with 2 and 5 between, or even numbers, where
/// the range is short.
fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    if decades < 0.8 {
        return even(low, high, 0.0);
    }
    let factors: &[f64] = if decades < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (decades / ABOUT).ceil().max(1.0) as usize;
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let powers = powers.filter(|power| power.rem_euclid(every as i32) == 0);
    powers
        .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

/// A number on an axis: plain where that is short, otherwise a power of ten.
///
/// ```
/// use burn_digits::plot::number;
///
/// assert_eq!((number(0.05), number(1000.0)), ("0.05".to_owned(), "1000".to_owned()));
/// assert_eq!((number(9.9999e-8), number(2e9)), ("10⁻⁷".to_owned(), "2·10⁹".to_owned()));
/// ```
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        return format!("{}", (value * 1e9).round() / 1e9);
    }
    let written = format!("{value:.1e}");
    let Some((factor, exponent)) = written.split_once('e') else { return written };
    let factor = factor.trim_end_matches(".0");
    let raised: String = exponent.chars().map(raised).collect();
    if factor == "1" { format!("10{raised}") } else { format!("{factor}·10{raised}") }
}

fn raised(character: char) -> char {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_axis_are_round_and_few() {
        assert_eq!(even(0.0, 120.0, 1.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]);
        assert_eq!(even(1.0, 4.0, 1.0), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(even(-1.002, -0.9, 0.0).len(), 6);
        assert_eq!(logarithmic(0.4, 9.0), [0.5, 1.0, 2.0, 5.0]);
        assert_eq!(logarithmic(0.005, 20.0), [0.01, 0.1, 1.0, 10.0]);
    }
}
