//! What distorted pictures must be like, whatever the strengths.

use super::*;
use crate::elastic::MIN_SIGMA;

/// A stroke in the middle of the picture, drawn by formula: a ring.
fn ring() -> [u8; PIXELS] {
    std::array::from_fn(|i| {
        let (x, y) = ((i % SIDE) as f32 - 13.5, (i / SIDE) as f32 - 13.5);
        let off = (x.hypot(y) - 7.0).abs();
        ((2.0 - off).clamp(0.0, 1.0) * 255.0) as u8
    })
}

fn dot(x: usize, y: usize) -> [u8; PIXELS] {
    let mut picture = [0; PIXELS];
    picture[y * SIDE + x] = 255;
    picture
}

fn distorted(strengths: &Distortions, source: &[u8; PIXELS], index: u64) -> [f32; PIXELS] {
    let mut out = [-1.0; PIXELS];
    let distorter = Distorter::new(strengths, 10).expect("strengths in range");
    distorter.apply(source, &mut out, 7, 3, index);
    out
}

/// Samples with this map and no elastic displacement.
fn mapped(source: &[u8; PIXELS], affine: Affine) -> [f32; PIXELS] {
    let mut out = [-1.0; PIXELS];
    let mut places = Places::default();
    places.find(&affine);
    sample(&padded(source, 0.0), &places, &mut out);
    out
}

fn padded(source: &[u8; PIXELS], thicker: f32) -> [f32; PADDED] {
    let mut padded = [0.0; PADDED];
    pad(source, thicker, &mut padded);
    padded
}

fn ink(picture: &[f32]) -> f32 {
    picture.iter().sum()
}

#[test]
fn without_strength_a_picture_is_itself_divided_by_255() {
    let every_grey = std::array::from_fn(|i| (i % 256) as u8);
    let expected = every_grey.map(|grey: u8| f32::from(grey) / 255.0);
    assert_eq!(distorted(&Distortions::none(), &every_grey, 0), expected);
}

#[test]
fn a_quarter_turn_moves_a_dot_where_the_drawing_board_says() {
    // The dot lies 4.5 to the right of the centre (13.5, 13.5) and 0.5 below.
    // Clockwise by 90°, with y pointing down, (4.5, 0.5) becomes (-0.5, 4.5).
    let quarter = Affine { x: [0.0, 1.0], y: [-1.0, 0.0], shift: [0.0, 0.0] };
    let turned = mapped(&dot(18, 14), quarter);
    assert_eq!(turned[18 * SIDE + 13], 1.0);
    assert_eq!(ink(&turned), 1.0);
}

#[test]
fn the_largest_turn_moves_a_dot_by_its_angle() {
    // A dot 10 pixels from the centre moves along an arc of at most
    // 10 · 0.2618 = 2.6 pixels in a turn of up to 15°, and often most of it.
    let strengths = Distortions { rotation: 15.0, ..Distortions::none() };
    let mut farthest: f32 = 0.0;
    for index in 0..500 {
        let turned = distorted(&strengths, &dot(23, 13), index);
        let up_or_down: f32 =
            (0..PIXELS).map(|i| turned[i] * ((i / SIDE) as f32 - 13.0)).sum::<f32>() / ink(&turned);
        farthest = farthest.max(up_or_down.abs());
    }
    assert!((2.2..2.75).contains(&farthest), "{farthest}");
}

#[test]
fn half_a_pixel_to_the_right_halves_a_dot() {
    let half = Affine { x: [1.0, 0.0], y: [0.0, 1.0], shift: [0.5, 0.0] };
    let moved = mapped(&dot(10, 10), half);
    assert_eq!(moved[10 * SIDE + 10], 0.5);
    assert_eq!(moved[10 * SIDE + 11], 0.5);
    assert_eq!(ink(&moved), 1.0);
}

#[test]
fn what_leaves_the_picture_is_gone() {
    let far = Affine { x: [1.0, 0.0], y: [0.0, 1.0], shift: [40.0, -90.0] };
    assert_eq!(ink(&mapped(&[255; PIXELS], far)), 0.0);
}

#[test]
fn the_same_seed_epoch_and_index_give_the_same_bits() {
    let distorter = Distorter::new(&Distortions::default(), 10).expect("defaults in range");
    let make = |seed, epoch, index| {
        let mut out = [0.0; PIXELS];
        distorter.apply(&ring(), &mut out, seed, epoch, index);
        out.map(f32::to_bits)
    };
    let first = make(1, 2, 3);
    for other in [make(2, 2, 3), make(1, 3, 3), make(1, 2, 4)] {
        assert_ne!(first, other);
    }
    assert_eq!(first, std::thread::scope(|s| s.spawn(|| make(1, 2, 3)).join().expect("a picture")));
}

#[test]
fn pixels_stay_between_zero_and_one_at_full_strength() {
    let strengths = Distortions {
        rotation: 45.0,
        scale: 0.5,
        shear: 1.0,
        shift: 8.0,
        elastic: 4.0,
        elastic_sigma: MIN_SIGMA,
        thickness: 1.0,
        sharpen: 0.25,
        ..Distortions::default()
    };
    for index in 0..300 {
        for picture in [ring(), [255; PIXELS]] {
            let out = distorted(&strengths, &picture, index);
            assert!(out.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        }
    }
}

#[test]
fn the_ink_is_about_the_same_on_average() {
    let strengths = Distortions { thickness: 0.0, ..Distortions::default() };
    let before = ink(&ring().map(|grey| f32::from(grey) / 255.0));
    let after =
        (0..500).map(|index| ink(&distorted(&strengths, &ring(), index))).sum::<f32>() / 500.0;
    assert!((after / before - 1.0).abs() < 0.05, "{before} became {after}");
}

#[test]
fn thicker_strokes_have_more_ink_and_thinner_ones_less() {
    // Seen from its middle, a bar 4 pixels wide and 20 long gains its outline
    // of 2 · (4 + 20) = 48 pixels, or loses 2 · 4 + 2 · 18 = 44 of its 80.
    let bar: [u8; PIXELS] = std::array::from_fn(|i| {
        let (x, y) = (i % SIDE, i / SIDE);
        if (12..16).contains(&x) && (4..24).contains(&y) { 255 } else { 0 }
    });
    let pixels = |thicker| ink(&padded(&bar, thicker)).round();
    assert_eq!([pixels(-1.0), pixels(-0.5), pixels(0.0)], [36.0, 58.0, 80.0]);
    assert_eq!([pixels(0.5), pixels(1.0)], [104.0, 128.0]);
}

#[test]
fn sharpening_adds_to_a_pixel_its_difference_from_its_neighbours() {
    // A dot of 100 on a ground of 50, sharpened by 0.1: 100 + 0.1 · 4 · 50 = 120, its neighbours
    // 50 - 0.1 · 50 = 45, and nothing farther away.
    let mut picture = [50; PIXELS];
    picture[10 * SIDE + 10] = 100;
    let mut sharp = padded(&picture, 0.0);
    sharpen(&mut sharp, 0.1);
    let grey = |x: usize, y: usize| (sharp[ORIGIN + y * STRIDE + x] * 255.0).round();
    assert_eq!([grey(10, 10), grey(11, 10), grey(10, 9), grey(11, 11)], [120.0, 45.0, 45.0, 50.0]);
}

#[test]
fn strengths_shrink_in_the_last_part_of_a_run_as_far_as_asked() {
    // 10 epochs, from 0.6 of them down to 0.4: the first six at full strength, then 0.15 less each.
    let strengths = Distortions { anneal_from: 0.6, anneal_to: 0.4, ..Distortions::default() };
    let shares = [1, 6, 7, 8, 9, 10, 11].map(|epoch| strengths.share(epoch, 10));
    let expected: [f32; 7] = [1.0, 1.0, 0.85, 0.7, 0.55, 0.4, 0.4];
    assert!(shares.iter().zip(expected).all(|(share, expected)| (share - expected).abs() < 1e-6));
    let never = Distortions { anneal_from: 1.0, anneal_to: 0.0, ..strengths };
    assert_eq!(never.share(10, 10), 1.0);

    // A dot 10 pixels from the centre moves by at most 10 · 0.2618 = 2.6 pixels in a turn of up to
    // 15°, and by 0.4 of that at the end.
    let turns = Distortions { rotation: 15.0, anneal_to: 0.4, ..Distortions::none() };
    let distorter = Distorter::new(&turns, 10).expect("strengths in range");
    let farthest = (0..500).map(|index| {
        let mut out = [0.0; PIXELS];
        distorter.apply(&dot(23, 13), &mut out, 7, 10, index);
        let moved = (0..PIXELS).map(|i| out[i] * ((i / SIDE) as f32 - 13.0));
        (moved.sum::<f32>() / ink(&out)).abs()
    });
    let farthest = farthest.fold(0.0, f32::max);
    assert!((0.8..1.1).contains(&farthest), "{farthest}");
}

#[test]
fn a_strength_out_of_range_is_named_in_a_sentence() {
    let wild = Distortions { rotation: 90.0, ..Distortions::default() };
    let said = wild.check().expect_err("90° is too much");
    assert_eq!(said, "the distortion `rotation` is 90, but must be between 0 and 45 degrees");
    let not_a_number = Distortions { elastic: f32::NAN, ..Distortions::default() };
    assert!(not_a_number.check().is_err());
    assert!(Distortions::default().check().is_ok());
}

#[test]
fn strengths_left_out_of_a_file_are_the_defaults_and_unknown_ones_are_refused() {
    let read = |text: &str| toml::from_str::<Distortions>(text);
    let expected = Distortions { shift: 2.0, ..Distortions::default() };
    assert_eq!(read("shift = 2.0").expect("a strength"), expected);
    assert!(read("shfit = 2.0").is_err());
}
