use super::*;
use crate::backend;
use crate::train::Epoch;

fn epoch(epoch: usize) -> Epoch {
    Epoch {
        epoch,
        train_loss: 0.5 / epoch as f64,
        train_accuracy: 0.9,
        valid_loss: Some(0.4),
        valid_accuracy: Some(0.95),
        learning_rate: 1e-3,
        train_seconds: 1.0,
        valid_seconds: Some(0.1),
    }
}

/// Twenty black images, two with each label: whatever the prediction, eighteen are misclassified.
fn black_images() -> LabelledImages {
    LabelledImages::new(vec![0; 20 * PIXELS], (0..20).map(|index| index % 10).collect())
}

fn report(history: Option<History>) -> (Report, String) {
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    let digits = black_images();
    let mut report = Report::measure(&classifier, history, &digits, &digits, &mut |_| ()).unwrap();
    report.model = "a <run> & \"more\"".to_owned();
    let html = report.html(&ReportImages::of(&classifier, &digits).unwrap()).unwrap();
    (report, html)
}

#[test]
fn the_page_shows_the_numbers_of_the_report_and_loads_nothing() {
    let (report, html) = report(Some(History(vec![epoch(1), epoch(2)])));
    // All twenty get the same prediction, which is right for two.
    assert_eq!((report.evaluation.errors, report.mistakes.len()), (18, 18));
    assert!(html.contains("<b>10.00 %</b><span>test accuracy"));
    assert_eq!(html.matches("read as <b>").count(), 18);
    assert!(html.contains("<h1>Evaluation report</h1>") && html.contains("Learning curves"));
    assert!(html.contains("64 of 256 units"));
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    // The namespace of SVG is a name, not an address that is loaded.
    let addresses = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!addresses.contains("http://") && !addresses.contains("https://"));
    assert!(!html.contains("<script"));
}

#[test]
fn the_name_of_the_model_is_escaped() {
    let (_, html) = report(None);
    assert!(html.contains("a &lt;run&gt; &amp; &quot;more&quot;") && !html.contains("a <run>"));
    assert!(!html.contains("Learning curves"), "a model without a history has no curves");
}

/// The text elements of the figure with this label.
fn texts_of(html: &str, label: &str) -> Vec<String> {
    let figure = html.split("<figure>").find(|figure| figure.contains(label)).expect(label);
    let elements = figure.split("<text").skip(1);
    elements.map(|text| text.split(['>', '<']).nth(1).unwrap().trim().to_owned()).collect()
}

#[test]
fn the_circles_of_the_reliability_diagram_are_explained_and_both_plots_have_the_same_x_axis() {
    let (_, html) = report(None);
    let diagram = texts_of(&html, "Accuracy by confidence");
    for entry in ["calibrated", "1 prediction", "1,000 predictions", "10,000 predictions"] {
        assert!(diagram.iter().any(|text| text == entry), "{entry}: {diagram:?}");
    }
    let counts = texts_of(&html, "Number of predictions by confidence");
    for tick in ["0", "20", "40", "60", "80", "100"] {
        assert!([&diagram, &counts].iter().all(|texts| texts.contains(&tick.to_owned())), "{tick}");
    }
}

#[test]
fn all_counts_have_one_format_and_the_recipe_is_a_table_in_words() {
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    let digits = LabelledImages::new(vec![0; 1_200 * PIXELS], vec![3; 1_200]);
    let images = ReportImages::of(&classifier, &digits).unwrap();
    let few = black_images();
    let mut report = Report::measure(&classifier, None, &few, &few, &mut |_| ()).unwrap();
    let logits = classifier.logits(1_200, |index| digits.values(index)).unwrap();
    report.evaluation = Evaluation::new(&logits, digits.labels(), 1.0, 0.0);
    let html = report.html(&images).unwrap();
    // All 1,200 have the same prediction: a cell of the matrix, and the number of images.
    assert!(html.matches("1,200<").count() >= 2 && !html.contains(">1200<"));
    assert!(html.contains(">Learning rate</th><td class=\"text\">0.003</td>"));
}
