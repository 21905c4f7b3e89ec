//! Text in images, for legends and labels: Noto Sans Mono, as bitmaps.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const WEIGHT: FontWeight = FontWeight::Bold;
const HEIGHT: RasterHeight = RasterHeight::Size20;

/// Width and height of `text` in pixels, at `scale` times the font's size.
pub fn size(text: &str, scale: u32) -> (u32, u32) {
    let width = get_raster_width(WEIGHT, HEIGHT) * text.chars().count();
    (scale * width as u32, scale * HEIGHT.val() as u32)
}

/// Writes `text` with its upper left corner there. Characters beyond ASCII become question marks,
/// and what is outside the image is left out.
pub fn write(
    image: &mut RgbImage,
    text: &str,
    (left, top): (u32, u32),
    colour: Rgb<u8>,
    scale: u32,
) {
    let mut x = left;
    for character in text.chars() {
        let raster = get_raster(character, WEIGHT, HEIGHT)
            .or_else(|| get_raster('?', WEIGHT, HEIGHT))
            .expect("the font has ASCII");
        for (row, line) in raster.raster().iter().enumerate() {
            for (column, &intensity) in line.iter().enumerate() {
                let corner = (x + scale * column as u32, top + scale * row as u32);
                blend(image, corner, scale, colour, intensity);
            }
        }
        x += scale * raster.width() as u32;
    }
}

/// Mixes a square of `side` pixels with a colour: not at all at 0, completely at 255.
fn blend(image: &mut RgbImage, (left, top): (u32, u32), side: u32, colour: Rgb<u8>, intensity: u8) {
    let share = f32::from(intensity) / 255.0;
    for y in top..(top + side).min(image.height()) {
        for x in left..(left + side).min(image.width()) {
            let pixel = image.get_pixel_mut(x, y);
            for (under, over) in pixel.0.iter_mut().zip(colour.0) {
                let mixed = f32::from(*under) * (1.0 - share) + f32::from(over) * share;
                *under = mixed.round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_large_as_it_says_and_is_clipped() {
        let (width, height) = size("70", 2);
        assert_eq!(height, 40);
        let mut image = RgbImage::new(width + 20, height + 20);
        write(&mut image, "70", (10, 10), Rgb([255; 3]), 2);
        let inked: Vec<_> = image.enumerate_pixels().filter(|(_, _, p)| p.0 == [255; 3]).collect();
        assert!(inked.len() > 100);
        let is_inside = |x: u32, y: u32| (10..10 + width).contains(&x) && (10..50).contains(&y);
        assert!(inked.iter().all(|&(x, y, _)| is_inside(x, y)));
        write(&mut image, "7é", (width, height), Rgb([255; 3]), 2);
    }
}
