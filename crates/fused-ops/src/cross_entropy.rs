//! The options of the cross-entropy loss.

/// Options of [`cross_entropy`](crate::cross_entropy). The default is the plain mean cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossOptions {
    /// Label smoothing s in [0, 1]: the targets are (1 − s) · one-hot + s / classes (Szegedy et
    /// al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7).
    pub label_smoothing: f32,
    /// Weight, 0 or more, of rows whose target is the uniform distribution over all classes: λ of
    /// Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR
    /// 2019.
    pub uniform_weight: f32,
}

impl Default for LossOptions {
    fn default() -> Self {
        Self { label_smoothing: 0.0, uniform_weight: 1.0 }
    }
}
