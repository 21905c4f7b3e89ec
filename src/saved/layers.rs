//! A layer's values in the model file's layout.

/// The parameters of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Weights `[out, in]`, row-major, PyTorch's orientation.
    pub weight: Vec<f32>,
    /// Biases `[out]`.
    pub bias: Vec<f32>,
}

/// The values as consecutive little-endian `f32`.
pub(super) fn to_little_endian(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    bytes
}

/// The transpose of a row-major matrix with `columns` columns, row-major.
pub(crate) fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    // Plain loops: this crate is compiled for size, where an iterator costs a call per value.
    let mut transposed = vec![0.0; values.len()];
    for (row, values) in values.chunks_exact(columns).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            transposed[column * rows + row] = value;
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transpose_of_two_rows_has_two_columns() {
        // (1 2 3; 4 5 6) becomes (1 4; 2 5; 3 6).
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(transpose(&matrix, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn values_are_stored_as_little_endian_ieee_754() {
        // 1.0 is 0x3f800000 and −2.0 is 0xc0000000.
        assert_eq!(to_little_endian(&[1.0, -2.0]), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
