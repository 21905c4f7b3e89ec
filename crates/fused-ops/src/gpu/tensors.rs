//! Burn's GPU tensors as arguments of kernels.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn::tensor::{DType, Shape};
use burn_wgpu::CubeTensor;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::BufferArg;

/// Units (threads) of a cube (workgroup), for kernels that compute each value by itself.
pub(super) const CUBE_UNITS: u32 = 256;

/// The values, row-major, as a kernel's argument. Copied first if they are stored in another order.
pub(super) fn buffer_arg(tensor: CubeTensor) -> BufferArg {
    contiguous(tensor).into_buffer_arg()
}

/// The values, row-major. They must have 4 bytes each.
pub(super) fn contiguous(tensor: CubeTensor) -> CubeTensor {
    if tensor.is_contiguous() {
        return tensor;
    }
    let CubeTensor { client, device, dtype, .. } = tensor.clone();
    let element = ElemType::Float(FloatKind::F32);
    let copy = cubecl::std::tensor::into_contiguous(&client, tensor.binding(), element);
    CubeTensor::new(client, copy.handle, *copy.metadata, device, dtype)
}

/// Uninitialised `f32` memory on the device of `like`.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(client, device, shape, handle, DType::F32)
}

/// Rows and columns.
///
/// # Panics
/// If the tensor isn't two-dimensional.
pub(super) fn dims(tensor: &CubeTensor) -> [usize; 2] {
    tensor.shape().dims()
}

/// A precondition of unchecked launches: the element type and shape that the kernel assumes.
///
/// # Panics
/// If the tensor has another.
pub(super) fn assert_is(tensor: &CubeTensor, dtype: DType, shape: impl Into<Shape>) {
    assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape.into()), "a kernel's argument");
}

/// The number of a tensor's values, as kernels index them.
///
/// # Panics
/// If it is 2³² or more.
pub(super) fn kernel_length(length: usize) -> u32 {
    u32::try_from(length).expect("a tensor on a GPU has fewer than 2³² values")
}
