//! Picture to grey plane.
//!
//! A large picture is averaged down first, so that everything after takes about the same time for a
//! photograph as for a small drawing. Colours are reduced to grey along the direction in which this
//! picture's colours differ most, not by a fixed luminance formula: a grey digit on an orange
//! background can have the background's luminance and still be easy to see.

use image::DynamicImage;

use crate::plane::{Plane, extremes};

/// The factor by which a picture's width and height are reduced so that neither exceeds `max_side`
/// pixels.
pub(crate) fn reduction_factor(picture: &DynamicImage, max_side: u32) -> usize {
    picture.width().max(picture.height()).div_ceil(max_side).max(1) as usize
}

/// Reduces a picture to a grey plane of at most `max_side` pixels a side, values in about [0, 1].
///
/// Transparent pixels become white, or black where the ink has more contrast with black (white
/// strokes on a transparent canvas).
pub(crate) fn grey_plane(picture: &DynamicImage, max_side: u32) -> Plane {
    let binning = Binning {
        width: picture.width() as usize,
        height: picture.height() as usize,
        factor: reduction_factor(picture, max_side),
    };
    match picture {
        DynamicImage::ImageLuma8(grey) if binning.factor == 1 => {
            let values = grey.as_raw().iter().map(|&v| f32::from(v) / 255.0).collect();
            Plane::new(grey.width() as usize, grey.height() as usize, values)
        }
        DynamicImage::ImageLuma8(grey) => along_principal_axis(
            binning.mean_colours(grey.as_raw(), |&[v]: &[u8; 1]| [f32::from(v); 3]),
        ),
        DynamicImage::ImageRgb8(rgb) => {
            along_principal_axis(binning.mean_colours(rgb.as_raw(), |p: &[u8; 3]| p.map(f32::from)))
        }
        DynamicImage::ImageRgba8(rgba) => {
            let over = |background: f32| {
                along_principal_axis(binning.mean_colours(
                    rgba.as_raw(),
                    |&[r, g, b, a]: &[u8; 4]| {
                        let alpha = f32::from(a) / 255.0;
                        [r, g, b].map(|c| f32::from(c) * alpha + background * (1.0 - alpha))
                    },
                ))
            };
            let on_white = over(255.0);
            if rgba.as_raw().iter().skip(3).step_by(4).all(|&alpha| alpha == 255) {
                return on_white;
            }
            let on_black = over(0.0);
            if contrast(&on_black) > contrast(&on_white) { on_black } else { on_white }
        }
        other if other.color().has_alpha() => {
            grey_plane(&DynamicImage::ImageRgba8(other.to_rgba8()), max_side)
        }
        other if other.color().has_color() => {
            grey_plane(&DynamicImage::ImageRgb8(other.to_rgb8()), max_side)
        }
        other => grey_plane(&DynamicImage::ImageLuma8(other.to_luma8()), max_side),
    }
}

fn contrast(plane: &Plane) -> f32 {
    let (low, high) = extremes(&plane.values);
    high - low
}

/// The colours of a reduced picture: red, green and blue in [0, 255], row-major.
struct Colours {
    width: usize,
    height: usize,
    values: Vec<[f32; 3]>,
}

/// How a picture is reduced: each square of `factor` × `factor` pixels becomes one.
struct Binning {
    /// The picture's width, in pixels.
    width: usize,
    /// The picture's height, in pixels.
    height: usize,
    factor: usize,
}

impl Binning {
    /// The mean colour of every bin; bins at the right and lower edges may be smaller. `N` is the
    /// number of samples per pixel.
    fn mean_colours<const N: usize>(
        &self,
        samples: &[u8],
        colour: impl Fn(&[u8; N]) -> [f32; 3],
    ) -> Colours {
        let (pixels, _) = samples.as_chunks::<N>();
        let (width, height) = (self.width.div_ceil(self.factor), self.height.div_ceil(self.factor));
        if self.factor == 1 {
            return Colours { width, height, values: pixels.iter().map(colour).collect() };
        }
        let mut values = Vec::with_capacity(width * height);
        for rows in pixels.chunks(self.factor * self.width) {
            let first = values.len();
            values.resize(first + width, [0.0; 3]);
            for row in rows.chunks(self.width) {
                for (bin, pixels) in values[first..].iter_mut().zip(row.chunks(self.factor)) {
                    for pixel in pixels {
                        let [r, g, b] = colour(pixel);
                        *bin = [bin[0] + r, bin[1] + g, bin[2] + b];
                    }
                }
            }
            let bin_height = rows.len() / self.width;
            for (x, bin) in values[first..].iter_mut().enumerate() {
                let bin_width = self.factor.min(self.width - x * self.factor);
                *bin = bin.map(|sum| sum / (bin_width * bin_height) as f32);
            }
        }
        Colours { width, height, values }
    }
}

/// Projects colours on the first principal axis of their distribution, the light end up, scaled so
/// that a purely grey picture keeps its grey values in [0, 1].
fn along_principal_axis(colours: Colours) -> Plane {
    let Colours { width, height, values } = colours;
    let is_grey = values.iter().all(|[r, g, b]| r == g && g == b);
    let axis = if is_grey { [1.0 / 3.0; 3] } else { principal_axis(&values) };
    let project = |c: &[f32; 3]| (axis[0] * c[0] + axis[1] * c[1] + axis[2] * c[2]) / 255.0;
    Plane::new(width, height, values.iter().map(project).collect())
}

/// The first principal component of the colours by power iteration, the absolute values of its
/// coefficients summing to 1.
fn principal_axis(colours: &[[f32; 3]]) -> [f32; 3] {
    let count = colours.len().max(1) as f64;
    let mean: [f64; 3] =
        std::array::from_fn(|i| colours.iter().map(|c| f64::from(c[i])).sum::<f64>() / count);
    let mut covariance = [[0.0f64; 3]; 3];
    for colour in colours {
        let d: [f64; 3] = std::array::from_fn(|i| f64::from(colour[i]) - mean[i]);
        for i in 0..3 {
            for j in 0..3 {
                covariance[i][j] += d[i] * d[j];
            }
        }
    }
    // Starts near luminance, with coefficients that make it orthogonal to no likely axis.
    let mut axis = [0.31, 0.56, 0.13];
    for _ in 0..30 {
        let next: [f64; 3] =
            std::array::from_fn(|i| (0..3).map(|j| covariance[i][j] * axis[j]).sum());
        let length = next.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length < 1e-9 {
            break;
        }
        axis = next.map(|v| v / length);
    }
    let sum: f64 = axis.iter().sum();
    let norm: f64 = axis.iter().map(|v| v.abs()).sum();
    axis.map(|v| (v / norm * if sum < 0.0 { -1.0 } else { 1.0 }) as f32)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, Rgb, RgbImage};

    use super::*;

    #[test]
    fn a_bin_is_the_mean_of_its_pixels_and_smaller_at_the_edges() {
        // 5 × 3 pixels in bins of 2 × 2: a grey picture and the same one in colour.
        let grey = GrayImage::from_fn(5, 3, |x, y| Luma([(10 * x + 50 * y) as u8]));
        let colour = RgbImage::from_fn(5, 3, |x, y| Rgb([grey.get_pixel(x, y).0[0]; 3]));
        // The first row of bins: means of {0, 10, 50, 60}, {20, 30, 70, 80} and {40, 90}; the
        // second: of {100, 110}, {120, 130} and {140}.
        let expected = [30.0, 50.0, 65.0, 105.0, 125.0, 140.0];
        for picture in [DynamicImage::from(grey), DynamicImage::from(colour)] {
            let plane = grey_plane(&picture, 3);
            assert_eq!((plane.width, plane.height), (3, 2));
            for (value, expected) in plane.values.iter().zip(expected) {
                assert!((255.0 * value - expected).abs() < 1e-3, "{value} {expected}");
            }
        }
    }

    #[test]
    fn the_principal_axis_of_red_and_blue_pixels_joins_the_two() {
        // Along (1, 0, -1); the sign is that of the first coefficient's start.
        let [r, g, b] = principal_axis(&[[200.0, 90.0, 10.0], [10.0, 90.0, 200.0]]);
        assert!((r - 0.5).abs() < 1e-6 && g.abs() < 1e-6 && (b + 0.5).abs() < 1e-6, "{r} {g} {b}");
    }
}
