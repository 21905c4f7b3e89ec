//! Batches from images in a GPU's memory.

use burn::tensor::{Device, Int, Tensor};
use fused_ops::{DeviceImages, is_gpu};

use crate::common::{self, values};

const IMAGES: [[u8; 8]; 3] =
    [[0, 1, 2, 3, 4, 5, 6, 7], [255, 254, 128, 127, 64, 32, 16, 8], [9; 8]];

fn upload(device: &Device) -> Option<DeviceImages> {
    DeviceImages::upload(IMAGES.iter(), &[7, 1, 4], device)
}

fn labels(tensor: Tensor<1, Int>) -> Vec<i64> {
    tensor.into_data().iter().collect()
}

#[test]
fn only_a_gpu_keeps_images() {
    for (backend, device) in common::devices() {
        assert_eq!(is_gpu(&device), backend == "wgpu", "{backend}");
        assert_eq!(upload(&device).is_some(), backend == "wgpu", "{backend}");
    }
}

#[test]
fn a_batch_has_the_bytes_divided_by_255_and_the_labels_in_the_order_of_the_indices() {
    for (backend, device) in common::devices() {
        for device in [device.clone(), device.autodiff()] {
            let Some(images) = upload(&device) else { continue };
            let (pixels, targets) = images.batch(&[2, 1, 1, 0]);
            assert_eq!((pixels.dims(), pixels.device()), ([4, 8], device), "{backend}");
            let expected: Vec<f32> = [2, 1, 1, 0]
                .into_iter()
                .flat_map(|index: usize| IMAGES[index].map(|byte| f32::from(byte) / 255.0))
                .collect();
            assert_eq!(labels(targets), [4, 1, 1, 7], "{backend}");
            // A GPU may divide with an error of 2.5 units in the last place.
            for (pixel, expected) in values(pixels).into_iter().zip(expected) {
                assert!((pixel - expected).abs() <= 3e-7 * expected, "{pixel}, not {expected}");
            }
        }
    }
}

#[test]
fn an_index_out_of_range_is_refused() {
    for (backend, device) in common::devices() {
        let Some(images) = upload(&device) else { continue };
        let result = common::panic_message(|| images.batch(&[0, 3]));
        assert_eq!(result, "image 3 of 3", "{backend}");
    }
}

#[test]
fn an_image_without_a_label_is_refused() {
    for (backend, device) in common::devices().into_iter().filter(|(_, device)| is_gpu(device)) {
        let message =
            common::panic_message(|| DeviceImages::upload(IMAGES.iter(), &[7, 1], &device));
        assert!(message.contains("each image has a label"), "{backend}: {message}");
    }
}
