//! A batch from pictures that lie in the GPU's memory.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn::tensor::DType;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::values::{argument, dims, room};

/// Units of a cube.
const UNITS: u32 = 256;

/// Pixels of these pictures `[n, 4 · words]` in [0, 1], and their labels `[n]`.
pub(crate) fn batch(
    words: CubeTensor,
    labels: CubeTensor,
    indices: CubeTensor,
) -> (CubeTensor, CubeTensor) {
    let [_, each] = dims(&words);
    let [count] = indices.shape().dims();
    let images = room(&words, [count, 4 * each]);
    let targets = room(&words, [count]);
    let targets = CubeTensor { dtype: DType::I32, ..targets };
    let units = (count * each) as u32;
    #[allow(unsafe_code)]
    // SAFETY: each unit reads one index and, by it, a word of a picture that is there ([`Pictures::batch`
    // ](crate::DeviceImages::batch) checks), and writes that word's four values and a label.
    unsafe {
        batch_kernel::launch_unchecked(
            &images.client,
            CubeCount::Static(units.div_ceil(UNITS), 1, 1),
            CubeDim::new_1d(UNITS),
            argument(words),
            argument(labels),
            argument(indices),
            argument(images.clone()),
            argument(targets.clone()),
            units,
            each as u32,
        );
    }
    (images, targets)
}

/// A unit for each word of four pixels.
#[cube(launch_unchecked)]
fn batch_kernel(
    words: &[u32],
    labels: &[i32],
    indices: &[u32],
    images: &mut [f32],
    targets: &mut [i32],
    units: u32,
    each: u32,
) {
    let unit = ABSOLUTE_POS as u32;
    if unit < units {
        let place = unit / each;
        let picture = indices[place as usize];
        let word = words[(picture * each + unit % each) as usize];
        #[unroll]
        for byte in 0..4u32 {
            let value = (word >> (8 * byte)) & 255;
            images[(4 * unit + byte) as usize] = f32::cast_from(value) / 255.0;
        }
        if unit == place * each {
            targets[place as usize] = labels[picture as usize];
        }
    }
}
