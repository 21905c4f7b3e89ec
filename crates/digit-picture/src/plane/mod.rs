//! One value per pixel: the array that every step after decoding works on.
//!
//! A [`Plane`] holds grey values first and ink later, so its values have no range of their own;
//! each function says which it expects. What is measured on a plane is in `measures`, what makes a
//! new plane from the neighbourhood of each pixel in `filters`, and the distance transform in
//! `distance`.

mod distance;
mod filters;
mod measures;

pub(crate) use measures::{extremes, median};

/// A two-dimensional array of `f32`, row-major: `values[y * width + x]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

/// A rectangle of a plane's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Rect {
    pub(crate) fn longer_side(&self) -> usize {
        self.width.max(self.height)
    }

    pub(crate) fn shorter_side(&self) -> usize {
        self.width.min(self.height)
    }
}

impl Plane {
    pub(crate) fn new(width: usize, height: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), width * height, "{width} x {height} plane");
        Self { width, height, values }
    }

    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    pub(crate) fn longer_side(&self) -> usize {
        self.width.max(self.height)
    }

    pub(crate) fn shorter_side(&self) -> usize {
        self.width.min(self.height)
    }

    /// The value at the pixel nearest to a point; 0 outside the plane.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return 0.0;
        }
        self.values[y as usize * self.width + x as usize]
    }

    /// The plane with a function applied to every value.
    pub(crate) fn map(&self, function: impl Fn(f32) -> f32) -> Plane {
        let values = self.values.iter().map(|&value| function(value)).collect();
        Plane::new(self.width, self.height, values)
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
    pub(crate) fn cropped(&self, Rect { left, top, width, height }: Rect) -> Plane {
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
}

#[cfg(test)]
impl Plane {
    /// A plane drawn with characters: `#` is 1, `+` is 0.5, everything else 0.
    pub(crate) fn drawn(rows: &[&str]) -> Plane {
        let value = |pixel: char| match pixel {
            '#' => 1.0,
            '+' => 0.5,
            _ => 0.0,
        };
        Plane::new(rows[0].len(), rows.len(), rows.concat().chars().map(value).collect())
    }
}
