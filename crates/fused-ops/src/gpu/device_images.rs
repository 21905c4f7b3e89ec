//! A batch from images that lie in the GPU's memory.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn::tensor::DType;
use burn_wgpu::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::tensors::{CUBE_UNITS, assert_is, buffer_arg, dims, empty, kernel_length};

/// Pixels `[n, 4 · words]` in [0, 1] and labels `[n]` of the images with these indices `[n]`, from
/// the words `[images, words]`, four pixels in each, and the labels `[images]`.
///
/// The caller has to check that the indices are in range: here they are in the GPU's memory
/// already.
///
/// # Panics
/// If the tensors aren't of 32-bit integers and these shapes.
pub(crate) fn gather_images(
    words: CubeTensor,
    labels: CubeTensor,
    indices: CubeTensor,
) -> (CubeTensor, CubeTensor) {
    let [count, words_per_image] = dims(&words);
    let [batch] = indices.shape().dims();
    assert_is(&words, DType::I32, [count, words_per_image]);
    assert_is(&labels, DType::I32, [count]);
    assert_is(&indices, DType::I32, [batch]);
    kernel_length(count * words_per_image);
    kernel_length(4 * batch * words_per_image);
    let images = empty(&words, [batch, 4 * words_per_image]);
    let targets = CubeTensor { dtype: DType::I32, ..empty(&words, [batch]) };
    let units = batch * words_per_image;
    let cube_dim = CubeDim::new_1d(CUBE_UNITS);
    #[allow(unsafe_code)]
    // SAFETY: Each of `units` units reads one index and a word and a label of the image with that
    // index, which exist: the buffers' sizes are asserted above, and the index is in range (checked
    // by `DeviceImages::batch`, the only caller). It writes that word's four values, and one unit
    // of each image its label. Units beyond `units` do nothing.
    unsafe {
        gather_kernel::launch_unchecked(
            &images.client,
            calculate_cube_count_elemwise(&images.client, units, cube_dim),
            cube_dim,
            buffer_arg(words),
            buffer_arg(labels),
            buffer_arg(indices),
            buffer_arg(images.clone()),
            buffer_arg(targets.clone()),
            kernel_length(units),
            words_per_image as u32,
        );
    }
    (images, targets)
}

/// One unit for each word of four pixels.
#[cube(launch_unchecked)]
fn gather_kernel(
    words: &[u32],
    labels: &[i32],
    indices: &[u32],
    images: &mut [f32],
    targets: &mut [i32],
    units: u32,
    words_per_image: u32,
) {
    let unit = ABSOLUTE_POS as u32;
    if unit < units {
        let position = unit / words_per_image;
        let image = indices[position as usize];
        let word = words[(image * words_per_image + unit % words_per_image) as usize];
        #[unroll]
        for byte in 0..4u32 {
            let value = (word >> (8 * byte)) & 255;
            images[(4 * unit + byte) as usize] = f32::cast_from(value) / 255.0;
        }
        if unit == position * words_per_image {
            targets[position as usize] = labels[image as usize];
        }
    }
}
