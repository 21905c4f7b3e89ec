//! Metrics for Prometheus, served at `/metrics`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::metrics_format::{self, MetricsFormat};
use super::process_metrics;

/// All counters. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<ApiLabels, Histogram>,
    batches: Histogram,
    connections: Gauge,
    closed_connections: Family<ClosedLabels, Counter>,
    lost_responses: Counter,
    failed_handshakes: Counter,
    reloads: Family<ReloadLabels, Counter>,
    file_reloads: Family<FileReloadLabels, Counter>,
    corrections: Family<CorrectionLabels, Counter>,
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
struct FileReloadLabels {
    file: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CorrectionLabels {
    digit: u8,
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
    /// When the certificate ceases to be valid, if the server has one.
    pub(crate) certificate_expires: Option<SystemTime>,
    /// The name of the model in use.
    pub(crate) model: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
}

/// Why the server closes connections.
const CLOSED_REASONS: [&str; 5] = ["idle", "unread", "evicted", "address", "grace"];

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
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
            failed_handshakes: Counter::default(),
            reloads: Family::default(),
            file_reloads: Family::default(),
            corrections: Family::default(),
        };
        // From the start, and not from the first time: the increase from nothing to 1 can't be seen.
        for reason in CLOSED_REASONS {
            drop(metrics.closed_connections.get_or_create(&ClosedLabels { reason }));
        }
        for outcome in [true, false].map(outcome) {
            drop(metrics.reloads.get_or_create(&ReloadLabels { outcome }));
            for file in ["certificate", "tokens"] {
                drop(metrics.file_reloads.get_or_create(&FileReloadLabels { file, outcome }));
            }
        }
        metrics
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

    /// Counts a client that did not get further than the handshake of TLS.
    pub(crate) fn record_failed_handshake(&self) {
        self.failed_handshakes.inc();
    }

    /// Counts a reload of the model: it succeeded, or the current model was kept.
    pub(crate) fn record_reload(&self, succeeded: bool) {
        self.reloads.get_or_create(&ReloadLabels { outcome: outcome(succeeded) }).inc();
    }

    /// Counts a reload of the certificate or the tokens.
    pub(crate) fn record_file_reload(&self, file: &'static str, succeeded: bool) {
        let labels = FileReloadLabels { file, outcome: outcome(succeeded) };
        self.file_reloads.get_or_create(&labels).inc();
    }

    /// Counts a picture that was stored with the digit that it shows.
    pub(crate) fn record_correction(&self, digit: u8) {
        self.corrections.get_or_create(&CorrectionLabels { digit }).inc();
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// If formatting fails. Writing to a string never does.
    pub(crate) fn text(
        &self,
        readings: &Readings,
        format: MetricsFormat,
    ) -> Result<String, std::fmt::Error> {
        let open_metrics = self.open_metrics(readings)?;
        Ok(match format {
            MetricsFormat::OpenMetrics => open_metrics,
            MetricsFormat::Prometheus => metrics_format::as_prometheus_text(&open_metrics),
        })
    }

    fn open_metrics(&self, readings: &Readings) -> Result<String, std::fmt::Error> {
        let gauge = |value: usize| -> Gauge {
            let gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        let lost_log_lines = Counter::<u64>::default();
        lost_log_lines.inc_by(readings.lost_log_lines);
        let models = Family::<ModelLabels, Gauge>::default();
        models.get_or_create(&ModelLabels { model: readings.model.to_owned() }).set(1);

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
             response), evicted (for others), address (too many from one), grace (not done in time \
             at shutdown)",
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
            "Model reloads requested, by outcome: replaced, or kept (the reload failed)",
            self.reloads.clone(),
        );
        registry.register("model_info", "The model in use", models);
        registry.register(
            "tls_handshakes_failed",
            "Connections that ended in the handshake of TLS",
            self.failed_handshakes.clone(),
        );
        if let Some(expires) = readings.certificate_expires {
            let seconds = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            registry.register_with_unit(
                "certificate_expiry_timestamp",
                "When the certificate ceases to be valid, in seconds after 1970",
                Unit::Seconds,
                gauge(usize::try_from(seconds).unwrap_or(usize::MAX)),
            );
        }
        registry.register(
            "file_reloads",
            "Reloads of the certificate and the tokens, by outcome: replaced, or kept (the file \
             can't be used)",
            self.file_reloads.clone(),
        );
        registry.register(
            "corrections",
            "Pictures stored with the digit that they show",
            self.corrections.clone(),
        );
        let mut text = String::new();
        text::encode_registry(&mut text, &registry)?;
        // Without the prefix: every program has metrics of these names.
        let mut process = Registry::default();
        process_metrics::register(&mut process);
        text::encode(&mut text, &process)?;
        Ok(text)
    }
}

fn outcome(succeeded: bool) -> &'static str {
    if succeeded { "replaced" } else { "kept" }
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
        metrics.record_file_reload("tokens", true);
        metrics.record_failed_handshake();
        metrics.record_correction(5);
        let open = metrics.open_connection();
        metrics.record_closed_connection("idle");
        metrics.record_lost_responses(2);
        let readings = Readings {
            waiting_pictures: 5,
            queue_capacity: 1024,
            charged_bytes: 4096,
            lost_log_lines: 3,
            certificate_expires: Some(UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
            model: "shipped",
        };
        let text = metrics.text(&readings, MetricsFormat::OpenMetrics).unwrap();
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
            "burn_digits_model_info{model=\"shipped\"} 1",
            "burn_digits_file_reloads_total{file=\"tokens\",outcome=\"replaced\"} 1",
            "burn_digits_tls_handshakes_failed_total 1",
            "burn_digits_certificate_expiry_timestamp_seconds 1800000000",
            "burn_digits_corrections_total{digit=\"5\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        let text = metrics.text(&readings, MetricsFormat::OpenMetrics).unwrap();
        assert!(text.lines().any(|line| line == "burn_digits_connections 0"), "{text}");
    }
}
