//! Metrics for Prometheus, served at `/metrics`.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::models::Models;

/// The media type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<ApiLabels, Histogram>,
    batches: Histogram,
    connections: Gauge,
    closed_connections: Family<ClosedLabels, Counter>,
    lost_responses: Counter,
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
struct ClosedLabels {
    reason: &'static str,
}

/// Values that are read when the metrics are asked for.
pub(crate) struct Readings<'a> {
    /// Pictures in the queue.
    pub(crate) waiting_pictures: usize,
    /// Pictures that the queue holds.
    pub(crate) queue_capacity: usize,
    /// Memory charged to requests, in bytes.
    pub(crate) charged_bytes: usize,
    /// Lines that the log has lost.
    pub(crate) lost_log_lines: u64,
    /// The models in use.
    pub(crate) models: &'a Models,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
    version: u64,
    sha256: String,
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
            closed_connections: Family::default(),
            lost_responses: Counter::default(),
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

    /// Counts a connection that the server closed, and why.
    pub(crate) fn record_closed_connection(&self, reason: &'static str) {
        self.closed_connections.get_or_create(&ClosedLabels { reason }).inc();
    }

    /// Counts responses that a closed connection did not send.
    pub(crate) fn record_lost_responses(&self, count: u64) {
        self.lost_responses.inc_by(count);
    }

    /// Counts a reload of the model: it succeeded, or the current model was kept.
    pub(crate) fn record_reload(&self, succeeded: bool) {
        let outcome = if succeeded { "replaced" } else { "kept" };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// All metrics in OpenMetrics text format.
    ///
    /// # Errors
    /// If formatting fails. Writing to a string never does.
    pub(crate) fn text(&self, readings: &Readings) -> Result<String, std::fmt::Error> {
        let gauge = |value: usize| -> Gauge {
            let gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        let lost_log_lines = Counter::<u64>::default();
        lost_log_lines.inc_by(readings.lost_log_lines);
        let models = Family::<ModelLabels, Gauge>::default();
        for model in readings.models.values().flat_map(|model| model.available()) {
            models
                .get_or_create(&ModelLabels {
                    model: model.name.to_string(),
                    version: model.version,
                    sha256: model.sha256.clone(),
                })
                .set(1);
        }

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
        registry.register(
            "queue_pictures",
            "Pictures waiting in the queue",
            gauge(readings.waiting_pictures),
        );
        registry.register(
            "queue_capacity",
            "Pictures that the queue can hold",
            gauge(readings.queue_capacity),
        );
        registry.register_with_unit(
            "request_memory",
            "Memory charged to requests",
            Unit::Bytes,
            gauge(readings.charged_bytes),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "connections_closed",
            "Connections that the server closed, by reason: idle, unread (the client reads no \
             response), evicted (for others), grace (not done in time at shutdown)",
            self.closed_connections.clone(),
        );
        registry.register(
            "responses_lost",
            "Responses that were not sent, because the connection ended before",
            self.lost_responses.clone(),
        );
        registry.register(
            "log_lines_lost",
            "Lines that could not be written to the log",
            lost_log_lines,
        );
        registry.register(
            "model_reloads",
            "Models loaded while the server runs, by outcome: replaced, or kept (loading failed)",
            self.reloads.clone(),
        );
        registry.register("model_info", "Models in use, by name, version and file", models);
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
        metrics.record_closed_connection("idle");
        metrics.record_lost_responses(2);
        let readings = Readings {
            waiting_pictures: 5,
            queue_capacity: 1024,
            charged_bytes: 4096,
            lost_log_lines: 3,
            models: &Models::new(),
        };
        let text = metrics.text(&readings).unwrap();
        for line in [
            "burn_digits_requests_total{api=\"v2\",status=\"200\"} 2",
            // 300 µs lies in the third bucket, up to 400 µs; 3 ms doesn't.
            "burn_digits_request_seconds_bucket{le=\"0.0004\",api=\"v2\"} 1",
            "burn_digits_request_seconds_count{api=\"v2\"} 2",
            "burn_digits_batch_pictures_bucket{le=\"4.0\"} 1",
            "burn_digits_queue_pictures 5",
            "burn_digits_connections 1",
            "burn_digits_connections_closed_total{reason=\"idle\"} 1",
            "burn_digits_responses_lost_total 2",
            "burn_digits_log_lines_lost_total 3",
            "burn_digits_request_memory_bytes 4096",
            "burn_digits_queue_capacity 1024",
            "burn_digits_model_reloads_total{outcome=\"kept\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        let text = metrics.text(&readings).unwrap();
        assert!(text.lines().any(|line| line == "burn_digits_connections 0"), "{text}");
    }
}
