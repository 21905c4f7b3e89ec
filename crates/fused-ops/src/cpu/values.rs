//! Tensors of the CPU backends as slices.

use std::borrow::Cow;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

/// A backend whose tensors are `f32` and whole numbers in this process's memory.
pub trait OnCpu: Backend {
    /// The values, row-major. Copied only where they don't lie in that order.
    ///
    /// # Panics
    /// If they are not `f32`.
    fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]>;

    /// The values to be changed, row-major. Copied first where another tensor shares them, so that it
    /// keeps its own.
    ///
    /// # Panics
    /// If they are not `f32`.
    fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32];

    /// The indices in a tensor of whole numbers; a negative one becomes one out of any range.
    fn indices(tensor: &IntTensor<Self>) -> Vec<usize>;

    /// A tensor from its values, row-major, without a copy.
    ///
    /// # Panics
    /// If the shape doesn't hold that many.
    fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self>;

    /// Rows and columns.
    ///
    /// # Panics
    /// If the tensor is no matrix.
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
    use burn::tensor::{DType, TensorData};

    use super::*;

    impl OnCpu for Flex {
        fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self> {
            FloatTensor::<Self>::from_data(TensorData::new(values, shape))
        }

        fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
            match tensor.as_slice() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(tensor.to_contiguous().storage().to_vec()),
            }
        }

        fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
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
                other => unreachable!("Burn's class indices are i32 or i64, not {other:?}"),
            }
        }
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    use ::ndarray::ArrayD;
    use burn::backend::NdArray;
    use burn_ndarray::NdArrayTensor;

    use super::*;

    const F32: &str = "the network's tensors are f32";

    impl OnCpu for NdArray {
        // `NdArrayTensor::from_data` checks each value's bits; unoptimised, as most of Burn is compiled, that
        // took a third of a training step.
        fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Self> {
            let array = ArrayD::from_shape_vec(shape.into().to_vec(), values);
            array.expect("as many values as the shape holds").into_shared().into()
        }

        fn values(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
            let NdArrayTensor::F32(storage) = tensor else { unreachable!("{F32}") };
            let view = storage.view();
            match view.to_slice() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(view.iter().copied().collect()),
            }
        }

        fn values_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
            let NdArrayTensor::F32(storage) = tensor else { unreachable!("{F32}") };
            let array = storage.ensure_owned();
            if !array.is_standard_layout() {
                *array = array.as_standard_layout().into_owned().into_shared();
            }
            array.as_slice_mut().expect("it is in the standard layout")
        }

        fn indices(tensor: &IntTensor<Self>) -> Vec<usize> {
            match tensor {
                NdArrayTensor::I32(values) => values.view().iter().map(|&v| index(v)).collect(),
                NdArrayTensor::I64(values) => values.view().iter().map(|&v| index(v)).collect(),
                other => {
                    unreachable!("Burn's class indices are i32 or i64, not {:?}", other.dtype())
                }
            }
        }
    }
}
