//! Messages of Triton's extensions: configuration, statistics, and the index of the repository.

use std::sync::Arc;

use super::proto::inference::repository_index_response::ModelIndex;
use super::proto::inference::{
    InferStatistics, ModelConfig, ModelConfigResponse, ModelDynamicBatching, ModelInput,
    ModelOutput as OutputConfig, ModelParameter, ModelStatistics, ModelStatisticsResponse,
    ModelVersionPolicy, RepositoryIndexResponse, StatisticDuration, model_version_policy,
};
use crate::saved::FILE_NAME;
use crate::serve::input_tensors::MODEL_INPUTS;
use crate::serve::model_spec::PLATFORM;
use crate::serve::models::{DurationCount, ServedModel, StatisticsReading, VersionPolicy};
use crate::serve::output_tensors::MODEL_OUTPUTS;
use crate::serve::repository;
use crate::serve::rest::triton_type;
use crate::serve::state::ServerState;

/// The configuration of a model.
pub(super) fn config(
    state: &ServerState,
    model: &ServedModel,
    policy: VersionPolicy,
) -> ModelConfigResponse {
    use model_version_policy::{All, Latest, PolicyChoice, Specific};
    let policy = match policy {
        VersionPolicy::All => PolicyChoice::All(All {}),
        VersionPolicy::Latest(count) => {
            PolicyChoice::Latest(Latest { num_versions: u32::try_from(count).unwrap_or(u32::MAX) })
        }
        VersionPolicy::Specific(versions) => {
            // No overflow: a version is at most i64::MAX.
            let versions = versions.iter().map(|&version| version as i64).collect();
            PolicyChoice::Specific(Specific { versions })
        }
    };
    // The dimension of the batch is not among them.
    let dims = |shape: &[i64]| shape.get(1..).unwrap_or_default().to_vec();
    let input = MODEL_INPUTS.map(|spec| ModelInput {
        name: spec.name.to_owned(),
        data_type: triton_type(spec.datatype).1,
        dims: dims(spec.shape),
        optional: true,
    });
    let output = MODEL_OUTPUTS.map(|output| OutputConfig {
        name: output.spec().name.to_owned(),
        data_type: triton_type(output.spec().datatype).1,
        dims: dims(output.spec().shape),
    });
    let sha256 = ModelParameter { string_value: model.sha256.clone() };
    ModelConfigResponse {
        config: Some(ModelConfig {
            name: model.name.to_string(),
            platform: PLATFORM.to_owned(),
            version_policy: Some(ModelVersionPolicy { policy_choice: Some(policy) }),
            max_batch_size: i32::try_from(state.queue.capacity()).unwrap_or(i32::MAX),
            input: input.into(),
            output: output.into(),
            default_model_filename: FILE_NAME.to_owned(),
            dynamic_batching: Some(ModelDynamicBatching {
                max_queue_delay_microseconds: state.batch_wait.as_micros() as u64,
            }),
            parameters: [("sha256".to_owned(), sha256)].into(),
            backend: PLATFORM.to_owned(),
        }),
    }
}

/// The statistics of versions.
pub(super) fn statistics(versions: &[Arc<ServedModel>]) -> ModelStatisticsResponse {
    ModelStatisticsResponse {
        model_stats: versions.iter().map(|model| of_version(model)).collect(),
    }
}

fn of_version(model: &ServedModel) -> ModelStatistics {
    let StatisticsReading {
        last_inference,
        pictures,
        batches,
        success,
        failure,
        queue,
        input,
        inference,
    } = model.statistics.read();
    let duration =
        |DurationCount { count, nanoseconds }| Some(StatisticDuration { count, ns: nanoseconds });
    ModelStatistics {
        name: model.name.to_string(),
        version: model.version_text.clone(),
        last_inference,
        inference_count: pictures,
        execution_count: batches,
        inference_stats: Some(InferStatistics {
            success: duration(success),
            fail: duration(failure),
            queue: duration(queue),
            compute_input: duration(input),
            compute_infer: duration(inference),
            compute_output: duration(DurationCount { count: success.count, nanoseconds: 0 }),
        }),
    }
}

/// The index of all models.
pub(super) fn index(state: &ServerState, only_ready: bool) -> RepositoryIndexResponse {
    let models = repository::index(state, only_ready).into_iter().map(|entry| ModelIndex {
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        state: entry.state.to_owned(),
        reason: entry.reason,
    });
    RepositoryIndexResponse { models: models.collect() }
}
