//! Model files that are not what was written: each is refused, or is the very same network.

use burn_digits::backend;
use burn_digits::files;
use burn_digits::model::{HiddenActivation, ModelConfig};
use burn_digits::saved::{Problem, SavedModel};
use sha2::{Digest, Sha256};

/// A small whole model.
fn narrow() -> SavedModel {
    let config = ModelConfig { hidden: [1, 2, 1], activation: HiddenActivation::Relu };
    let mut metadata = SavedModel::shipped().unwrap().metadata;
    metadata.model = config.clone();
    SavedModel::from_model(&config.init(3, &backend::cpu()), metadata).unwrap()
}

/// Where the weights begin: behind the header and the eight bytes of its length.
fn header_end(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

#[test]
fn any_single_bit_flipped_is_noticed_or_changes_no_weight() {
    let saved = narrow();
    let whole = saved.to_bytes().unwrap();
    let start = header_end(&whole);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            match SavedModel::from_bytes(&flipped) {
                Err(problem) => assert!(!problem.to_string().is_empty()),
                // In the name of the metadata's sum, which is then not looked for.
                Ok(read) => {
                    assert!(at < start, "bit {bit} of byte {at}");
                    assert_eq!(read.weights_sha256(), saved.weights_sha256());
                    assert_eq!(read.metadata, saved.metadata, "bit {bit} of byte {at}");
                }
            }
        }
    }
}

#[test]
fn a_file_cut_short_at_any_byte_or_with_more_behind_it_is_no_model() {
    let whole = narrow().to_bytes().unwrap();
    for length in 0..whole.len() {
        let problem = SavedModel::from_bytes(&whole[..length]).unwrap_err();
        assert!(matches!(problem, Problem::NotSafetensors(_)), "{length} bytes: {problem}");
    }
    assert!(SavedModel::from_bytes(&[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn a_weight_that_is_no_number_is_named_even_where_the_sum_is_right() {
    let saved = narrow();
    let mut file = saved.to_bytes().unwrap();
    // As earlier versions wrote it: the metadata's own sum goes by another name.
    let own = file.windows(15).position(|bytes| bytes == b"metadata_sha256").unwrap();
    file[own] = b'M';
    for bits in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        // The tensors of the layers in order, as the sum takes them.
        let values: Vec<f32> = saved.tensors().flat_map(|(_, _, values)| values.to_vec()).collect();
        let old = saved.tensors().next().unwrap().2[5].to_le_bytes();
        let place = file.windows(4).rposition(|bytes| bytes == old).unwrap();
        assert!(place >= header_end(&file));
        let mut spoilt = file.clone();
        spoilt[place..place + 4].copy_from_slice(&bits.to_le_bytes());
        let changed = values.iter().map(|v| if v.to_le_bytes() == old { bits } else { *v });
        let sum = Sha256::digest(changed.flat_map(f32::to_le_bytes).collect::<Vec<u8>>());
        let sum = files::hex(&sum);
        let sum_at = spoilt.windows(64).position(|w| w == saved.weights_sha256().as_bytes());
        spoilt[sum_at.unwrap()..][..64].copy_from_slice(sum.as_bytes());
        let problem = SavedModel::from_bytes(&spoilt).unwrap_err();
        assert!(matches!(&problem, Problem::NotFinite(name) if name == "fc1.weight"), "{problem}");
    }
}

#[test]
fn a_file_of_any_other_kind_is_no_model() {
    for bytes in [
        &b""[..],
        b"{}",
        &[0; 8],
        &[0xff; 64],
        // A header of as many bytes as there can be.
        &u64::MAX.to_le_bytes(),
        b"\x02\0\0\0\0\0\0\0{}",
        include_bytes!("../../image.png"),
    ] {
        assert!(SavedModel::from_bytes(bytes).is_err());
    }
}
