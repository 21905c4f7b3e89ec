//! The sections of the page.

use maud::{Markup, PreEscaped, html};

use super::{Report, ReportImages, images};
use crate::format::{percent, thousands};
use crate::model::{CLASSES, PIXELS};
use crate::plot::{self, Chart, Curve, LineChart, PlotResult};
use crate::train::curves;

const REPORT_PANEL: (u32, u32) = (460, 340);
/// Maximum number of mistakes on the page.
const MAX_MISTAKES_SHOWN: usize = 50;
/// Maximum number of first-layer units on the page.
const MAX_UNITS_SHOWN: usize = 64;

impl Report {
    pub(super) fn summary(&self) -> Markup {
        let evaluation = &self.evaluation;
        let widths: Vec<String> = std::iter::once(PIXELS)
            .chain(self.metadata.model.layers().iter().map(|layer| layer.outputs))
            .map(|width| width.to_string())
            .collect();
        let activation = json_text(&serde_json::json!(self.metadata.model.activation));
        let tiles = [
            (percent(evaluation.accuracy), "test accuracy"),
            (thousands(evaluation.errors), "errors"),
            (thousands(evaluation.total), "test images"),
            (format!("{:.4}", evaluation.loss), "mean cross-entropy"),
            (percent(evaluation.ece), "expected calibration error"),
            (thousands(self.parameters), "parameters"),
        ];
        html! {
            h1 { (self.model) }
            p.lead { (widths.join(" → ")) ", " (activation) " activation" }
            div.tiles {
                @for (value, name) in tiles {
                    div.tile { b { (value) } span { (name) } }
                }
            }
        }
    }

    pub(super) fn learning_curves(&self) -> PlotResult<Markup> {
        let Some(history) = self.history.as_ref().filter(|history| !history.0.is_empty()) else {
            return Ok(html! {});
        };
        let [loss, error] = curves::panels(history);
        let note = history.best().map_or(String::new(), |best| {
            format!("The model has the weights of epoch {} of {}.", best.epoch, history.0.len())
        });
        let plots = [plot(&loss, "Cross-entropy by epoch")?, plot(&error, "Error by epoch")?];
        Ok(section("Learning curves", &note, plots_in_a_row(&plots)))
    }

    pub(super) fn reliability(&self) -> PlotResult<Markup> {
        let bins = || self.evaluation.reliability.iter().filter(|bin| bin.count > 0);
        let percent = |fraction: f64| 100.0 * fraction;
        let perfect =
            Curve { is_thin: true, ..Curve::new("perfect", vec![(0.0, 0.0), (100.0, 100.0)], 8) };
        let points = bins().map(|bin| (percent(bin.confidence), percent(bin.accuracy))).collect();
        let measured = Curve { has_dots: true, ..Curve::new("", points, 0) };
        let diagram = LineChart {
            title: "Accuracy, %".to_owned(),
            x_label: "Confidence, %".to_owned(),
            curves: vec![perfect, measured],
            y_range: Some((0.0, 103.0)),
            ..LineChart::default()
        };
        let counts = bins().map(|bin| (percent(bin.confidence), bin.count as f64)).collect();
        let counts = LineChart {
            title: "Number of predictions".to_owned(),
            x_label: "Confidence, %".to_owned(),
            curves: vec![Curve { has_dots: true, ..Curve::new("", counts, 5) }],
            is_log: true,
            ..LineChart::default()
        };
        let plots = [
            plot(&diagram, "Accuracy by confidence")?,
            plot(&counts, "Number of predictions by confidence")?,
        ];
        let note = "The accuracy of predictions by their confidence. If the model is calibrated, both \
             are equal: of the predictions with a confidence of 90 %, 90 % are correct. Points \
             for few predictions vary by chance.";
        Ok(section("Reliability diagram", note, plots_in_a_row(&plots)))
    }

    pub(super) fn confusion(&self) -> Markup {
        let confusion = &self.evaluation.confusion;
        let off_diagonal = (0..CLASSES)
            .flat_map(|label| (0..CLASSES).map(move |predicted| (label, predicted)))
            .filter(|(label, predicted)| label != predicted)
            .map(|(label, predicted)| confusion[label][predicted]);
        let most = off_diagonal.max().unwrap_or(0).max(1) as f64;
        let cell = |label: usize, predicted: usize| {
            let count = confusion[label][predicted];
            match count {
                _ if label == predicted => html! { td.right { (count) } },
                0 => html! { td.none { "0" } },
                _ => {
                    let style = format!("--part:{:.2}", count as f64 / most);
                    html! { td.wrong style=(style) { (count) } }
                }
            }
        };
        let table = html! {
            table.heat {
                tr {
                    th {}
                    @for predicted in 0..CLASSES { th { (predicted) } }
                }
                @for label in 0..CLASSES {
                    tr {
                        th { (label) }
                        @for predicted in 0..CLASSES { (cell(label, predicted)) }
                    }
                }
            }
        };
        section("Confusion matrix", "Rows: the true digit. Columns: the predicted digit.", table)
    }

    pub(super) fn classes(&self) -> Markup {
        let rows = self.evaluation.classes.iter().map(|class| {
            let figures = [class.precision, class.recall, class.f1].map(percent);
            [class.digit.to_string()].into_iter().chain(figures).chain([thousands(class.support)])
        });
        let note = "Precision: the fraction of the predictions of a digit that are correct. Recall: the \
             fraction of the images of a digit that are recognised. F1: the harmonic mean of \
             both.";
        let names = ["digit", "precision", "recall", "F1", "images"];
        section("Metrics by digit", note, table(&names, rows.map(Iterator::collect)))
    }

    pub(super) fn mistakes(&self, images: &ReportImages) -> Markup {
        if self.mistakes.is_empty() {
            return section("Mistakes", "None of the test images is misclassified.", html! {});
        }
        let shown = &self.mistakes[..self.mistakes.len().min(MAX_MISTAKES_SHOWN)];
        let note = format!(
            "The {} most confident of {}, each with the confidence of the wrong prediction.",
            shown.len(),
            thousands(self.mistakes.len())
        );
        let figures = html! {
            div.mistakes {
                @for mistake in shown {
                    @let image = images::digit(images.test.pixels(mistake.index));
                    figure {
                        img src=(image) alt={ "digit " (mistake.digit) } width="84" height="84";
                        figcaption {
                            b { (mistake.digit) } " read as " b { (mistake.answer) }
                            br;
                            (percent(mistake.confidence.into()))
                        }
                    }
                }
            }
        };
        section("Most confident mistakes", &note, figures)
    }

    pub(super) fn features(&self) -> PlotResult<Markup> {
        let features = &self.features;
        let rows = features.layers.iter().map(|layer| {
            vec![
                layer.name.clone(),
                thousands(layer.width),
                percent(layer.probe_accuracy),
                format!("{:.2}", layer.scatter_ratio),
                format!("{:.1}", layer.effective_dimension),
            ]
        });
        let names = ["layer", "width", "linear probe", "scatter ratio", "effective dimension"];
        let mut plots = Vec::new();
        for chart in features.charts() {
            plots.push(plot(&chart, &chart.title)?);
        }
        for layer in &features.layers {
            plots.push(plot(
                &layer.components_chart(),
                &format!("Principal components of {}", layer.name),
            )?);
        }
        let note = format!(
            "How well each layer separates the digits: the accuracy of a linear probe, the \
             scatter between digits over the scatter within digits, the effective dimension \
             (participation ratio of the covariance), and {} test images along the first two \
             principal components.",
            thousands(features.layers.first().map_or(0, |layer| layer.points.len()))
        );
        let content = html! { (table(&names, rows)) (plots_in_a_row(&plots)) };
        Ok(section("Features by layer", &note, content))
    }

    pub(super) fn weights(&self, images: &ReportImages) -> Markup {
        let norm = |unit: &[f32; PIXELS]| unit.iter().map(|weight| weight * weight).sum::<f32>();
        let mut units: Vec<&[f32; PIXELS]> = images.units().iter().collect();
        units.sort_by(|a, b| norm(b).total_cmp(&norm(a)));
        let all = units.len();
        units.truncate(MAX_UNITS_SHOWN);
        let note = format!(
            "The {} of {all} units whose weights have the largest norm. Orange weights are \
             positive: ink there raises the unit's input. Blue weights are negative.",
            units.len()
        );
        let image =
            html! { img.weights src=(images::weights(&units)) alt="weights of the first layer"; };
        section("First-layer weights", &note, image)
    }

    pub(super) fn configuration(&self) -> Markup {
        let metadata = &self.metadata;
        let unsure_below = match metadata.unsure_below {
            above_one if above_one > 1.0 => "every answer is unsure".to_owned(),
            threshold => threshold.to_string(),
        };
        let mut rows = vec![
            ("made with".to_owned(), metadata.made_with.clone()),
            ("temperature".to_owned(), metadata.temperature.to_string()),
            ("unsure below".to_owned(), unsure_below),
            ("training images".to_owned(), thousands(metadata.data.images)),
            ("is MNIST".to_owned(), metadata.data.is_mnist.to_string()),
            ("SHA-256 of the images".to_owned(), metadata.data.sha256.clone()),
        ];
        flatten("recipe", &metadata.recipe, &mut rows);
        flatten("figures", &metadata.figures, &mut rows);
        let table = html! {
            table {
                @for (key, value) in rows {
                    tr { td.text { (key) } td.text { (value) } }
                }
            }
        };
        section("Configuration", "", table)
    }
}

fn section(title: &str, note: &str, content: Markup) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if !note.is_empty() { p { (note) } }
            (content)
        }
    }
}

/// A chart as an SVG element, labelled for screen readers.
fn plot(chart: &dyn Chart, label: &str) -> PlotResult<Markup> {
    // The page has the style sheet in its head, once for all plots.
    let svg = plot::figure(REPORT_PANEL, 1, &[chart])?.replace(&plot::style_tag(), "");
    let label = html! { (label) }.into_string();
    let svg = svg.replacen("<svg", &format!("<svg role=\"img\" aria-label=\"{label}\""), 1);
    Ok(html! { figure { (PreEscaped(svg)) } })
}

fn plots_in_a_row(plots: &[Markup]) -> Markup {
    html! {
        div.plots {
            @for plot in plots { (plot) }
        }
    }
}

/// A table whose first column is text and whose other columns are numbers.
fn table(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Markup {
    html! {
        table {
            tr {
                @for name in names { th { (name) } }
            }
            @for row in rows {
                tr {
                    @for (column, cell) in row.iter().enumerate() {
                        td class=[(column == 0).then_some("text")] { (cell) }
                    }
                }
            }
        }
    }
}

/// Appends the leaves of a JSON value as rows of the form (`recipe · model · hidden`, value),
/// without nulls.
fn flatten(key: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{key} · {}", name.replace('_', " ")), value, rows);
            }
        }
        serde_json::Value::Null => {}
        value => rows.push((key.to_owned(), json_text(value))),
    }
}

/// A JSON value as text: strings without quotes, fractions with six decimals at most.
fn json_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        // Values that were `f32` have more digits than precision.
        serde_json::Value::Number(number) if number.is_f64() => {
            ((number.as_f64().unwrap_or_default() * 1e6).round() / 1e6).to_string()
        }
        other => other.to_string(),
    }
}
