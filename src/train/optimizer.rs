//! The optimizer and the learning rate's schedule, from Burn's parts.

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

use super::config::{Schedule, TrainConfig};
use fused_ops::adam_step;

use crate::backend;

/// AdamW with this weight decay; with none it is Adam.
///
/// Burn's own default ε is 1e-5, which no textbook or framework has.
pub fn adam_w(weight_decay: f32) -> ModuleOptimizer {
    Adam { weight_decay }.into()
}

/// A linear climb, then the schedule, over a run of `steps_per_epoch · epochs` steps.
///
/// # Errors
/// In Burn's words, if a rate is out of range; [`TrainConfig::check`] rules that out.
pub fn schedule(config: &TrainConfig, steps_per_epoch: usize) -> Result<ModuleLrScheduler, String> {
    let rate = config.learning_rate;
    let steps = steps_per_epoch * config.epochs;
    let climb = (config.warm_up_epochs * steps_per_epoch as f64) as usize;
    let climb = climb.min(steps - 1);
    let rest = match config.schedule {
        Schedule::Constant if climb == 0 => return Ok(ConstantLr::new(rate).into()),
        Schedule::Constant => LrSchedulerConfig::Constant(rate),
        Schedule::Cosine => CosineAnnealingLrSchedulerConfig::new(rate, steps - climb).into(),
    };
    if climb == 0 {
        return SequentialLrSchedulerConfig::new(vec![rest], vec![]).init();
    }
    let first = rate / climb as f64;
    let up = LinearLrSchedulerConfig::new(first, rate, climb).into();
    SequentialLrSchedulerConfig::new(vec![up, rest], vec![climb]).init()
}

/// Burn's AdamW in one pass ([`adam_step`]), with Burn's state.
#[derive(Clone)]
struct Adam {
    weight_decay: f32,
}

/// A saved state that is read back on the CPU.
///
/// Burn reads it onto its own default device, which in a build with wgpu is the GPU even where there
/// is none, and then panics. Where it is read doesn't matter: each step moves it to its parameter.
#[derive(Clone)]
struct PlacedState<S>(S);

impl<S: RecordState> RecordState for PlacedState<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _: &Device) -> Option<Self> {
        S::state_unflatten(prefix, source, &backend::cpu()).map(Self)
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = PlacedState<AdamWState<D>>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let state = state.map(|PlacedState(state)| state);
        let (tensor, state) = adam_step(tensor, gradient, state, rate, self.weight_decay);
        (tensor, Some(PlacedState(state)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        PlacedState(AdamW::to_device(state.0, device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_climbs_in_the_warm_up_and_falls_along_half_a_cosine_to_zero() {
        let config = TrainConfig {
            epochs: 3,
            learning_rate: 0.1,
            warm_up_epochs: 1.0,
            ..TrainConfig::default()
        };
        let mut schedule = schedule(&config, 4).unwrap();
        let mut rate = || schedule.step().base();
        // Up by 0.1/4 a step (Burn's linear scheduler begins one step in), then
        // 0.05 · (1 + cos(π k / 8)).
        let climbing: Vec<f64> = (0..4).map(|_| rate()).collect();
        assert!(climbing.is_sorted() && climbing[0] > 0.0 && climbing[3] <= 0.1, "{climbing:?}");
        let falling: Vec<f64> = (0..8).map(|_| rate()).collect();
        for (k, expected) in [(0, 0.1), (4, 0.05), (6, 0.014_644_66)] {
            assert!((falling[k] - expected).abs() < 1e-8, "step {k}: {}", falling[k]);
        }
    }
}
