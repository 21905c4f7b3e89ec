//! The colours of positive and negative values in images: orange and blue, brighter with size.
//!
//! Attributions and weights share them, and the drawing page of `serve` has the same hues, so that
//! orange means "for" everywhere. Colour-blind people can tell the two apart.

use image::Rgb;

/// The background around images, grey: black and bright squares both stand out from it, on light
/// pages and on dark ones.
pub const IMAGE_BACKGROUND: Rgb<u8> = Rgb([128, 128, 128]);

/// Orange: above 0, for a digit.
pub const POSITIVE: [f32; 3] = [255.0, 150.0, 40.0];
/// Blue: below 0, against it.
pub const NEGATIVE: [f32; 3] = [60.0, 160.0, 255.0];

/// The colour of `value`: orange above 0, otherwise blue. `strength` 0 gives the grey level `grey`
/// (0 to 255), 1 gives the full colour, and values between are interpolated linearly.
pub fn signed(value: f32, strength: f32, grey: f32) -> [u8; 3] {
    let hue = if value > 0.0 { POSITIVE } else { NEGATIVE };
    hue.map(|channel| (strength * channel + (1.0 - strength) * grey).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_values_are_orange_negative_ones_blue_and_weak_ones_grey() {
        assert_eq!(signed(2.0, 1.0, 70.0), [255, 150, 40]);
        assert_eq!(signed(-2.0, 1.0, 70.0), [60, 160, 255]);
        assert_eq!(signed(0.0, 0.0, 70.0), [70; 3]);
        // Half way: (255 + 0) / 2 rounded, 75, 20.
        assert_eq!(signed(0.1, 0.5, 0.0), [128, 75, 20]);
    }
}
