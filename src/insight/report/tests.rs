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
    assert!(html.contains("Learning curves") && html.contains("64 of 256 units"));
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
