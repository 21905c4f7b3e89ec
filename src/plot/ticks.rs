//! The axes of charts: the positions of their ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// An axis with ticks of its own. Those of plotters are fractions on an axis of epochs, and on a
/// logarithmic axis powers of ten only, however short it is.
#[derive(Clone)]
pub struct ChartAxis {
    low: f64,
    /// The end of the axis.
    pub high: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl ChartAxis {
    /// A linear axis from `low` to `high` with ticks at least `min_step` apart.
    pub fn linear(low: f64, high: f64, min_step: f64) -> Self {
        Self { low, high, is_log: false, ticks: linear_ticks(low, high, min_step) }
    }

    /// A logarithmic axis from `low` to `high`, both above 0. `has_zero` adds a tick for 0 below
    /// `low`, where a logarithmic scale has no end.
    pub fn logarithmic(low: f64, high: f64, has_zero: bool) -> Self {
        let mut ticks = logarithmic_ticks(low, high);
        if !has_zero {
            return Self { low, high, is_log: true, ticks };
        }
        ticks.insert(0, 0.0);
        let below = low / (high / low).powf(ZERO_DISTANCE);
        Self { low: below, high, is_log: true, ticks }
    }

    /// The value at the start of the axis; 0 where the axis shows it.
    pub fn bottom(&self) -> f64 {
        match self.ticks.first() {
            Some(&first) if first < self.low => first,
            _ => self.low,
        }
    }
}

impl Ranged for ChartAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        // 0 and less are at the lower edge of a logarithmic axis.
        let scaled = |value: f64| if self.is_log { value.max(self.low).ln() } else { value };
        let fraction = (scaled(*value) - scaled(self.low)) / (scaled(self.high) - scaled(self.low));
        from + (f64::from(to - from) * fraction).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // plotters also asks for minor ticks. There are none.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// The distance between 0 and the smallest other value on a logarithmic axis, as a share of the
/// rest.
const ZERO_DISTANCE: f64 = 0.08;
/// The approximate number of ticks on an axis.
const TICKS_PER_AXIS: f64 = 6.0;

/// Ticks from `low` to `high` whose distance is 1, 2 or 5 times a power of ten, at least
/// `min_step`.
fn linear_ticks(low: f64, high: f64, min_step: f64) -> Vec<f64> {
    let target = ((high - low) / TICKS_PER_AXIS).max(min_step);
    let power = 10f64.powf(target.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= target * 0.999)
        .unwrap_or(target);
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Ticks at powers of ten from `low` to `high`, both above 0. Below 2.2 decades also at 2 and 5
/// times powers of ten; below 0.8 decades as on a linear axis.
fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    if decades < 0.8 {
        return linear_ticks(low, high, 0.0);
    }
    let factors: &[f64] = if decades < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (decades / TICKS_PER_AXIS).ceil().max(1.0) as usize;
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let powers = powers.filter(|power| power.rem_euclid(every as i32) == 0);
    powers
        .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_at_round_numbers() {
        assert_eq!(linear_ticks(0.0, 120.0, 1.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]);
        assert_eq!(linear_ticks(1.0, 4.0, 1.0), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(linear_ticks(-1.002, -0.9, 0.0).len(), 6);
        assert_eq!(logarithmic_ticks(0.4, 9.0), [0.5, 1.0, 2.0, 5.0]);
        let axis = ChartAxis::logarithmic(0.1, 10.0, true);
        assert_eq!(axis.ticks, [0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        // From 100 pixels at the bottom to 0: 0 is there, 0.1 above it, and 10 at the top.
        let [zero, tenth, ten] = [0.0, 0.1, 10.0].map(|value| axis.map(&value, (100, 0)));
        assert_eq!((zero, tenth, ten), (100, 93, 0));
        assert_eq!(logarithmic_ticks(0.005, 20.0), [0.01, 0.1, 1.0, 10.0]);
    }
}
