//! The sections of a page, each a piece of HTML.

use std::fmt::Write;

use super::{Material, Report, escaped, pictures};
use crate::model::{CLASSES, PIXELS};
use crate::plot::{self, Draw, Drawn, Line, Lines};
use crate::train::curves;

const PANEL: (u32, u32) = (460, 340);
/// Mistakes shown.
const MISTAKES: usize = 50;
/// First-layer units shown.
const UNITS: usize = 64;

impl Report {
    pub(super) fn summary(&self) -> String {
        let figures = &self.evaluation;
        let widths: Vec<String> = std::iter::once(PIXELS)
            .chain(self.metadata.model.layers().iter().map(|layer| layer.outputs))
            .map(|width| width.to_string())
            .collect();
        let tiles: String = [
            (percent(figures.accuracy), "of test images right"),
            (grouped(figures.errors), "errors"),
            (grouped(figures.total), "test images"),
            (format!("{:.4}", figures.loss), "mean cross-entropy"),
            (percent(figures.ece), "calibration error"),
            (grouped(self.parameters), "parameters"),
        ]
        .into_iter()
        .map(|(value, name)| {
            format!("<div class=\"tile\"><b>{value}</b><span>{name}</span></div>\n")
        })
        .collect();
        format!(
            "<h1>{}</h1>\n<p class=\"lead\">{}, {} between the layers</p>\n<div class=\"tiles\">\n{tiles}</div>\n",
            escaped(&self.model),
            widths.join(" → "),
            escaped(&plain(&serde_json::json!(self.metadata.model.activation))),
        )
    }

    pub(super) fn curves(&self) -> Drawn<String> {
        let Some(history) = self.history.as_ref().filter(|history| !history.0.is_empty()) else {
            return Ok(String::new());
        };
        let [loss, error] = curves::panels(history);
        let best = history.best().map_or(String::new(), |best| {
            format!(
                "Epoch {} of {} is the one whose weights were kept.",
                best.epoch,
                history.0.len()
            )
        });
        let plots =
            [plot(&loss, "Cross-entropy by epoch")?, plot(&error, "Error by epoch")?].concat();
        Ok(section("Learning curves", &best, &plots_in_a_row(&plots)))
    }

    pub(super) fn reliability(&self) -> Drawn<String> {
        let bins = || self.evaluation.reliability.iter().filter(|bin| bin.count > 0);
        let percent = |share: f64| 100.0 * share;
        let perfect =
            Line { is_thin: true, ..Line::new("perfect", vec![(0.0, 0.0), (100.0, 100.0)], 8) };
        let points = bins().map(|bin| (percent(bin.confidence), percent(bin.accuracy))).collect();
        let measured = Line { has_dots: true, ..Line::new("", points, 0) };
        let diagram = Lines {
            title: "Right, % of answers".to_owned(),
            x: "Confidence, %".to_owned(),
            lines: vec![perfect, measured],
            range: Some((0.0, 103.0)),
            ..Lines::default()
        };
        let counts = bins().map(|bin| (percent(bin.confidence), bin.count as f64)).collect();
        let counts = Lines {
            title: "Answers".to_owned(),
            x: "Confidence, %".to_owned(),
            lines: vec![Line { has_dots: true, ..Line::new("", counts, 5) }],
            is_log: true,
            ..Lines::default()
        };
        let plots = [
            plot(&diagram, "How often answers of a confidence are right")?,
            plot(&counts, "How many answers have that confidence")?,
        ];
        let says = "Whether a confidence means what it says: of the answers given with 90 %, nine in \
                    ten should be right. Where few answers are, chance moves the points.";
        Ok(section("Reliability", says, &plots_in_a_row(&plots.concat())))
    }

    pub(super) fn confusion(&self) -> String {
        let confusion = &self.evaluation.confusion;
        let most = (0..CLASSES)
            .flat_map(|shown| (0..CLASSES).map(move |read| (shown, read)))
            .filter(|(shown, read)| shown != read)
            .map(|(shown, read)| confusion[shown][read])
            .max()
            .unwrap_or(0)
            .max(1) as f64;
        let mut table = "<table class=\"heat\">\n<tr><th></th>".to_owned();
        for read in 0..CLASSES {
            let _ = write!(table, "<th>{read}</th>");
        }
        table.push_str("</tr>\n");
        for (shown, row) in confusion.iter().enumerate() {
            let _ = write!(table, "<tr><th>{shown}</th>");
            for (read, &count) in row.iter().enumerate() {
                let _ = match (count, shown == read) {
                    (_, true) => write!(table, "<td class=\"right\">{count}</td>"),
                    (0, _) => write!(table, "<td class=\"none\">0</td>"),
                    _ => write!(
                        table,
                        "<td class=\"wrong\" style=\"--part:{:.2}\">{count}</td>",
                        count as f64 / most
                    ),
                };
            }
            table.push_str("</tr>\n");
        }
        table.push_str("</table>\n");
        section("Confusion", "Rows: the digit shown. Columns: the digit it was read as.", &table)
    }

    pub(super) fn classes(&self) -> String {
        let rows = self.evaluation.classes.iter().map(|class| {
            let figures = [class.precision, class.recall, class.f1].map(percent);
            [class.digit.to_string()].into_iter().chain(figures).chain([grouped(class.support)])
        });
        let says = "Precision: of the answers “this digit”, the part that was right. Recall: of this \
                    digit's pictures, the part that was found. F1: their harmonic mean.";
        let names = ["digit", "precision", "recall", "F1", "pictures"];
        section("Digit by digit", says, &table(&names, rows.map(Iterator::collect)))
    }

    pub(super) fn surest_mistakes(&self, material: &Material) -> String {
        if self.mistakes.is_empty() {
            return section("Mistakes", "There is none.", "");
        }
        let shown = self.mistakes.iter().take(MISTAKES);
        let figures: String = shown
            .map(|mistake| {
                let picture = pictures::digit(material.test.pixels(mistake.index));
                format!(
                    "<figure><img src=\"{picture}\" alt=\"a {digit}\" width=\"84\" height=\"84\">\
                     <figcaption><b>{digit}</b> read as <b>{}</b><br>{}</figcaption></figure>\n",
                    mistake.answer,
                    percent(mistake.confidence.into()),
                    digit = mistake.digit,
                )
            })
            .collect();
        let says = format!(
            "The {} surest of {}, each with the confidence of the wrong answer.",
            self.mistakes.len().min(MISTAKES),
            grouped(self.mistakes.len())
        );
        section(
            "The surest mistakes",
            &says,
            &format!("<div class=\"mistakes\">\n{figures}</div>\n"),
        )
    }

    pub(super) fn features(&self) -> Drawn<String> {
        let features = &self.features;
        let rows = features.layers.iter().map(|layer| {
            vec![
                layer.name.clone(),
                grouped(layer.width),
                percent(layer.probe_accuracy),
                format!("{:.2}", layer.scatter_ratio),
                format!("{:.1}", layer.effective_dimension),
            ]
        });
        let names = ["features", "width", "linear probe", "scatter", "dimension"];
        let mut html = table(&names, rows);
        let mut plots = String::new();
        for panel in features.panels() {
            plots += &plot(&panel, &panel.title)?;
        }
        for layer in &features.layers {
            plots += &plot(&layer.components(), &format!("Test images by {}", layer.name))?;
        }
        html += &plots_in_a_row(&plots);
        let says = format!(
            "What a linear rule reads from each layer, how far the digits lie apart (between ÷ within), \
             over how many directions the variance is spread, and {} test images along the two widest of \
             them.",
            features.layers.first().map_or(0, |layer| layer.points.len())
        );
        Ok(section("Features, layer by layer", &says, &html))
    }

    pub(super) fn weights(&self, material: &Material) -> String {
        let norm = |unit: &[f32; PIXELS]| unit.iter().map(|weight| weight * weight).sum::<f32>();
        let mut units: Vec<&[f32; PIXELS]> = material.units().iter().collect();
        units.sort_by(|a, b| norm(b).total_cmp(&norm(a)));
        let all = units.len();
        units.truncate(UNITS);
        let says = format!(
            "What the {} of {all} units with the largest weights look for: orange where ink speaks for \
             them, blue where it speaks against.",
            units.len()
        );
        let image = pictures::weights(&units);
        let html = format!("<img class=\"weights\" src=\"{image}\" alt=\"weights as pictures\">\n");
        section("First-layer weights", &says, &html)
    }

    pub(super) fn configuration(&self) -> String {
        let metadata = &self.metadata;
        let mut rows = vec![
            ("made with".to_owned(), metadata.made_with.clone()),
            ("temperature".to_owned(), metadata.temperature.to_string()),
            ("unsure below".to_owned(), metadata.unsure_below.to_string()),
            ("training images".to_owned(), grouped(metadata.data.images)),
            ("is MNIST".to_owned(), metadata.data.is_mnist.to_string()),
            ("SHA-256 of the images".to_owned(), metadata.data.sha256.clone()),
        ];
        flatten("recipe", &metadata.recipe, &mut rows);
        flatten("when chosen", &metadata.figures, &mut rows);
        let rows: String = rows
            .into_iter()
            .map(|(key, value)| {
                format!(
                    "<tr><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>\n",
                    escaped(&key),
                    escaped(&value)
                )
            })
            .collect();
        section("Configuration", "", &format!("<table>\n{rows}</table>\n"))
    }
}

fn section(title: &str, says: &str, html: &str) -> String {
    let says = if says.is_empty() { String::new() } else { format!("<p>{says}</p>\n") };
    format!("<section>\n<h2>{title}</h2>\n{says}{html}</section>\n")
}

fn plot(panel: &dyn Draw, name: &str) -> Drawn<String> {
    // The page has the style once for all.
    let svg = plot::figure(PANEL, 1, &[panel])?.replace(&plot::style_tag(), "");
    let label = format!("<svg role=\"img\" aria-label=\"{}\"", escaped(name));
    Ok(format!("<figure>{}</figure>\n", svg.replacen("<svg", &label, 1)))
}

fn plots_in_a_row(plots: &str) -> String {
    format!("<div class=\"plots\">\n{plots}</div>\n")
}

fn table(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: String = names.iter().map(|name| format!("<th>{name}</th>")).collect();
    let row = |row: Vec<String>| -> String {
        let mut cells = row.iter();
        let first =
            cells.next().map_or(String::new(), |cell| format!("<td class=\"text\">{cell}</td>"));
        let rest: String = cells.map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr>{first}{rest}</tr>\n")
    };
    format!("<table>\n<tr>{head}</tr>\n{}</table>\n", rows.map(row).collect::<String>())
}

/// Nested values as rows `recipe.model.hidden`, nulls left out.
fn flatten(key: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{key} · {}", name.replace('_', " ")), value, rows);
            }
        }
        serde_json::Value::Null => {}
        value => rows.push((key.to_owned(), plain(value))),
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        // Some were f32, and have digits more than they are worth.
        serde_json::Value::Number(number) if number.is_f64() => {
            ((number.as_f64().unwrap_or_default() * 1e6).round() / 1e6).to_string()
        }
        other => other.to_string(),
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// 242762 as 242,762.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}
