//! The sections of the page.

use maud::{Markup, PreEscaped, html};

use super::{Report, ReportImages, configuration, images};
use crate::evaluate::CALIBRATION_BINS;
use crate::format::{percent, thousands};
use crate::model::{CLASSES, PIXELS};
use crate::plot::{self, Chart, Curve, CurveStyle, LineChart, PlotResult};
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
        let tiles = [
            (percent(evaluation.accuracy), "test accuracy"),
            (thousands(evaluation.errors), "errors"),
            (thousands(evaluation.total), "test images"),
            (format!("{:.4}", evaluation.loss), "mean cross-entropy"),
            (percent(evaluation.ece), "expected calibration error"),
            (thousands(self.parameters), "parameters"),
        ];
        html! {
            h1 { "Evaluation report" }
            p.lead {
                "The digit classifier " b { (self.model) } ", a fully connected network "
                (widths.join(" → ")) " with the activation function "
                (self.metadata.model.activation.to_string()) "."
            }
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
        let plots: [(&dyn Chart, _); 2] =
            [(&loss, "Cross-entropy by epoch".to_owned()), (&error, "Error by epoch".to_owned())];
        Ok(section("Learning curves", &note, plots_in_a_row(&plots)?))
    }

    pub(super) fn reliability(&self) -> PlotResult<Markup> {
        let bins = || self.evaluation.reliability.iter().filter(|bin| bin.count > 0);
        let percent = |fraction: f64| 100.0 * fraction;
        let axis = |title: &str| LineChart {
            title: title.to_owned(),
            x_label: "Confidence, %".to_owned(),
            x_range: Some((0.0, 100.0)),
            ..LineChart::default()
        };
        let calibrated = Curve::new("calibrated", vec![(0.0, 0.0), (100.0, 100.0)], 8);
        let points = bins().map(|bin| (percent(bin.confidence), percent(bin.accuracy))).collect();
        let radii = bins().map(|bin| bubble_radius(bin.count)).collect();
        let sizes = [1, 10, 100, 1_000, 10_000].map(|count| {
            let what = if count == 1 { "prediction" } else { "predictions" };
            (bubble_radius(count), format!("{} {what}", thousands(count)))
        });
        let diagram = LineChart {
            curves: vec![
                calibrated.styled(CurveStyle::Thin),
                Curve::new("", points, 0).styled(CurveStyle::Bubbles(radii)),
            ],
            y_range: Some((0.0, 103.0)),
            bubble_sizes: sizes.to_vec(),
            ..axis("Accuracy, %")
        };
        // A bar is as wide as its bin.
        let width = 100.0 / CALIBRATION_BINS as f64;
        let middle = |bin: usize| (bin as f64 + 0.5) * width;
        let bin_of =
            |confidence: f64| ((percent(confidence) / width) as usize).min(CALIBRATION_BINS - 1);
        let counts = bins().map(|bin| (middle(bin_of(bin.confidence)), bin.count as f64)).collect();
        let most = bins().map(|bin| bin.count).max().unwrap_or(1) as f64;
        let counts = LineChart {
            curves: vec![Curve::new("", counts, 0).styled(CurveStyle::Bars(width))],
            is_log: true,
            y_range: Some((0.7, 1.4 * most.max(10.0))),
            ..axis("Number of predictions")
        };
        let plots: [(&dyn Chart, _); 2] = [
            (&diagram, "Accuracy by confidence".to_owned()),
            (&counts, "Number of predictions by confidence".to_owned()),
        ];
        let note = "The accuracy of predictions by their confidence, in 15 intervals. If the model is \
             calibrated, both are equal: of the predictions with a confidence of 90 %, 90 % are \
             correct. The circles grow with the number of predictions; small ones vary by chance.";
        Ok(section("Reliability diagram", note, plots_in_a_row(&plots)?))
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
                _ if label == predicted => html! { td.right { (thousands(count)) } },
                0 => html! { td.none { "0" } },
                _ => {
                    let style = format!("--part:{:.2}", count as f64 / most);
                    html! { td.wrong style=(style) { (thousands(count)) } }
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
        let note = "Rows: the true digit. Columns: the predicted digit. Grey: correct predictions. \
                    Purple: mistakes, the stronger the more.";
        section("Confusion matrix", note, table)
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
        let charts = features.charts();
        let charts: Vec<(&dyn Chart, String)> =
            charts.iter().map(|chart| (chart as &dyn Chart, chart.title.clone())).collect();
        let components: Vec<_> =
            features.layers.iter().map(|layer| (layer.components_chart(), &layer.name)).collect();
        let components: Vec<(&dyn Chart, String)> = components
            .iter()
            .map(|(chart, name)| (chart as &dyn Chart, format!("Principal components of {name}")))
            .collect();
        let note = format!(
            "How well each layer separates the digits: the accuracy of a linear probe, the \
             scatter between digits over the scatter within digits, the effective dimension \
             (participation ratio of the covariance), and {} test images along the first two \
             principal components.",
            thousands(features.layers.first().map_or(0, |layer| layer.points.len()))
        );
        let content = html! {
            (table(&names, rows)) (plots_in_a_row(&charts)?) (plots_in_a_row(&components)?)
        };
        Ok(section("Features by layer", &note, content))
    }

    pub(super) fn weights(&self, images: &ReportImages) -> Markup {
        let norm = |unit: &[f32; PIXELS]| unit.iter().map(|weight| weight * weight).sum::<f32>();
        let mut units: Vec<&[f32; PIXELS]> = images.units().iter().collect();
        units.sort_by(|a, b| norm(b).total_cmp(&norm(a)));
        let all = units.len();
        units.truncate(MAX_UNITS_SHOWN);
        let note = format!(
            "The {} of {all} units whose weights have the largest norm, one square each. The \
             brightness is relative to the unit's largest weight.",
            units.len()
        );
        let content = html! {
            p.legend {
                span { i.for {} "orange: positive, ink there raises the unit's input" }
                span { i.against {} "blue: negative, ink there lowers it" }
                span { i.zero {} "black: near 0" }
            }
            img.weights src=(images::weights(&units)) alt="weights of the first layer";
        };
        section("First-layer weights", &note, content)
    }

    pub(super) fn configuration(&self) -> Markup {
        let table = html! {
            table.settings {
                @for (name, value) in configuration::rows(&self.metadata) {
                    tr { th scope="row" { (name) } td.text { (value) } }
                }
            }
        };
        section("Recipe", "What the model was trained on and how.", table)
    }
}

/// The radius of a circle for a number of predictions, in pixels: it grows with the logarithm,
/// because the counts of a good model reach from 1 to nearly all.
fn bubble_radius(count: usize) -> i32 {
    (2.0 + 1.5 * (count.max(1) as f64).log10()).round() as i32
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

/// Charts as SVG elements side by side, each with a label for screen readers.
fn plots_in_a_row(charts: &[(&dyn Chart, String)]) -> PlotResult<Markup> {
    let panels: Vec<&dyn Chart> = charts.iter().map(|(chart, _)| *chart).collect();
    let svgs = plot::panels(REPORT_PANEL, &panels)?;
    let labelled = svgs.iter().zip(charts).map(|(svg, (_, label))| {
        // The page has the style sheet in its head, once for all plots.
        let svg = svg.replace(&plot::style_tag(), "");
        let label = html! { (label) }.into_string();
        svg.replacen("<svg", &format!("<svg role=\"img\" aria-label=\"{label}\""), 1)
    });
    Ok(html! {
        div.plots {
            @for svg in labelled { figure { (PreEscaped(svg)) } }
        }
    })
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
