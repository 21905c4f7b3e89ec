//! The connected components of ink: what is drawn without a gap is one component.

use crate::plane::Plane;

/// A component without a pixel of this much ink is too faint to be a digit.
pub(crate) const MIN_DIGIT_PEAK: f32 = 0.5;
/// A component without a pixel of this much ink is too faint to be a part of a digit.
pub(crate) const MIN_PART_PEAK: f32 = 0.4;

/// A connected component, or several joined: its bounding box (inclusive), and how much ink it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) right: usize,
    pub(crate) bottom: usize,
    /// The sum of its ink.
    pub(crate) mass: f32,
    /// The ink of its fullest pixel.
    pub(crate) peak: f32,
    /// Whether it reaches the edge of the plane.
    pub(crate) touches_edge: bool,
}

impl Component {
    pub(crate) fn width(&self) -> usize {
        self.right - self.left + 1
    }

    pub(crate) fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    pub(crate) fn longer_side(&self) -> usize {
        self.width().max(self.height())
    }

    /// The columns from one box to the other: 0 where they overlap, 1 where they are adjacent.
    fn horizontal_gap(&self, other: &Self) -> usize {
        self.left.saturating_sub(other.right).max(other.left.saturating_sub(self.right))
    }

    /// The rows from one box to the other: 0 where they overlap, 1 where they are adjacent.
    pub(crate) fn vertical_gap(&self, other: &Self) -> usize {
        self.top.saturating_sub(other.bottom).max(other.top.saturating_sub(self.bottom))
    }

    /// The larger of the horizontal and the vertical gap.
    pub(crate) fn gap(&self, other: &Self) -> usize {
        self.horizontal_gap(other).max(self.vertical_gap(other))
    }

    /// The columns that two boxes share, as a share of the narrower box's width.
    pub(crate) fn shared_width(&self, other: &Self) -> f32 {
        let shared =
            (self.right.min(other.right) + 1).saturating_sub(self.left.max(other.left)) as f32;
        shared / self.width().min(other.width()) as f32
    }

    /// The rows that two boxes share, as a share of the lower box's height.
    pub(crate) fn shared_height(&self, other: &Self) -> f32 {
        let shared =
            (self.bottom.min(other.bottom) + 1).saturating_sub(self.top.max(other.top)) as f32;
        shared / self.height().min(other.height()) as f32
    }

    /// Both as one.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
            mass: self.mass + other.mass,
            peak: self.peak.max(other.peak),
            touches_edge: self.touches_edge || other.touches_edge,
        }
    }
}

/// The components of a plane of ink, and which pixels belong to each.
pub(crate) struct Labelling {
    /// One label per pixel: 0 is paper, `n` belongs to `components[n - 1]`.
    pub(crate) labels: Vec<u32>,
    pub(crate) components: Vec<Component>,
}

/// Labels the 8-connected components of the pixels above 0.
pub(crate) fn connected_components(ink: &Plane) -> Labelling {
    let (width, height) = (ink.width, ink.height);
    let mut labels = vec![0u32; width * height];
    let mut components = Vec::new();
    let mut open = Vec::new();
    for start in 0..labels.len() {
        if labels[start] != 0 || ink.values[start] <= 0.0 {
            continue;
        }
        let label = components.len() as u32 + 1;
        let mut component = Component {
            left: usize::MAX,
            top: usize::MAX,
            right: 0,
            bottom: 0,
            mass: 0.0,
            peak: 0.0,
            touches_edge: false,
        };
        labels[start] = label;
        open.push(start);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            component.left = component.left.min(x);
            component.right = component.right.max(x);
            component.top = component.top.min(y);
            component.bottom = component.bottom.max(y);
            component.mass += ink.values[at];
            component.peak = component.peak.max(ink.values[at]);
            for ny in y.saturating_sub(1)..(y + 2).min(height) {
                for nx in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = ny * width + nx;
                    if labels[next] == 0 && ink.values[next] > 0.0 {
                        labels[next] = label;
                        open.push(next);
                    }
                }
            }
        }
        component.touches_edge = component.left == 0
            || component.top == 0
            || component.right + 1 == width
            || component.bottom + 1 == height;
        components.push(component);
    }
    Labelling { labels, components }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_neighbours_are_connected_and_a_gap_of_one_pixel_parts() {
        let ink = Plane::drawn(&["......", ".#..#.", "..+.#.", ".+..#.", "......", ".#...."]);
        let Labelling { labels, components } = connected_components(&ink);
        #[rustfmt::skip]
        let expected = [
            0, 0, 0, 0, 0, 0,
            0, 1, 0, 0, 2, 0,
            0, 0, 1, 0, 2, 0,
            0, 1, 0, 0, 2, 0,
            0, 0, 0, 0, 0, 0,
            0, 3, 0, 0, 0, 0,
        ];
        assert_eq!(labels, expected);
        let [hook, bar, dot] = components[..] else { panic!("{components:?}") };
        assert_eq!((hook.left, hook.top, hook.right, hook.bottom), (1, 1, 2, 3));
        assert_eq!((hook.mass, hook.peak, hook.touches_edge), (2.0, 1.0, false));
        assert_eq!((bar.width(), bar.height(), bar.longer_side()), (1, 3, 3));
        assert!(dot.touches_edge && !bar.touches_edge);
        // Columns 1 to 2 and 4; rows 1 to 3 and 5.
        assert_eq!((hook.gap(&bar), hook.gap(&dot)), (2, 2));
        assert_eq!((hook.shared_height(&bar), hook.shared_width(&dot)), (1.0, 1.0));
        let both = hook.union(&dot);
        assert_eq!((both.left, both.top, both.right, both.bottom), (1, 1, 2, 5));
        assert_eq!((both.mass, both.touches_edge), (3.0, true));
    }
}
