//! The optimizer and the learning-rate schedule.

use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::constant::ConstantLr;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::optim::{
    AdamW, AdamWState, LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink,
    StateSource,
};
use burn::tensor::{Device, Tensor};

use super::config::{OptimizerKind, Schedule, TrainConfig};
use crate::backend;
use fused_ops::adam_step;

/// The optimizer that the configuration names.
pub fn optimizer(config: &TrainConfig) -> ModuleOptimizer {
    match config.optimizer {
        OptimizerKind::Adam => adam(),
        OptimizerKind::AdamW => adam_w(config.weight_decay),
    }
}

/// Adam: AdamW without weight decay.
pub fn adam() -> ModuleOptimizer {
    adam_w(0.0)
}

/// AdamW with ε = 1e-8, the paper's and PyTorch's; Burn's default is 1e-5.
pub fn adam_w(weight_decay: f32) -> ModuleOptimizer {
    FusedAdamW { weight_decay }.into()
}

/// A linear warm-up, then the configured schedule, over `steps_per_epoch · epochs` steps.
///
/// # Errors
/// Burn's message if a rate is out of range, which [`TrainConfig::check`] rules out.
pub fn schedule(config: &TrainConfig, steps_per_epoch: usize) -> Result<ModuleLrScheduler, String> {
    let rate = config.learning_rate;
    let steps = steps_per_epoch * config.epochs;
    let warm_up = (config.warm_up_epochs * steps_per_epoch as f64) as usize;
    let warm_up = warm_up.min(steps - 1);
    let rest = match config.schedule {
        Schedule::Constant if warm_up == 0 => return Ok(ConstantLr::new(rate).into()),
        Schedule::Constant => LrSchedulerConfig::Constant(rate),
        Schedule::Cosine => CosineAnnealingLrSchedulerConfig::new(rate, steps - warm_up).into(),
    };
    if warm_up == 0 {
        return SequentialLrSchedulerConfig::new(vec![rest], vec![]).init();
    }
    let first = rate / warm_up as f64;
    let rise = LinearLrSchedulerConfig::new(first, rate, warm_up).into();
    SequentialLrSchedulerConfig::new(vec![rise, rest], vec![warm_up]).init()
}

/// AdamW in one pass over each tensor ([`adam_step`]), with the state of Burn's AdamW.
#[derive(Clone)]
struct FusedAdamW {
    weight_decay: f32,
}

/// An optimizer state that is loaded onto the CPU.
///
/// Burn loads it onto its default device. In a build with wgpu that is the GPU, and Burn panics if
/// there is none. The device does not matter here: the first step moves the state to that of its
/// parameter.
#[derive(Clone)]
struct CpuLoadedState<S>(S);

impl<S: RecordState> RecordState for CpuLoadedState<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _: &Device) -> Option<Self> {
        S::state_unflatten(prefix, source, &backend::cpu()).map(Self)
    }
}

impl Optimizer for FusedAdamW {
    type State<const D: usize> = CpuLoadedState<AdamWState<D>>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let state = state.map(|CpuLoadedState(state)| state);
        let (tensor, state) = adam_step(tensor, gradient, state, rate, self.weight_decay);
        (tensor, Some(CpuLoadedState(state)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        CpuLoadedState(AdamW::to_device(state.0, device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_linearly_and_then_falls_to_zero_along_half_a_cosine() {
        let config = TrainConfig {
            epochs: 3,
            learning_rate: 0.1,
            warm_up_epochs: 1.0,
            ..TrainConfig::default()
        };
        let mut schedule = schedule(&config, 4).unwrap();
        let mut rate = || schedule.step().base();
        // A straight line from 0.1 / 4 at the first step to 0.1 at the fifth, the first after the
        // warm-up.
        for expected in [0.025, 0.043_75, 0.062_5, 0.081_25] {
            let rate = rate();
            assert!((rate - expected).abs() < 1e-12, "{rate} instead of {expected}");
        }
        // 0.05 · (1 + cos(π k / 8)).
        let falling: Vec<f64> = (0..8).map(|_| rate()).collect();
        for (k, expected) in [(0, 0.1), (4, 0.05), (6, 0.014_644_66)] {
            assert!((falling[k] - expected).abs() < 1e-8, "step {k}: {}", falling[k]);
        }
    }
}
