//! Picture files: a digit is recognised in every supported format, and incomplete or too large
//! files are refused with their reason.
//!
//! `tests/fixtures/pictures.py` writes the files.

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

fn predict(classifier: &Classifier, bytes: &[u8]) -> Result<Prediction, PictureError> {
    let picture = picture::from_bytes(bytes)?;
    Ok(classifier.predict(&[picture]).remove(0))
}

fn shipped() -> Classifier {
    Classifier::shipped(&backend::cpu()).unwrap()
}

/// File extensions, and the number of files of each, so that none is skipped.
const EXTENSIONS: [(&str, usize); 10] = [
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
fn the_digit_is_recognised_in_every_kind_of_file() {
    let classifier = shipped();
    for (extension, expected) in EXTENSIONS {
        let files = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().unwrap() == extension).collect();
        assert_eq!(files.len(), expected, "{extension}");
        for path in files {
            let prediction = predict(&classifier, &fs::read(&path).unwrap());
            let prediction =
                prediction.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(prediction.digit, 7, "{}: {prediction:?}", path.display());
            assert!(prediction.confidence > 0.9, "{}: {prediction:?}", path.display());
        }
    }
}

#[test]
fn a_truncated_file_is_refused_with_its_reason_or_still_shows_its_digit() {
    let classifier = shipped();
    // The names of files, and the number of bytes by which their format is recognised.
    for (name, signature) in [
        ("grey-8-bit.png", 8),
        ("palette-transparent.png", 8),
        ("grey-16-bit-interlaced.png", 8),
        ("grey.jpg", 3),
        ("progressive.jpg", 3),
        ("cmyk.jpg", 3),
        ("exif-6.jpg", 3),
        ("animated.gif", 6),
        ("animated.webp", 12),
        ("lossy.webp", 12),
        ("alpha.webp", 12),
        ("top-down.bmp", 2),
        ("p.bmp", 2),
        ("seven-rows-a-strip-lzw.tif", 4),
        ("forty-rows-a-strip-raw.tif", 4),
        ("group4.tif", 4),
        ("words.pgm", 2),
        ("rgb.ppm", 2),
        ("grey.pam", 2),
    ] {
        let whole = fixture(name);
        for length in 0..whole.len() {
            let place = format!("{name} cut to {length} bytes");
            match predict(&classifier, &whole[..length]) {
                Ok(prediction) => assert_eq!(prediction.digit, 7, "{place}"),
                Err(PictureError::Empty) => assert_eq!(length, 0, "{place}"),
                Err(PictureError::UnknownFormat) => {
                    assert!((1..signature).contains(&length), "{place}")
                }
                Err(PictureError::Damaged(reason)) => {
                    assert!(length >= signature && !reason.is_empty(), "{place}: {reason}");
                }
                Err(error) => panic!("{place}: {error}"),
            }
        }
    }
}

/// The beginning of a PNG file with this header, up to the image data.
fn png_header(width: u32, height: u32, bits: u8, kind: u8) -> Vec<u8> {
    let header = [b"IHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), &[bits, kind, 0, 0, 0]];
    let header = header.concat();
    let mut sum = flate2::Crc::new();
    sum.update(&header);
    let start = [&b"\x89PNG\r\n\x1a\n"[..], &13u32.to_be_bytes(), &header].concat();
    let data = [0, 0, 0, 0, b'I', b'D', b'A', b'T', 0x35, 0xaf, 0x06, 0x1e];
    [start, sum.sum().to_be_bytes().to_vec(), data.to_vec()].concat()
}

/// A fixture with the bytes at `at` replaced.
fn changed(name: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = fixture(name);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Offset of the frame header in `grey.jpg`.
fn jpeg_frame(jpeg: &[u8]) -> usize {
    jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap()
}

#[test]
fn a_picture_of_more_than_256_mb_is_refused_by_its_header() {
    let frame = jpeg_frame(&fixture("grey.jpg"));
    let pam = b"P7\nWIDTH 99999\nHEIGHT 99999\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
    // Width · height · bytes per pixel.
    for (file, [side, bytes_per_pixel]) in [
        (png_header(65_535, 65_535, 8, 0), [65_535, 1]),
        (png_header(20_000, 20_000, 16, 6), [20_000, 8]),
        (changed("plain.gif", 6, &[0xff; 4]), [65_535, 4]),
        (changed("grey.jpg", frame + 5, &[0xff; 4]), [65_535, 1]),
        (b"P6 1000000 1000000 255\n".to_vec(), [1_000_000, 3]),
        (pam.to_vec(), [99_999, 4]),
    ] {
        let error = picture::from_bytes(&file).unwrap_err();
        let PictureError::TooLarge { width, height, bytes, limit } = error else {
            panic!("{side} pixels wide: {error:?}");
        };
        assert_eq!((u64::from(width), u64::from(height)), (side, side));
        assert_eq!((bytes, limit), (side * side * bytes_per_pixel, 256_000_000), "{side}");
    }
}

/// The decoders themselves refuse these, before allocating memory for the pixels.
#[test]
fn dimensions_beyond_what_a_decoder_allows_are_refused_by_the_header() {
    let vp8l = fixture("lossless.webp");
    let vp8l = vp8l.windows(4).position(|name| name == b"VP8L").unwrap();
    for (file, expected) in [
        (png_header(0x7fff_ffff, 0x7fff_ffff, 16, 6), "Memory limit exceeded"),
        (changed("rgb.bmp", 18, &(1u32 << 30).to_le_bytes()), "Image too large"),
        // The width in the image data contradicts the container's.
        (changed("lossless.webp", vp8l + 9, &[0xff, 0xff, 0xff, 0x0f]), "Inconsistent image sizes"),
    ] {
        let error = picture::from_bytes(&file).unwrap_err();
        let PictureError::Damaged(reason) = &error else { panic!("{expected}: {error:?}") };
        assert!(reason.contains(expected), "{reason}");
    }
    let error = picture::from_bytes(b"P5 4294967295 4294967295 65535\n").unwrap_err();
    let PictureError::Unsupported(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains("(4294967295x4294967295) are too large"), "{reason}");
}

#[test]
fn a_jpeg_with_fewer_bits_than_blocks_of_pixels_is_refused() {
    // 12,000 × 12,000 pixels are 144 MB, which is allowed, and 2,250,000 blocks of 8 × 8, whose
    // bits would take 281,250 bytes.
    let mut jpeg = fixture("grey.jpg");
    let frame = jpeg_frame(&jpeg);
    let size = &mut jpeg[frame + 5..frame + 9];
    size[..2].copy_from_slice(&12_000u16.to_be_bytes());
    size[2..].copy_from_slice(&12_000u16.to_be_bytes());
    assert!(jpeg.len() < 281_250);
    let error = picture::from_bytes(&jpeg).unwrap_err().to_string();
    assert!(error.contains("too few bytes for a JPEG image of 12000 × 12000 pixels"), "{error}");
}

#[test]
fn a_picture_without_width_or_height_is_refused() {
    for file in [&b"P5 0 28 255\n"[..], b"P5 28 0 255\n"] {
        let error = picture::from_bytes(file).unwrap_err();
        assert!(matches!(error, PictureError::NoPixels), "{error:?}");
    }
    let error = picture::from_bytes(&png_header(0, 28, 8, 0)).unwrap_err();
    let PictureError::Damaged(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains("Invalid image dimensions"), "{reason}");
    let error = picture::from_bytes(&changed("rgb.bmp", 18, &[0; 4])).unwrap_err();
    let PictureError::Unsupported(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains("Image dimensions (0x"), "{reason}");
}
