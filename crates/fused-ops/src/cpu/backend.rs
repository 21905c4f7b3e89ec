//! The tensors of the CPU backends as slices.

use std::borrow::Cow;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

/// Panic message of [`CpuBackend`]'s functions.
const NOT_F32: &str = "the kernels take f32 tensors only";

/// A backend whose tensors lie in this process's memory.
pub(crate) trait CpuBackend: Backend {
    /// The values, row-major. Copied only if they are stored in another order.
    ///
    /// # Panics
    /// If they are not `f32`.
    fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]>;

    /// The values for writing, row-major. Copied first if another tensor shares them, so that it
    /// keeps its own, or if they are stored in another order.
    ///
    /// # Panics
    /// If they are not `f32`.
    fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32];

    /// Class indices. A negative one becomes `usize::MAX`, which is out of any range.
    fn indices(tensor: &IntTensor<Self>) -> Vec<usize>;

    /// A tensor from its values, row-major, without a copy.
    ///
    /// # Panics
    /// If the shape doesn't hold that many values.
    fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self>;

    /// Rows and columns.
    ///
    /// # Panics
    /// If the tensor isn't two-dimensional.
    fn dims(tensor: &FloatTensor<Self>) -> [usize; 2] {
        tensor.shape().dims()
    }
}

fn index<I: TryInto<usize>>(value: I) -> usize {
    value.try_into().unwrap_or(usize::MAX)
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::Flex;
    use burn::backend::ops::IntTensorOps;
    use burn::tensor::{DType, IntDType, TensorData};

    use super::*;

    impl CpuBackend for Flex {
        fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self> {
            FloatTensor::<Self>::from_data(TensorData::new(values, shape))
        }

        fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
            assert_eq!(tensor.dtype(), DType::F32, "{NOT_F32}");
            match tensor.as_slice() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(tensor.to_contiguous().storage().to_vec()),
            }
        }

        fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
            assert_eq!(tensor.dtype(), DType::F32, "{NOT_F32}");
            // Burn's `storage_mut` is the whole allocation, of which a view may be a part.
            let is_whole = tensor
                .as_slice::<f32>()
                .is_some_and(|values| values.len() == tensor.storage::<f32>().len());
            if !is_whole {
                *tensor = tensor.to_contiguous();
            }
            tensor.storage_mut()
        }

        fn indices(tensor: &IntTensor<Self>) -> Vec<usize> {
            let tensor = tensor.to_contiguous();
            match tensor.dtype() {
                DType::I32 => tensor.storage::<i32>().iter().map(|&value| index(value)).collect(),
                DType::I64 => tensor.storage::<i64>().iter().map(|&value| index(value)).collect(),
                _ => Self::indices(&Self::int_cast(tensor, IntDType::I64)),
            }
        }
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    use ::ndarray::ArrayD;
    use burn::backend::NdArray;
    use burn::backend::ops::IntTensorOps;
    use burn::tensor::IntDType;
    use burn_ndarray::NdArrayTensor;

    use super::*;

    impl CpuBackend for NdArray {
        // `NdArrayTensor::from_data` checks each value's bits. Compiled unoptimised, that took a
        // third of a training step.
        fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self> {
            let array = ArrayD::from_shape_vec(shape.into().to_vec(), values);
            array.expect("as many values as the shape holds").into_shared().into()
        }

        fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
            let NdArrayTensor::F32(storage) = tensor else { panic!("{NOT_F32}") };
            let view = storage.view();
            match view.to_slice() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(view.iter().copied().collect()),
            }
        }

        fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
            let NdArrayTensor::F32(storage) = tensor else { panic!("{NOT_F32}") };
            let array = storage.ensure_owned();
            if !array.is_standard_layout() {
                *array = array.as_standard_layout().into_owned().into_shared();
            }
            array.as_slice_mut().expect("an array in standard layout is a slice")
        }

        fn indices(tensor: &IntTensor<Self>) -> Vec<usize> {
            match tensor {
                NdArrayTensor::I32(values) => values.view().iter().map(|&v| index(v)).collect(),
                NdArrayTensor::I64(values) => values.view().iter().map(|&v| index(v)).collect(),
                _ => Self::indices(&Self::int_cast(tensor.clone(), IntDType::I64)),
            }
        }
    }
}
