//! Metrics for Prometheus, served at `/metrics`.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<ApiLabels, Histogram>,
    batches: Histogram,
    connections: Gauge,
    reloads: Family<ReloadLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    api: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            // From 0.1 ms, each bound twice the one before, to 3.3 s.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(1e-4, 2.0, 16))
            }),
            // From 1 picture, each bound twice the one before, to 1024.
            batches: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            connections: Gauge::default(),
            reloads: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts a request answered with `status` (HTTP) or code (gRPC), and its duration.
    pub(crate) fn record_request(&self, api: &'static str, status: u16, elapsed: Duration) {
        self.requests.get_or_create(&RequestLabels { api, status }).inc();
        self.seconds.get_or_create(&ApiLabels { api }).observe(elapsed.as_secs_f64());
    }

    /// Records the size of a batch.
    pub(crate) fn record_batch(&self, pictures: usize) {
        self.batches.observe(pictures as f64);
    }

    /// Counts a connection as open until the returned guard is dropped.
    pub(crate) fn open_connection(&self) -> impl Drop + use<> {
        struct OpenConnection(Gauge);
        impl Drop for OpenConnection {
            fn drop(&mut self) {
                self.0.dec();
            }
        }
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Counts a reload of the model: it succeeded, or the current model was kept.
    pub(crate) fn record_reload(&self, succeeded: bool) {
        let outcome = if succeeded { "replaced" } else { "kept" };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// All metrics in OpenMetrics text format. `waiting` is the number of pictures in the queue,
    /// `capacity` how many it holds, and `model` the name of the model in use.
    ///
    /// # Errors
    /// If formatting fails. Writing to a string never does.
    pub(crate) fn text(
        &self,
        waiting: usize,
        capacity: usize,
        model: &str,
    ) -> Result<String, std::fmt::Error> {
        let gauge = |value: usize| -> Gauge {
            let gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        let models = Family::<ModelLabels, Gauge>::default();
        models.get_or_create(&ModelLabels { model: model.to_owned() }).set(1);

        let mut registry = Registry::with_prefix("burn_digits");
        registry.register(
            "requests",
            "Requests answered, by API and status (for grpc the gRPC code)",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time from a request's headers to its response",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("batch_pictures", "Pictures per batch", self.batches.clone());
        registry.register("queue_pictures", "Pictures waiting in the queue", gauge(waiting));
        registry.register("queue_capacity", "Pictures that the queue can hold", gauge(capacity));
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "model_reloads",
            "Model reloads requested, by outcome: replaced, or kept (the reload failed)",
            self.reloads.clone(),
        );
        registry.register("model_info", "The model in use", models);
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_values_appear_in_openmetrics_text() {
        let metrics = Metrics::default();
        metrics.record_request("v2", 200, Duration::from_micros(300));
        metrics.record_request("v2", 200, Duration::from_millis(3));
        metrics.record_batch(3);
        metrics.record_reload(false);
        let open = metrics.open_connection();
        let text = metrics.text(5, 1024, "shipped").unwrap();
        for line in [
            "burn_digits_requests_total{api=\"v2\",status=\"200\"} 2",
            // 300 µs lies in the third bucket, up to 400 µs; 3 ms doesn't.
            "burn_digits_request_seconds_bucket{le=\"0.0004\",api=\"v2\"} 1",
            "burn_digits_request_seconds_count{api=\"v2\"} 2",
            "burn_digits_batch_pictures_bucket{le=\"4.0\"} 1",
            "burn_digits_queue_pictures 5",
            "burn_digits_connections 1",
            "burn_digits_queue_capacity 1024",
            "burn_digits_model_reloads_total{outcome=\"kept\"} 1",
            "burn_digits_model_info{model=\"shipped\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        let text = metrics.text(0, 1024, "shipped").unwrap();
        assert!(text.lines().any(|line| line == "burn_digits_connections 0"), "{text}");
    }
}
