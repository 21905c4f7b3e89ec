//! Statistics of features: principal components, participation ratio and scatter ratio.

use burn::tensor::{Device, Tensor, TensorData, TensorReadError};
use nalgebra::{DMatrix, SymmetricEigen};

use crate::model::CLASSES;

/// The eigenvalues of a covariance matrix and its first two principal components.
pub struct PrincipalComponents {
    /// In descending order, at least 0.
    pub eigenvalues: Vec<f64>,
    mean: Vec<f64>,
    axes: [Vec<f64>; 2],
}

impl PrincipalComponents {
    /// Projects a row of features onto the first two principal components.
    pub fn project(&self, row: &[f32]) -> [f32; 2] {
        let along = |axis: &[f64]| -> f64 {
            let centred = row.iter().zip(&self.mean).map(|(&value, mean)| f64::from(value) - mean);
            centred.zip(axis).map(|(value, weight)| value * weight).sum()
        };
        [along(&self.axes[0]) as f32, along(&self.axes[1]) as f32]
    }

    /// Fractions of the variance along the first two principal components; 0 if nothing varies.
    pub fn explained(&self) -> [f64; 2] {
        let total: f64 = self.eigenvalues.iter().sum();
        let fraction = |index: usize| {
            let value = self.eigenvalues.get(index).copied().unwrap_or(0.0);
            if total > 0.0 { value / total } else { 0.0 }
        };
        [fraction(0), fraction(1)]
    }
}

/// The principal components of features `[n, width]`, row-major, from their covariance matrix
/// Σ (x − μ)(x − μ)ᵀ / n.
///
/// # Errors
/// If the device can't return the covariance matrix.
pub fn principal_components(
    values: &[f32],
    width: usize,
    device: &Device,
) -> Result<PrincipalComponents, TensorReadError> {
    let count = values.len() / width;
    let rows = TensorData::new(values.to_vec(), [count, width]);
    let rows = Tensor::<2>::from_data(rows, device);
    let mean = rows.clone().mean_dim(0);
    let centred = rows - mean.clone();
    let covariance = centred.clone().transpose().matmul(centred).div_scalar(count as f64);
    let covariance = covariance.try_into_vec_as::<f32>()?;
    let mean = mean.try_into_vec_as::<f32>()?.into_iter().map(f64::from).collect();

    let matrix = DMatrix::from_iterator(width, width, covariance.into_iter().map(f64::from));
    let eigen = SymmetricEigen::new(matrix);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let axis = |rank: usize| -> Vec<f64> {
        let Some(&index) = order.get(rank) else { return vec![0.0; width] };
        let axis: Vec<f64> = eigen.eigenvectors.column(index).iter().copied().collect();
        // The sign of an eigenvector is arbitrary: make its largest component positive.
        let largest =
            axis.iter().copied().fold(0.0f64, |a, b| if b.abs() > a.abs() { b } else { a });
        axis.into_iter().map(|weight| weight * largest.signum()).collect()
    };
    Ok(PrincipalComponents {
        // Rounding errors can make an eigenvalue of 0 negative.
        eigenvalues: order.iter().map(|&index| eigen.eigenvalues[index].max(0.0)).collect(),
        mean,
        axes: [axis(0), axis(1)],
    })
}

/// The participation ratio (Σλ)² / Σλ²: n if n eigenvalues are equal and the others 0; 0 if all are
/// 0.
pub fn participation_ratio(eigenvalues: &[f64]) -> f64 {
    let sum: f64 = eigenvalues.iter().sum();
    let squares: f64 = eigenvalues.iter().map(|value| value * value).sum();
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// tr(S_B) / tr(S_W) for features `[n, width]`, row-major. tr(S_B) = Σ nₖ ‖μₖ − μ‖² over the
/// classes k, tr(S_W) = Σ ‖xᵢ − μₖ₍ᵢ₎‖² over the rows i. 0 if there is no scatter within classes.
pub fn scatter_ratio(values: &[f32], width: usize, labels: &[u8]) -> f64 {
    let mut sums = vec![0.0f64; CLASSES * width];
    let mut counts = [0usize; CLASSES];
    for (row, &label) in values.chunks_exact(width).zip(labels) {
        let class = usize::from(label);
        counts[class] += 1;
        for (sum, &value) in sums[class * width..][..width].iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    let total = labels.len().max(1) as f64;
    let overall: Vec<f64> = (0..width)
        .map(|column| sums.iter().skip(column).step_by(width).sum::<f64>() / total)
        .collect();
    let means: Vec<f64> = sums
        .iter()
        .enumerate()
        .map(|(index, sum)| sum / counts[index / width].max(1) as f64)
        .collect();
    let squared_distance = |a: &mut dyn Iterator<Item = f64>, b: &[f64]| -> f64 {
        a.zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let between: f64 = (0..CLASSES)
        .map(|class| {
            let mut mean = means[class * width..][..width].iter().copied();
            counts[class] as f64 * squared_distance(&mut mean, &overall)
        })
        .sum();
    let within: f64 = values
        .chunks_exact(width)
        .zip(labels)
        .map(|(row, &label)| {
            let mut row = row.iter().map(|&value| f64::from(value));
            squared_distance(&mut row, &means[usize::from(label) * width..][..width])
        })
        .sum();
    if within > 0.0 { between / within } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    /// Four points: (±3, 0) and (0, ±1), around (1, 2).
    const FOUR_POINTS: [f32; 8] = [4.0, 2.0, -2.0, 2.0, 1.0, 3.0, 1.0, 1.0];

    #[test]
    fn principal_components_match_values_computed_by_hand() {
        // Variances (9 + 9) / 4 = 4.5 along x and (1 + 1) / 4 = 0.5 along y.
        let components = principal_components(&FOUR_POINTS, 2, &backend::cpu()).unwrap();
        assert!((components.eigenvalues[0] - 4.5).abs() < 1e-6);
        assert!((components.eigenvalues[1] - 0.5).abs() < 1e-6);
        assert!((components.explained()[0] - 0.9).abs() < 1e-6);
        let [x, y] = components.project(&[4.0, 3.0]);
        assert!((x - 3.0).abs() < 1e-5 && (y - 1.0).abs() < 1e-5, "{x} {y}");
        // (4.5 + 0.5)² / (4.5² + 0.5²) = 25 / 20.5
        let dimension = participation_ratio(&components.eigenvalues);
        assert!((dimension - 25.0 / 20.5).abs() < 1e-6, "{dimension}");
    }

    #[test]
    fn eigenvalues_match_numpy() {
        // x = np.array([[1, 2, 0], [0, 1, 1], [3, 1, 2], [2, 4, 1], [1, 0, 5]], float)
        // np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
        let rows = [1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 3.0, 1.0, 2.0, 2.0, 4.0, 1.0, 1.0, 0.0, 5.0];
        let components = principal_components(&rows, 3, &backend::cpu()).unwrap();
        let numpy = [3.98901815, 1.28344855, 0.5675333];
        for (value, expected) in components.eigenvalues.iter().zip(numpy) {
            assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");
        }
    }

    #[test]
    fn the_participation_ratio_is_the_number_of_equal_eigenvalues() {
        assert_eq!(participation_ratio(&[2.0, 2.0, 2.0, 0.0]), 3.0);
        assert_eq!(participation_ratio(&[0.0, 0.0]), 0.0);
    }

    #[test]
    fn the_scatter_ratio_matches_the_value_computed_by_hand() {
        // Class 3: 0 and 2, mean 1. Class 5: 6 and 8, mean 7. Overall mean: 4.
        // Between: 2 · (1 − 4)² + 2 · (7 − 4)² = 36. Within: 4 · 1² = 4.
        assert_eq!(scatter_ratio(&[0.0, 6.0, 2.0, 8.0], 1, &[3, 5, 3, 5]), 9.0);
    }
}
