//! Numbers as text for people: in tables, on pages and on the axes of plots.

/// A fraction as a percentage with two decimals.
///
/// ```
/// assert_eq!(burn_digits::internal::percent(0.98764), "98.76 %");
/// ```
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// A count with commas between groups of three digits.
///
/// ```
/// use burn_digits::internal::thousands;
///
/// assert_eq!([0, 999, 1_000, 242_762].map(thousands), ["0", "999", "1,000", "242,762"]);
/// ```
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number as a decimal where that is short, otherwise in scientific notation with two significant
/// digits at most.
///
/// ```
/// use burn_digits::internal::scientific;
///
/// assert_eq!([0.05, 1000.0].map(scientific), ["0.05", "1000"]);
/// assert_eq!([9.9999e-8, 2e9].map(scientific), ["10⁻⁷", "2·10⁹"]);
/// ```
pub fn scientific(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        return format!("{}", (value * 1e9).round() / 1e9);
    }
    let exponential = format!("{value:.1e}");
    let Some((factor, exponent)) = exponential.split_once('e') else { return exponential };
    let factor = factor.trim_end_matches(".0");
    let exponent: String = exponent.chars().map(superscript).collect();
    if factor == "1" { format!("10{exponent}") } else { format!("{factor}·10{exponent}") }
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
