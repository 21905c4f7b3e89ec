//! The page in a headless browser: Debian's `chromium` and `chromium-driver`.
//!
//! Where they are not installed the tests print so and pass; with `BURN_DIGITS_NEEDS_CLIENTS=1`
//! they fail instead. `BURN_DIGITS_SCREENSHOTS=DIR` writes screenshots to a folder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::browser::{Browser, DIGIT_STROKES};
use crate::server::{SEVEN, TestServer, file};

/// A script that returns the texts that are hard to see.
const FAINT_TEXT: &str = include_str!("../chromium/faint_text.js");

/// A digit's strokes at half its width and height, in the left or the right half of the sheet.
fn half_as_large(digit: usize, left: f64) -> Vec<Vec<(f64, f64)>> {
    let point = |&(x, y): &(f64, f64)| (left + 0.5 * x, 25. + 0.5 * y);
    DIGIT_STROKES[digit].iter().map(|stroke| stroke.iter().map(point).collect()).collect()
}

#[test]
fn ten_digits_drawn_as_strokes_are_recognised_with_mouse_finger_and_pen() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    for (digit, strokes) in DIGIT_STROKES.iter().enumerate() {
        browser.clear();
        browser.draw(strokes, ["mouse", "touch", "pen"][digit % 3]);
        let answer = browser.answer();
        assert!(answer.starts_with(&format!("{digit} with ")), "{digit}: {answer}");
        let shares = browser
            .run("return [...document.querySelectorAll('#bars .share')].map(e => e.textContent)");
        let shares: Vec<f64> = shares
            .as_array()
            .unwrap()
            .iter()
            .map(|share| share.as_str().unwrap().strip_suffix(" %").unwrap().parse().unwrap())
            .collect();
        // Each is rounded down to 0.01 %.
        let sum: f64 = shares.iter().sum();
        assert!(shares.len() == 10 && (99.89..100.01).contains(&sum), "{digit}: {shares:?}");
        assert!(shares.iter().all(|&share| share <= shares[digit]), "{digit}: {shares:?}");
        let widths = browser.run(
            "return [...document.querySelectorAll('#layers canvas')].map(c => c.width * c.height)",
        );
        assert_eq!(widths, json!([784, 256, 128, 64, 10]));
        browser.screenshot(&format!("digit-{digit}.png"));
    }
    // A drawing of one digit is sent once, after the stroke, and not for each movement.
    let requests = || {
        let answered = "burn_digits_requests_total{api=\"predict\",status=\"200\"} ";
        let metrics = server.get("/metrics");
        let count =
            metrics.text().lines().find_map(|line| line.strip_prefix(answered)).map(str::to_owned);
        count.unwrap().parse::<usize>().unwrap()
    };
    for digit in [0, 3, 8] {
        assert_eq!(DIGIT_STROKES[digit].len(), 1);
        browser.clear();
        let before = requests();
        browser.draw(DIGIT_STROKES[digit], "mouse");
        browser.answer();
        assert_eq!(requests() - before, 1, "{digit}");
    }
    browser.draw(DIGIT_STROKES[8], "mouse");
    browser.answer();
    for scheme in ["light", "dark"] {
        for (width, height) in [(1400, 900), (400, 1200)] {
            browser.resize(width, height, scheme);
            browser.screenshot(&format!("{scheme}-{width}.png"));
            assert_eq!(browser.run(FAINT_TEXT), json!([]), "{scheme} {width}");
            // Nothing overflows to the side.
            let overflows = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.run(overflows), false, "{scheme} {width}");
        }
    }
    assert_eq!(browser.console_errors(), json!([]));
}

#[test]
fn a_one_drawn_with_the_keyboard_is_recognised_and_announced() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    let (up, down, space, delete) = ("\u{E013}", "\u{E015}", " ", "\u{E017}");
    browser.run("document.getElementById('sheet').focus()");
    let mut keys = vec![up; 8];
    keys.push(space);
    keys.extend([down; 16]);
    keys.push(space);
    browser.keys(&keys);
    assert!(browser.answer().starts_with("1 with "), "{}", browser.answer());
    // Screen readers announce changes in an element with the role status.
    assert_eq!(browser.run("return document.getElementById('message').role"), "status");
    browser.screenshot("keyboard.png");
    browser.control_z();
    assert_eq!(browser.answer(), "Nothing drawn yet.");
    browser.control_z();
    browser.keys(&keys);
    browser.keys(&[delete]);
    assert_eq!(browser.answer(), "Nothing drawn yet.");
}

#[test]
fn a_dropped_or_pasted_picture_is_recognised_and_another_file_gets_the_reason() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    let encoded = STANDARD.encode(file(SEVEN));
    for (event, field) in
        [("DragEvent('drop'", "dataTransfer"), ("ClipboardEvent('paste'", "clipboardData")]
    {
        browser.clear();
        browser.run(&format!(
            "const bytes = Uint8Array.from(atob('{encoded}'), c => c.charCodeAt(0)); \
             const data = new DataTransfer(); data.items.add(new File([bytes], '7.png', {{ type: 'image/png' }})); \
             dispatchEvent(new {event}, {{ {field}: data, bubbles: true, cancelable: true }}))"
        ));
        browser.until("return latestRequest > 0 && document.getElementById('message').textContent.startsWith('7 with ')");
    }
    browser.screenshot("dropped.png");
    browser.run("openPicture(new File(['no picture'], 'x.txt'))");
    browser.until(
        "return document.getElementById('message').textContent.includes('Unknown image format')",
    );
}

#[test]
fn two_digits_are_read_as_a_number_and_undo_takes_back_one_stroke_after_the_other() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    let is_disabled = || browser.run("return document.getElementById('undo').ariaDisabled");
    assert_eq!(is_disabled(), "true");
    browser.draw(&half_as_large(7, 0.), "touch");
    assert!(browser.answer().starts_with("7 with "), "{}", browser.answer());
    browser.draw(&half_as_large(2, 50.), "touch");
    assert!(browser.answer().starts_with("72: 2 digits, "), "{}", browser.answer());
    let bars = "return [...document.querySelectorAll('#bars li > span:first-child')]\
                .map(e => e.textContent).join('')";
    assert_eq!(browser.run(bars), "72");
    browser.screenshot("two-digits.png");
    for (width, scheme) in [(400, "light"), (1400, "dark")] {
        browser.resize(width, 900, scheme);
        browser.screenshot(&format!("two-digits-{scheme}-{width}.png"));
        assert_eq!(browser.run(FAINT_TEXT), json!([]), "{scheme} {width}");
    }

    browser.run("document.getElementById('undo').click()");
    assert!(browser.answer().starts_with("7 with "), "{}", browser.answer());
    assert_eq!(browser.run(bars), "0123456789");
    // What clearing has removed comes back too.
    browser.clear();
    assert_eq!(browser.answer(), "Nothing drawn yet.");
    browser.control_z();
    assert!(browser.answer().starts_with("7 with "), "{}", browser.answer());
    browser.control_z();
    assert_eq!(browser.answer(), "Nothing drawn yet.");
    assert_eq!(is_disabled(), "true");
    browser.control_z();
    assert_eq!(browser.console_errors(), json!([]));
}

#[test]
fn the_answer_is_above_the_drawing_on_a_telephone_and_beside_it_on_a_wide_screen() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    let boxes = "return ['answer', 'sheet', 'undo'].map(id => { \
        const b = document.getElementById(id).getBoundingClientRect(); \
        return [b.left, b.top, b.right, b.bottom]; })";
    let places = || {
        let boxes = browser.run(boxes);
        [0, 1, 2].map(|element: usize| {
            [0, 1, 2, 3].map(|side: usize| boxes[element][side].as_f64().unwrap())
        })
    };
    // 400 × 640 pixels remain of a small telephone's screen beside the browser's bars.
    browser.resize(400, 640, "light");
    let [answer, sheet, undo] = places();
    assert!(answer[1] >= 0. && answer[3] <= sheet[1], "{answer:?} {sheet:?}");
    assert!(undo[3] <= 640., "answer, sheet and buttons are visible together: {undo:?}");
    browser.draw(DIGIT_STROKES[3], "touch");
    assert!(browser.answer().starts_with("3 with "), "{}", browser.answer());
    browser.screenshot("telephone.png");
    // It stays visible while the page is scrolled.
    browser.run("scrollTo(0, 200)");
    let [answer, ..] = places();
    assert_eq!(answer[1], 0.);

    browser.run("scrollTo(0, 0)");
    browser.resize(1400, 900, "light");
    let [answer, sheet, _] = places();
    assert!(answer[0] >= sheet[2] && answer[1] < sheet[3], "{answer:?} {sheet:?}");
}

#[test]
fn the_page_names_the_model_and_says_where_a_drawing_goes_and_when_it_does_not_arrive() {
    let server = TestServer::start();
    let Some(browser) = Browser::open(&server) else { return };
    assert_eq!(browser.run("return document.getElementById('model').textContent"), "shipped");
    browser.resize(400, 640, "light");
    let notice = browser.run(
        "const p = document.querySelector('header p'), b = p.getBoundingClientRect(); \
         return b.height > 0 && b.bottom < innerHeight ? p.textContent : ''",
    );
    let notice = notice.as_str().unwrap();
    assert!(notice.starts_with("Your drawing goes only to this server."), "{notice}");
    browser.draw(DIGIT_STROKES[1], "mouse");
    browser.answer();
    let elsewhere = browser.run(
        "return performance.getEntriesByType('resource').map(e => e.name) \
         .filter(name => !name.startsWith(location.origin) && !name.startsWith('data:'))",
    );
    assert_eq!(elsewhere, json!([]));

    drop(server);
    browser.draw(&half_as_large(7, 50.), "mouse");
    assert!(browser.answer().starts_with("The server can't be reached"), "{}", browser.answer());
}

#[test]
fn two_buttons_keep_a_drawing_with_its_digit_where_corrections_are_collected() {
    let folder = tempfile::tempdir().unwrap();
    let collect = ["--collect", folder.path().to_str().unwrap()];
    let server = TestServer::with(&[&["--model", "shipped"], &collect[..]].concat());
    let Some(browser) = Browser::open(&server) else { return };
    let text =
        |id: &str| browser.run(&format!("return document.getElementById('{id}').textContent"));
    let click =
        |selector: &str| browser.run(&format!("document.querySelector('{selector}').click()"));
    let kept = |digit: u8| {
        let files = std::fs::read_dir(folder.path().join(digit.to_string())).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let disabled = "return document.getElementById('right').disabled";
    assert_eq!(browser.run(disabled), true);
    browser.draw(DIGIT_STROKES[3], "mouse");
    assert!(browser.answer().starts_with("3 with "));
    assert_eq!(browser.run(disabled), false);
    browser.screenshot("correction.png");
    click("#right");
    browser.until("return document.getElementById('thanks').textContent.startsWith('Kept as a 3')");
    let files = kept(3);
    assert_eq!(files.len(), 1);
    // The picture that the server has read before.
    assert_eq!(server.post("/predict", std::fs::read(&files[0]).unwrap()).ok()["digit"], 3);

    browser.clear();
    browser.draw(DIGIT_STROKES[1], "touch");
    browser.answer();
    assert!(!text("thanks").as_str().unwrap().starts_with("Kept"));
    click("#wrong");
    let digits = "return [...document.querySelectorAll('#digits button')].map(b => b.offsetWidth > 0 && b.textContent).join('')";
    assert_eq!(browser.run(digits), "0123456789");
    browser.screenshot("correction-digits.png");
    click("#digits button:nth-child(8)");
    browser.until("return document.getElementById('thanks').textContent.startsWith('Kept as a 7')");
    assert_eq!(kept(7).len(), 1);
    for (width, scheme) in [(400, "light"), (1400, "dark")] {
        browser.resize(width, 900, scheme);
        assert_eq!(browser.run(FAINT_TEXT), json!([]), "{scheme} {width}");
    }
    assert_eq!(browser.console_errors(), json!([]));
}

#[test]
fn the_page_of_a_server_with_tokens_asks_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "a-token-for-the-page\n").unwrap();
    let flags = ["--model", "shipped", "--token-file", tokens.to_str().unwrap()];
    let server = TestServer::with(&flags);
    let Some(browser) = Browser::open(&server) else { return };
    let is_asked = "return document.getElementById('token').offsetWidth > 0";
    assert_eq!(browser.run(is_asked), false);
    browser.draw(DIGIT_STROKES[7], "mouse");
    assert!(browser.answer().contains("token is needed"), "{}", browser.answer());
    assert_eq!(browser.run(is_asked), true);
    browser.screenshot("token.png");
    assert_eq!(browser.run(FAINT_TEXT), json!([]));
    browser.run(
        "document.getElementById('token').value = 'a-token-for-the-page'; \
         document.querySelector('#access button').click()",
    );
    assert!(browser.answer().starts_with("7 with "), "{}", browser.answer());
    assert_eq!(browser.run(is_asked), false);
    // The page is not left, and the token is not in its address.
    let address = format!("http://{}/", server.http);
    assert_eq!(browser.run("return location.href"), address.as_str());
}
