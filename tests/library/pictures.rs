//! Pictures from anywhere: every kind of file reads as the digit on it, and what is no whole picture
//! is refused in a sentence, from its header where it announces too much.
//!
//! The files are made by `tests/fixtures/pictures.py`.

use std::fs;
use std::path::PathBuf;

use burn_digits::backend;
use burn_digits::classifier::{Classifier, Prediction};
use burn_digits::picture::{self, PictureError};

use crate::common;

fn fixtures() -> PathBuf {
    common::root().join("tests/fixtures/pictures")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

fn answer(classifier: &Classifier, bytes: &[u8]) -> Result<Prediction, PictureError> {
    let picture = picture::from_bytes(bytes)?;
    Ok(classifier.predict(&[picture]).remove(0))
}

fn shipped() -> Classifier {
    Classifier::shipped(&backend::cpu()).unwrap()
}

/// Extension and how many files of it there are, so that none is lost.
const KINDS: [(&str, usize); 10] = [
    ("png", 25),
    ("jpg", 13),
    ("gif", 3),
    ("webp", 5),
    ("bmp", 6),
    ("tif", 18),
    ("pbm", 2),
    ("pgm", 3),
    ("ppm", 2),
    ("pam", 1),
];

#[test]
fn the_seven_is_read_from_every_kind_of_file() {
    let classifier = shipped();
    for (kind, expected) in KINDS {
        let files = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().unwrap() == kind).collect();
        assert_eq!(files.len(), expected, "{kind}");
        for path in files {
            let said = answer(&classifier, &fs::read(&path).unwrap());
            let said = said.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(said.digit, 7, "{}: {said:?}", path.display());
            assert!(said.confidence > 0.9, "{}: {said:?}", path.display());
        }
    }
}

#[test]
fn a_file_cut_short_at_any_byte_is_refused_or_still_reads_as_its_digit() {
    let classifier = shipped();
    for name in [
        "grey-8-bit.png",
        "palette-transparent.png",
        "grey-16-bit-interlaced.png",
        "grey.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "exif-6.jpg",
        "animated.gif",
        "animated.webp",
        "lossy.webp",
        "alpha.webp",
        "top-down.bmp",
        "p.bmp",
        "seven-rows-a-strip-lzw.tif",
        "forty-rows-a-strip-raw.tif",
        "group4.tif",
        "words.pgm",
        "rgb.ppm",
        "grey.pam",
    ] {
        let whole = fixture(name);
        for length in 0..whole.len() {
            match answer(&classifier, &whole[..length]) {
                Ok(said) => assert_eq!(said.digit, 7, "{name} cut to {length} bytes"),
                Err(error) => eprintln!("CUT {name} {length} {error:?}"),
            }
        }
    }
}

/// A PNG header's bytes with their checksum.
fn png_header(width: u32, height: u32, bits: u8, kind: u8) -> Vec<u8> {
    let header = [b"IHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), &[bits, kind, 0, 0, 0]];
    let header = header.concat();
    let mut sum = flate2::Crc::new();
    sum.update(&header);
    let start = [&b"\x89PNG\r\n\x1a\n"[..], &13u32.to_be_bytes(), &header].concat();
    let data = [0, 0, 0, 0, b'I', b'D', b'A', b'T', 0x35, 0xaf, 0x06, 0x1e];
    [start, sum.sum().to_be_bytes().to_vec(), data.to_vec()].concat()
}

#[test]
fn what_announces_more_than_256_mb_is_refused_from_its_header() {
    let with = |name: &str, at: usize, bytes: &[u8]| {
        let mut changed = fixture(name);
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let jpeg = fixture("grey.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let vp8l = fixture("lossless.webp");
    let vp8l = vp8l.windows(4).position(|name| name == b"VP8L").unwrap();
    for (what, bytes) in [
        ("PNG, 65,535² of 8 bits", png_header(65_535, 65_535, 8, 0)),
        ("PNG, 20,000² of 64 bits", png_header(20_000, 20_000, 16, 6)),
        ("PNG, 2³¹ − 1 wide", png_header(0x7fff_ffff, 0x7fff_ffff, 16, 6)),
        ("BMP, 2³⁰ wide", with("rgb.bmp", 18, &(1u32 << 30).to_le_bytes())),
        ("GIF, 65,535²", with("plain.gif", 6, &[0xff; 4])),
        ("JPEG, 65,535²", with("grey.jpg", frame + 5, &[0xff; 4])),
        ("WebP, 16,384²", with("lossless.webp", vp8l + 9, &[0xff, 0xff, 0xff, 0x0f])),
        ("PNM, 10⁶ × 10⁶", b"P6 1000000 1000000 255\n".to_vec()),
        ("PNM, 2³² − 1", b"P5 4294967295 4294967295 65535\n".to_vec()),
        (
            "PAM",
            b"P7\nWIDTH 99999\nHEIGHT 99999\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
                .to_vec(),
        ),
    ] {
        let error = picture::from_bytes(&bytes).unwrap_err();
        eprintln!("BIG {what}: {error:?} | {error}");
    }
}

#[test]
fn a_jpeg_with_fewer_bits_than_blocks_of_pixels_is_refused_and_not_made_up() {
    // 12,000 × 12,000 pixels are 144 MB, which is allowed, and 2,250,000 blocks of 8 × 8, whose bits
    // would take 281,250 bytes.
    let mut jpeg = fixture("grey.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let size = &mut jpeg[frame + 5..frame + 9];
    size[..2].copy_from_slice(&12_000u16.to_be_bytes());
    size[2..].copy_from_slice(&12_000u16.to_be_bytes());
    assert!(jpeg.len() < 281_250);
    let error = picture::from_bytes(&jpeg).unwrap_err().to_string();
    assert!(error.contains("too few bytes for a JPEG image of 12000 × 12000 pixels"), "{error}");
}

#[test]
fn a_picture_without_width_or_height_is_refused() {
    for bytes in [png_header(0, 28, 8, 0), b"P5 0 28 255\n".to_vec(), b"P5 28 0 255\n".to_vec(), {
        let mut bmp = fixture("rgb.bmp");
        bmp[18..22].fill(0);
        bmp
    }] {
        eprintln!("ZERO {:?}", picture::from_bytes(&bytes).unwrap_err());
    }
}
