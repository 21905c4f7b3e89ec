//! The two text formats for metrics: OpenMetrics, and the older one of Prometheus.

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsFormat {
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Prometheus,
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
}

impl MetricsFormat {
    /// The format that an `Accept` header asks for: OpenMetrics only if it is preferred to plain
    /// text, so that people and older programs get what they can read.
    pub(crate) fn accepted(accept: Option<&str>) -> Self {
        let quality = |wanted: &str| {
            let ranges = accept.unwrap_or_default().split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_wanted = parts.next()?.eq_ignore_ascii_case(wanted);
                let quality = parts.find_map(|part| part.strip_prefix("q="));
                is_wanted.then(|| quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
            });
            ranges.fold(0.0, f32::max)
        };
        let open_metrics = quality("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= quality("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The same metrics in the older format, where a counter is named as its only value, with `_total`,
/// and where there are no units and no end.
pub(super) fn as_prometheus_text(open_metrics: &str) -> String {
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                text.extend(["# ", kind, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_sent_to_clients_that_prefer_it_and_plain_text_to_all_others() {
        // As Prometheus 2 and 3 ask for it, curl, and a browser.
        for (accept, expected) in [
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
                ),
                MetricsFormat::OpenMetrics,
            ),
            (Some("application/openmetrics-text"), MetricsFormat::OpenMetrics),
            (Some("text/plain"), MetricsFormat::Prometheus),
            (Some("text/plain, application/openmetrics-text; q=0.9"), MetricsFormat::Prometheus),
            (Some("application/openmetrics-text;q=0"), MetricsFormat::Prometheus),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), MetricsFormat::Prometheus),
            (Some("*/*"), MetricsFormat::Prometheus),
            (None, MetricsFormat::Prometheus),
        ] {
            assert_eq!(MetricsFormat::accepted(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_has_the_same_values_and_names_counters_as_their_values() {
        let open_metrics = "# HELP a_b Bytes of c.\n# TYPE a_b counter\n# UNIT a_b bytes\n\
                            a_b_total{c=\"# d\"} 1\n# HELP e f.\n# TYPE e gauge\ne 2.5\n# EOF\n";
        let expected = "# HELP a_b_total Bytes of c.\n# TYPE a_b_total counter\n\
                        a_b_total{c=\"# d\"} 1\n# HELP e f.\n# TYPE e gauge\ne 2.5\n";
        assert_eq!(as_prometheus_text(open_metrics), expected);
    }
}
