//! What the program and the integration tests of this package share with the library, and no other
//! program should use. It is not documented and may change in any release.
//!
//! The program is a crate of its own that sees public items only, and Rust has no visibility
//! between `pub(crate)` and `pub`. So its share of the library's internals is listed here, and the
//! modules themselves are private.

pub use crate::checksum::sha256_hex;
pub use crate::data::source::download::DOWNLOAD_THREAD;
pub use crate::files::{is_standard_output, open_regular, sorted_files, write_atomically};
pub use crate::paths::artifacts_folder;
pub use crate::png::encode as encode_png;
pub use crate::spelling::same_spelling;

/// Numbers and names as people read them.
pub mod format {
    pub use crate::format::{
        counted, path, percent, printable, printable_lines, round_down, scientific,
        serialize_confidence, thousands,
    };
}

/// Text in images.
#[cfg(feature = "insight")]
pub mod lettering {
    pub use crate::lettering::{size, write};
}
