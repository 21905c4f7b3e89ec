//! Where each pixel of the distorted image comes from, and reading it there by bilinear
//! interpolation.

use crate::elastic::Field;
use crate::padded::{PADDED, STRIDE};
use crate::size::{PIXELS, ROW_LANES, SIDE};

/// The point of the source that an output pixel shows, both relative to the image's centre: `(x[0]
/// u + x[1] v, y[0] u + y[1] v)` for the pixel (u, v), after the shift is subtracted from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine {
    pub x: [f32; 2],
    pub y: [f32; 2],
    pub shift: [f32; 2],
}

/// The point of the padded image that each pixel of the distorted image shows.
#[derive(Default)]
pub(crate) struct SamplePoints {
    /// Index of the pixel above and left of the point.
    at: [[u16; ROW_LANES]; SIDE],
    /// Distance of the point to the right of that pixel, 0 to 1. Before [`Self::locate`], the
    /// elastic displacement along x.
    pub right: Field,
    /// Distance of the point below that pixel, 0 to 1. Before [`Self::locate`], the elastic
    /// displacement along y.
    pub below: Field,
}

impl SamplePoints {
    /// Computes the points from the affine map and the elastic displacements.
    #[inline(always)]
    pub(crate) fn locate(&mut self, affine: &Affine) {
        let centre = (SIDE - 1) as f32 / 2.0;
        for row in 0..SIDE {
            let v = row as f32 - centre - affine.shift[1];
            let (at, right, below) =
                (&mut self.at[row], &mut self.right[row], &mut self.below[row]);
            for column in 0..ROW_LANES {
                let u = column as f32 - centre - affine.shift[0];
                let x = affine.x[0] * u + affine.x[1] * v + centre + right[column];
                let y = affine.y[0] * u + affine.y[1] * v + centre + below[column];
                let (x, y) = (fixed_point(x), fixed_point(y));
                at[column] = ((y >> 8) * STRIDE as u32 + (x >> 8)) as u16;
                right[column] = (x & 255) as f32 * (1.0 / 256.0);
                below[column] = (y & 255) as f32 * (1.0 / 256.0);
            }
        }
    }
}

/// Fills `out` from the padded image by bilinear interpolation.
///
/// Not compiled for the widest vectors: their gathering loads are slower than four plain ones.
pub(crate) fn sample(padded: &[f32; PADDED], points: &SamplePoints, out: &mut [f32; PIXELS]) {
    let SamplePoints { at, right, below } = points;
    let rows = at.iter().zip(right).zip(below).zip(out.as_chunks_mut::<SIDE>().0);
    for (((at, right), below), shown) in rows {
        for column in 0..SIDE {
            let at = usize::from(at[column]) & 1023;
            let upper = lerp(padded[at], padded[at + 1], right[column]);
            let lower = lerp(padded[at + STRIDE], padded[at + STRIDE + 1], right[column]);
            shown[column] = lerp(upper, lower, below[column]);
        }
    }
}

/// A coordinate of the image as one of the padded image, in 256ths of a pixel. Coordinates outside
/// the black border become the border.
///
/// Adding 2¹⁵ leaves 8 bits of an f32's mantissa for the fraction, so that the number can be taken
/// from the bits: three vector instructions, fewer than a checked conversion to an integer.
#[inline(always)]
fn fixed_point(coordinate: f32) -> u32 {
    (coordinate.clamp(-1.0, SIDE as f32) + 32_769.0).to_bits() & 0x1fff
}

/// Linear interpolation.
#[inline(always)]
fn lerp(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::padded::pad;

    fn dot(x: usize, y: usize) -> [u8; PIXELS] {
        let mut image = [0; PIXELS];
        image[y * SIDE + x] = 255;
        image
    }

    /// Samples with this map and these displacements of every pixel.
    fn mapped(source: &[u8; PIXELS], affine: Affine, displacement: [f32; 2]) -> [f32; PIXELS] {
        let mut padded = [0.0; PADDED];
        pad(source, 0.0, &mut padded);
        let mut points = SamplePoints::default();
        points.right.as_flattened_mut().fill(displacement[0]);
        points.below.as_flattened_mut().fill(displacement[1]);
        points.locate(&affine);
        let mut out = [-1.0; PIXELS];
        sample(&padded, &points, &mut out);
        out
    }

    fn ink(image: &[f32]) -> f32 {
        image.iter().sum()
    }

    const IDENTITY: Affine = Affine { x: [1.0, 0.0], y: [0.0, 1.0], shift: [0.0, 0.0] };

    #[test]
    fn a_coordinate_becomes_256ths_of_a_pixel_from_the_border() {
        // The border is at -1, and farther out there is nothing but the border.
        for (coordinate, expected) in [
            (-1.0, 0),
            (-7.5, 0),
            (0.0, 256),
            (0.5, 384),
            (13.25, 14 * 256 + 64),
            (28.0, 29 * 256),
            (90.0, 29 * 256),
        ] {
            assert_eq!(fixed_point(coordinate), expected, "{coordinate}");
        }
    }

    #[test]
    fn a_quarter_turn_moves_a_dot_to_the_place_that_geometry_gives() {
        // The dot lies 4.5 to the right of the centre (13.5, 13.5) and 0.5 below.
        // Clockwise by 90°, with y pointing down, (4.5, 0.5) becomes (-0.5, 4.5).
        let quarter = Affine { x: [0.0, 1.0], y: [-1.0, 0.0], shift: [0.0, 0.0] };
        let turned = mapped(&dot(18, 14), quarter, [0.0, 0.0]);
        assert_eq!(turned[18 * SIDE + 13], 1.0);
        assert_eq!(ink(&turned), 1.0);
    }

    #[test]
    fn a_shift_by_half_a_pixel_splits_a_dot_between_two() {
        let moved = mapped(&dot(10, 10), Affine { shift: [0.5, 0.0], ..IDENTITY }, [0.0, 0.0]);
        assert_eq!(moved[10 * SIDE + 10], 0.5);
        assert_eq!(moved[10 * SIDE + 11], 0.5);
        assert_eq!(ink(&moved), 1.0);
        let moved = mapped(&dot(10, 10), Affine { shift: [0.0, -0.25], ..IDENTITY }, [0.0, 0.0]);
        assert_eq!(moved[10 * SIDE + 10], 0.75);
        assert_eq!(moved[9 * SIDE + 10], 0.25);
    }

    #[test]
    fn an_elastic_displacement_is_added_to_the_point_that_a_pixel_shows() {
        // Each pixel shows what lies 3 to its right and 2 above it.
        let moved = mapped(&dot(10, 10), IDENTITY, [3.0, -2.0]);
        assert_eq!(moved[12 * SIDE + 7], 1.0);
        assert_eq!(ink(&moved), 1.0);
    }

    #[test]
    fn what_is_moved_out_of_the_image_is_gone() {
        let far = Affine { shift: [40.0, -90.0], ..IDENTITY };
        assert_eq!(ink(&mapped(&[255; PIXELS], far, [0.0, 0.0])), 0.0);
    }
}
