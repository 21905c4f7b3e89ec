//! Image files to the network's 28×28 pixels.
//!
//! Decoding a photograph takes up to hundreds of milliseconds and a hundred megabytes. The header
//! tells how much, so it is read first, and the work is limited before it starts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use image::DynamicImage;

use super::account::Weight;
use super::api_error::{ApiError, ApiErrorKind};
use super::model_spec::PICTURE_INPUT;
use super::request_context::{RequestContext, StopSignal};
use super::workers::Workers;
use crate::picture::many;
use crate::picture::{self, DigitImage};

/// The most pixels that the pictures of one request may have together: one of the largest size that
/// is decoded at all, or five photographs of 12 megapixels.
const MAX_REQUEST_PIXELS: u64 = 64_000_000;
/// Up to this many pixels, decoding a request is light work.
const LIGHT_PIXELS: u64 = 1_000_000;

/// The pixels of image files, in order.
///
/// # Errors
/// If a file is not a readable picture (with its index, where there are several), the request has
/// too many pixels, or it is not done in time.
pub(crate) async fn decode(
    files: Vec<Bytes>,
    workers: &Workers,
    context: &RequestContext,
) -> Result<Vec<DigitImage>, ApiError> {
    let (mut pixels, mut memory) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        let cost = picture::decode_cost(file)
            .map_err(|error| numbered(error.into(), index, files.len()))?;
        pixels += cost.pixels;
        check_pixels(pixels)?;
        memory = memory.max(usize::try_from(cost.memory_bytes).unwrap_or(usize::MAX));
    }
    let weight = if pixels <= LIGHT_PIXELS { Weight::Light } else { Weight::Heavy };
    let decoding = workers.run(weight, memory, context, move |stop| {
        let mut pictures = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            stop.check()?;
            let picture = picture::from_bytes(file)
                .map_err(|error| numbered(error.into(), index, files.len()))?;
            pictures.push(picture);
        }
        Ok(pictures)
    });
    decoding.await
}

/// Decodes one image file and calls `work` with it on the same thread. `work` may take the memory
/// of [`many::find`].
///
/// # Errors
/// Those of `work`, or as [`decode`].
pub(crate) async fn decode_for_many<T: Send + 'static>(
    file: Bytes,
    workers: &Workers,
    context: &RequestContext,
    work: impl FnOnce(&DynamicImage, &StopSignal) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let cost = picture::decode_cost(&file)?;
    check_pixels(cost.pixels)?;
    let finding = cost.decoded_bytes.saturating_add(many::find_memory_bytes(cost.pixels));
    let memory = usize::try_from(cost.memory_bytes.max(finding)).unwrap_or(usize::MAX);
    // Heavy whatever the size: a small picture with many digits takes longer than 10 ms too.
    let working = workers.run(Weight::Heavy, memory, context, move |stop| {
        let image = picture::decode(&file)?;
        stop.check()?;
        work(&image, stop)
    });
    working.await
}

fn check_pixels(pixels: u64) -> Result<(), ApiError> {
    if pixels <= MAX_REQUEST_PIXELS {
        return Ok(());
    }
    let message = format!(
        "the pictures have more than {} million pixels together; send fewer per request",
        MAX_REQUEST_PIXELS / 1_000_000
    );
    Err(ApiError::new(ApiErrorKind::TooLarge, message))
}

/// The error of a picture, with its index where there are several.
fn numbered(error: ApiError, index: usize, count: usize) -> ApiError {
    if count == 1 { error } else { error.prefixed(format!("{PICTURE_INPUT} {index}")) }
}

/// The bytes of an image file in Base64, alone or in a data URI, as a canvas has it.
///
/// # Errors
/// If the text is not valid Base64.
pub(crate) fn from_base64(text: &str) -> Result<Bytes, ApiError> {
    let encoded = match text.strip_prefix("data:") {
        None => text,
        Some(uri) => uri.split_once(";base64,").map(|(_, encoded)| encoded).ok_or_else(|| {
            ApiError::invalid("a data URI must be encoded in base64: data:image/png;base64,…")
        })?,
    };
    STANDARD.decode(encoded).map(Bytes::from).map_err(|error| {
        ApiError::invalid(format!("a picture in JSON must be a Base64 string: {error}"))
    })
}
