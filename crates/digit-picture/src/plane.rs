//! One value per pixel: the grey plane every later step works on, and how any image becomes one.
//!
//! Large images are averaged down while they are read, so that everything after takes about the
//! same time for a photograph as for a small drawing. Colours are reduced to grey along the
//! direction in which this picture's colours differ most, not by a fixed luminance formula: a
//! grey digit on an orange ground can have the ground's luminance and still be plain to see.

use image::DynamicImage;

/// Longest side, in pixels, of the plane on which one digit is looked for.
pub(crate) const MAX_SIDE: u32 = 400;

/// A grey image, row-major; the values' range is the maker's business.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

impl Plane {
    pub(crate) fn new(width: usize, height: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), width * height, "{width} x {height} plane");
        Self { width, height, values }
    }

    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// The value at the pixel nearest to a point; 0 outside.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return 0.0;
        }
        self.values[y as usize * self.width + x as usize]
    }

    /// The plane with `margin` pixels of 0 added on every side.
    pub(crate) fn with_margin(&self, margin: usize) -> Plane {
        let (width, height) = (self.width + 2 * margin, self.height + 2 * margin);
        let mut values = vec![0.0; width * height];
        for y in 0..self.height {
            let start = (y + margin) * width + margin;
            values[start..start + self.width].copy_from_slice(self.row(y));
        }
        Plane::new(width, height, values)
    }

    /// The part of the plane inside a rectangle.
    pub(crate) fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Plane {
        let rows = (top..top + height).flat_map(|y| &self.row(y)[left..left + width]);
        Plane::new(width, height, rows.copied().collect())
    }

    /// The plane with rows and columns exchanged.
    pub(crate) fn transposed(&self) -> Plane {
        let mut values = Vec::with_capacity(self.values.len());
        for x in 0..self.width {
            values.extend((0..self.height).map(|y| self.values[y * self.width + x]));
        }
        Plane::new(self.height, self.width, values)
    }

    /// Mean over the window of `2 * radius + 1` pixels square, cut off at the plane's edges.
    pub(crate) fn box_mean(&self, radius: usize) -> Plane {
        self.mean_along_rows(radius).transposed().mean_along_rows(radius).transposed()
    }

    fn mean_along_rows(&self, radius: usize) -> Plane {
        let mut values = Vec::with_capacity(self.values.len());
        let mut sums = vec![0.0f64; self.width + 1];
        for y in 0..self.height {
            for (x, &value) in self.row(y).iter().enumerate() {
                sums[x + 1] = sums[x] + f64::from(value);
            }
            values.extend((0..self.width).map(|x| {
                let (from, to) = (x.saturating_sub(radius), (x + radius + 1).min(self.width));
                ((sums[to] - sums[from]) / (to - from) as f64) as f32
            }));
        }
        Plane::new(self.width, self.height, values)
    }
}

/// How many pixels a side of an image go into one pixel of its plane.
pub(crate) fn reduction(image: &DynamicImage, max_side: u32) -> usize {
    image.width().max(image.height()).div_ceil(max_side).max(1) as usize
}

/// Reduces an image to a grey plane of at most `max_side` a side, values in about [0, 1].
///
/// Transparent pixels show white, or black where the ink shows better on it (white strokes on a
/// transparent canvas).
pub(crate) fn grey(image: &DynamicImage, max_side: u32) -> Plane {
    let bins = Bins {
        width: image.width() as usize,
        height: image.height() as usize,
        side: reduction(image, max_side),
    };
    match image {
        DynamicImage::ImageLuma8(grey) if bins.side == 1 => {
            let values = grey.as_raw().iter().map(|&v| f32::from(v) / 255.0).collect();
            Plane::new(grey.width() as usize, grey.height() as usize, values)
        }
        DynamicImage::ImageLuma8(grey) => {
            along_widest_axis(bins.average(grey.as_raw(), |&[v]: &[u8; 1]| [f32::from(v); 3]))
        }
        DynamicImage::ImageRgb8(rgb) => {
            along_widest_axis(bins.average(rgb.as_raw(), |p: &[u8; 3]| p.map(f32::from)))
        }
        DynamicImage::ImageRgba8(rgba) => {
            let over = |ground: f32| {
                along_widest_axis(bins.average(rgba.as_raw(), |&[r, g, b, a]: &[u8; 4]| {
                    let alpha = f32::from(a) / 255.0;
                    [r, g, b].map(|c| f32::from(c) * alpha + ground * (1.0 - alpha))
                }))
            };
            let on_white = over(255.0);
            if rgba.as_raw().iter().skip(3).step_by(4).all(|&alpha| alpha == 255) {
                return on_white;
            }
            let on_black = over(0.0);
            if range(&on_black) > range(&on_white) { on_black } else { on_white }
        }
        other if other.color().has_alpha() => {
            grey(&DynamicImage::ImageRgba8(other.to_rgba8()), max_side)
        }
        other if other.color().has_color() => {
            grey(&DynamicImage::ImageRgb8(other.to_rgb8()), max_side)
        }
        other => grey(&DynamicImage::ImageLuma8(other.to_luma8()), max_side),
    }
}

fn range(plane: &Plane) -> f32 {
    let (low, high) =
        plane.values.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    high - low
}

/// Colours in [0, 255], one per bin of the reduced image.
struct Colours {
    width: usize,
    height: usize,
    values: Vec<[f32; 3]>,
}

/// How many source pixels a side go into one pixel of the plane.
struct Bins {
    width: usize,
    height: usize,
    side: usize,
}

impl Bins {
    /// The mean colour of every bin; bins at the right and lower edge may be smaller.
    fn average<const N: usize>(
        &self,
        samples: &[u8],
        colour: impl Fn(&[u8; N]) -> [f32; 3],
    ) -> Colours {
        let (pixels, _) = samples.as_chunks::<N>();
        let (width, height) = (self.width.div_ceil(self.side), self.height.div_ceil(self.side));
        if self.side == 1 {
            return Colours { width, height, values: pixels.iter().map(colour).collect() };
        }
        let mut values = Vec::with_capacity(width * height);
        for rows in pixels.chunks(self.side * self.width) {
            let first = values.len();
            values.resize(first + width, [0.0; 3]);
            for row in rows.chunks(self.width) {
                for (bin, pixels) in values[first..].iter_mut().zip(row.chunks(self.side)) {
                    for pixel in pixels {
                        let [r, g, b] = colour(pixel);
                        *bin = [bin[0] + r, bin[1] + g, bin[2] + b];
                    }
                }
            }
            let bin_height = rows.len() / self.width;
            for (x, bin) in values[first..].iter_mut().enumerate() {
                let bin_width = self.side.min(self.width - x * self.side);
                *bin = bin.map(|sum| sum / (bin_width * bin_height) as f32);
            }
        }
        Colours { width, height, values }
    }
}

/// Projects colours on the first principal axis of their distribution, light end up, scaled so
/// that a purely grey picture keeps its grey values in [0, 1].
fn along_widest_axis(colours: Colours) -> Plane {
    let Colours { width, height, values } = colours;
    let is_grey = values.iter().all(|[r, g, b]| r == g && g == b);
    let axis = if is_grey { [1.0 / 3.0; 3] } else { widest_axis(&values) };
    let project = |c: &[f32; 3]| (axis[0] * c[0] + axis[1] * c[1] + axis[2] * c[2]) / 255.0;
    Plane::new(width, height, values.iter().map(project).collect())
}

/// First principal component of the colours by power iteration, its coefficients' absolute
/// values summing to 1.
fn widest_axis(colours: &[[f32; 3]]) -> [f32; 3] {
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
    // Luminance to start from, a little off it so that no pure colour axis is orthogonal to it.
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
