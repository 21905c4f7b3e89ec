//! Burn's GPU tensors as arguments of kernels.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn::tensor::{DType, Shape};
use burn_wgpu::CubeTensor;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::BufferArg;

/// The values, row-major, to be read or written by a kernel. Copied first where they don't lie in
/// that order.
pub(super) fn argument(tensor: CubeTensor) -> BufferArg {
    contiguous(tensor).into_buffer_arg()
}

/// The values, row-major.
pub(super) fn contiguous(tensor: CubeTensor) -> CubeTensor {
    if tensor.is_contiguous() {
        return tensor;
    }
    let CubeTensor { client, device, dtype, .. } = tensor.clone();
    let element = ElemType::Float(FloatKind::F32);
    let whole = cubecl::std::tensor::into_contiguous(&client, tensor.binding(), element);
    CubeTensor::new(client, whole.handle, *whole.metadata, device, dtype)
}

/// Room for values on the device of `like`, with anything in it.
pub(super) fn room(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(client, device, shape, handle, DType::F32)
}

/// Rows and columns.
///
/// # Panics
/// If the tensor is no matrix.
pub(super) fn dims(tensor: &CubeTensor) -> [usize; 2] {
    tensor.shape().dims()
}
