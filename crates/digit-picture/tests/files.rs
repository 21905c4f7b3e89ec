//! Files: every supported format gives the same image, and what is not a complete picture is
//! rejected.

mod common;

use std::io::Cursor;

use common::{black_on_white, largest_difference, reference};
use digit_picture::{
    DecodeCost, DigitImage, MAX_BYTES, PictureError, decode_cost, from_bytes, read,
};
use image::{DynamicImage, ImageFormat};

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).expect("encoding to memory");
    bytes.into_inner()
}

#[test]
fn sixteen_bits_are_read_as_eight() {
    let deep = DynamicImage::from(black_on_white()).to_luma16();
    let bytes = encoded(deep, ImageFormat::Png);
    assert!(largest_difference(&reference(), &from_bytes(&bytes).unwrap()) < 1e-4);
}

#[test]
fn every_format_gives_the_same_picture_whatever_the_file_is_called() {
    let folder = std::env::temp_dir().join(format!("picture-formats-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
        ImageFormat::Jpeg,
    ] {
        let picture = DynamicImage::from(black_on_white()).to_rgb8();
        // The extension is that of no picture format.
        let path = folder.join("digit.txt");
        std::fs::write(&path, encoded(picture, format)).unwrap();
        let difference = largest_difference(&reference(), &read(&path).unwrap());
        assert!(difference < 0.1, "{format:?}: {difference}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_empty_file_and_a_text_file_are_rejected_by_name() {
    assert_eq!(from_bytes(b"").unwrap_err().to_string(), "the file is empty");
    assert_eq!(
        from_bytes(b"just some words").unwrap_err().to_string(),
        "unknown image format (supported: PNG, JPEG, BMP, GIF, WebP, PNM and TIFF)"
    );
}

#[test]
fn a_png_file_is_damaged_wherever_it_is_cut() {
    let png = encoded(black_on_white(), ImageFormat::Png);
    for length in [9, 20, 40, png.len() / 2] {
        let error = from_bytes(&png[..length]).unwrap_err();
        assert!(matches!(error, PictureError::Damaged(_)), "{length}: {error:?}");
        let message = error.to_string();
        assert!(message.starts_with("the image is damaged or cut short: "), "{message}");
    }
}

#[test]
fn a_jpeg_file_without_its_end_marker_is_damaged() {
    let jpeg = encoded(black_on_white(), ImageFormat::Jpeg);
    assert_eq!(
        from_bytes(&jpeg[..jpeg.len() - 2]).unwrap_err().to_string(),
        "the image is damaged or cut short: the JPEG image has no end marker"
    );
}

#[test]
fn an_image_that_is_too_large_is_rejected_from_its_header() {
    // A BMP header is enough: 30,000 × 30,000 pixels of 24 bits, and not one of them.
    let mut bmp = encoded(image::RgbImage::new(1, 1), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    // 30,000² × 3 bytes = 2,700 MB.
    assert_eq!(
        from_bytes(&bmp).unwrap_err().to_string(),
        "the image is too large: 30000 x 30000 pixels would take 2700 MB, and the limit is 256 MB"
    );
}

#[test]
fn a_file_that_is_too_large_is_rejected_whatever_is_in_it() {
    let path = std::env::temp_dir().join(format!("large-picture-{}", std::process::id()));
    // A sparse file: it takes no room on the disk.
    std::fs::File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    let message = read(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(message, "the file is too large: 257 MB, and the limit is 256 MB");
}

#[test]
fn directories_and_missing_files_are_reported_as_such() {
    let folder = std::env::temp_dir();
    assert_eq!(read(&folder).unwrap_err().to_string(), "this is a directory, not an image file");
    let error = read(&folder.join("no-such-picture.png")).unwrap_err();
    let PictureError::Io(cause) = &error else { panic!("{error:?}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("the file cannot be read: "), "{error}");
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    assert_eq!(
        read("/dev/zero".as_ref()).unwrap_err().to_string(),
        "this is not a regular file (but a pipe, socket or device)"
    );
}

#[test]
fn a_picture_has_784_values() {
    assert_eq!(DigitImage::try_from(&[0.5; 784][..]).unwrap().rows().count(), 28);
    let error = DigitImage::try_from(&[0.5; 783][..]).unwrap_err();
    assert_eq!(error.to_string(), "a picture has 784 values, not 783");
}

#[test]
fn the_cost_of_decoding_is_known_from_the_header() {
    let image = DynamicImage::from(black_on_white());
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    let cost = |image: DynamicImage| decode_cost(&encoded(image, ImageFormat::Png)).unwrap();
    let grey = cost(image.to_luma8().into());
    assert_eq!(
        grey,
        DecodeCost {
            pixels: width * height,
            memory_bytes: width * height,
            decoded_bytes: width * height,
        }
    );
    assert_eq!(cost(image.to_rgb8().into()).memory_bytes, 3 * width * height);
    // Sixteen bits are decoded, then reduced to eight.
    assert!(cost(image.to_rgb16().into()).memory_bytes >= (6 + 3) * width * height);
}

#[test]
fn the_cost_of_a_turned_photograph_includes_the_turned_copy() {
    let jpeg = encoded(DynamicImage::from(black_on_white()).to_rgb8(), ImageFormat::Jpeg);
    let upright = decode_cost(&jpeg).unwrap();
    // An EXIF block (TIFF 6.0, Exif 2.32) with the orientation 6, after the SOI marker.
    let exif =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = decode_cost(&[&jpeg[..2], exif, &jpeg[2..]].concat()).unwrap();
    assert_eq!(turned.pixels, upright.pixels);
    assert_eq!(turned.memory_bytes, 2 * upright.memory_bytes);
}

#[test]
fn a_file_that_cannot_be_decoded_has_no_cost() {
    assert!(matches!(decode_cost(b""), Err(PictureError::Empty)));
    assert!(matches!(decode_cost(b"text"), Err(PictureError::UnknownFormat)));
    let huge = b"P5 100000 100000 255\n";
    assert!(matches!(decode_cost(huge), Err(PictureError::TooLarge { .. })));
}
