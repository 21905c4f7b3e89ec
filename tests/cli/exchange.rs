//! `export`, `import`, `completions` and `man`, as typed.

use std::fs;
use std::process::Command;

use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root};

#[test]
fn the_shipped_model_is_exported_and_imported_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (out, back) = (folder.path().join("out.safetensors"), folder.path().join("back"));
    let mut export = burn_digits();
    export.args(["export", "--format", "safetensors", "--model", "shipped", "--out"]).arg(&out);
    export.assert().success().stdout(predicate::str::contains("(model shipped)"));
    let shipped = fs::read(root().join("artifacts/model/digits.safetensors")).unwrap();
    assert_eq!(fs::read(&out).unwrap(), shipped);
    burn_digits().arg("import").arg(&out).arg("--out").arg(&back).assert().success();
    assert_eq!(fs::read(back).unwrap(), shipped);
}

#[test]
fn an_imported_state_dict_is_a_model_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.safetensors");
    let mut import = burn_digits();
    import
        .args(["import", "tests/library/exchange/files/sequential.pt", "--json", "--out"])
        .arg(&out);
    import.args(["--activation", "tanh", "--temperature", "1.5", "--unsure-below", "0.25"]);
    let assert = import.assert().success().stderr("");
    let report = &json_lines(&assert.get_output().stdout)[0];
    assert_eq!(report["from"], "a PyTorch state dict");
    assert_eq!(report["model"]["activation"], "tanh");
    assert_eq!((&report["temperature"], &report["unsure_below"]), (&1.5.into(), &0.25.into()));
    assert_eq!(report["names"]["fc4.bias"], "6.bias");
    let mut infer = burn_digits();
    infer.args(["infer", "image.png", "--json", "--model"]).arg(&out).assert().success();
}

#[test]
fn import_says_what_it_found_and_what_it_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut import = burn_digits();
    import.args(["import", "tests/library/exchange/files/legacy.pt", "--out"]);
    import
        .arg(folder.path().join("model"))
        .assert()
        .success()
        .stdout(
            predicate::str::contains("784 → 4 → 3 → 2 → 10, relu")
                .and(predicate::str::contains("fc2.weight  from 2.weight")),
        )
        .stderr(predicate::str::contains("--activation"));
}

#[test]
#[cfg(feature = "onnx")]
fn onnx_is_written_with_and_without_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let export = |more: &[&str]| {
        let out = folder.path().join("out.onnx");
        let mut export = burn_digits();
        export.args(["export", "--format", "onnx", "--model", "shipped", "--json", "--out"]);
        let assert = export.arg(&out).args(more).assert().success();
        let bytes = fs::read(out).unwrap();
        assert_eq!(json_lines(&assert.get_output().stdout)[0]["bytes"], bytes.len());
        bytes
    };
    assert!(export(&[]).len() < export(&["--softmax"]).len());
}

#[test]
fn each_shell_gets_completions_that_name_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let assert = burn_digits().args(["completions", shell]).assert().success();
        assert
            .stdout(predicate::str::contains("infer").and(predicate::str::contains("paths-from")));
    }
    burn_digits().args(["completions", "tcsh"]).assert().code(2);
}

#[test]
fn bash_loads_the_completions() {
    let assert = burn_digits().args(["completions", "bash"]).assert().success();
    let script = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    // The function that the script hands to bash's `complete`.
    let named = script.split("complete -F ").nth(1).and_then(|rest| rest.split(' ').next());
    let function = named.expect("the script registers a function");
    let asked = format!(
        "COMP_WORDS=(burn-digits expo); COMP_CWORD=1; \
         {function} burn-digits expo burn-digits; echo \"${{COMPREPLY[@]}}\""
    );
    let Ok(bash) = Command::new("bash").args(["-c", &format!("{script}\n{asked}")]).output() else {
        eprintln!("skipped: there is no bash");
        return;
    };
    let said = String::from_utf8_lossy(&bash.stdout);
    assert_eq!(said.trim(), "export", "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn man_prints_a_page_and_writes_one_for_every_command() {
    burn_digits().arg("man").assert().success().stdout(
        predicate::str::contains(".TH burn-digits 1").and(predicate::str::contains("Exit codes")),
    );
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    burn_digits().args(["man", "--out"]).arg(&pages).assert().success();
    let page = fs::read_to_string(pages.join("burn-digits-infer.1")).unwrap();
    assert!(page.contains("paths\\-from") && page.contains("standard"), "{page}");
    for command in ["train", "eval", "export", "import", "completions", "man"] {
        assert!(pages.join(format!("burn-digits-{command}.1")).exists(), "{command}");
    }
}

/// `cargo test` without a filter builds the examples; with one they may be missing.
fn example(name: &str) -> Option<Command> {
    let test = std::env::current_exe().unwrap();
    let path = test.parent()?.parent()?.join("examples").join(name);
    if !path.exists() {
        eprintln!("skipped: the example {name} is not built");
        return None;
    }
    let mut command = Command::new(path);
    command.current_dir(root());
    Some(command)
}

#[test]
fn the_examples_do_what_their_documentation_says() {
    let folder = tempfile::tempdir().unwrap();
    let run = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    if let Some(mut sort) = example("sort_folder") {
        let sorted = folder.path().join("sorted");
        sort.arg("artifacts/samples").arg(&sorted);
        run(sort);
        assert!(sorted.join("3/3-red-pen.png").exists());
        assert!(sorted.join("unreadable/README.md").exists());
    }
    if let Some(mut read) = example("read_number") {
        // The first digits of π, as docs/number.py wrote them.
        read.arg("docs/number.png");
        assert!(run(read).starts_with("31415926\n"));
    }
    if let Some(mut train) = example("train") {
        train.arg(folder.path().join("run"));
        let said = run(train);
        let errors = said.lines().last().unwrap().split(' ').next().unwrap();
        // Guessing makes 9,000 of 10,000.
        assert!(errors.parse::<usize>().unwrap() < 2_000, "{said}");
    }
}

#[test]
fn the_example_of_backpropagation_computes_the_gradients_of_burn_and_of_the_difference_quotient() {
    let Some(mut example) = example("backpropagation") else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let train = ["train", "--limit", "1000", "--epochs", "2", "--backend", "ndarray", "--quiet"];
    burn_digits().args(train).arg("--out").arg(&run).assert().success();
    let output = example.arg(&run).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();

    let gradients: Vec<&str> = said.lines().filter(|line| line.contains("chain rule")).collect();
    assert_eq!(gradients.len(), 2, "{said}");
    for line in gradients {
        // chain rule -1.2034, Burn -1.2034, difference quotient -1.2031
        let last_word = |part: &str| part.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        let values: Vec<f64> = line.split(", ").map(last_word).collect();
        let [by_hand, by_burn, quotient] = values[..] else { panic!("{line}") };
        assert!(by_hand.abs() > 0.01, "{line}");
        assert!((by_hand - by_burn).abs() < 2e-4, "{line}");
        assert!((by_hand / quotient - 1.0).abs() < 0.02, "{line}");
    }
    // The sums of the columns: softmax 1, one-hot 1, and p − y 0.
    let sums = said.lines().find(|line| line.trim_start().starts_with("sum")).unwrap();
    assert!(sums.contains("1.0000          1   0.0000"), "{sums}");
}
