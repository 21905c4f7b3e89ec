//! Generates `src/serve/grpc/generated.rs` from `inference.proto`:
//!
//! ```text
//! cargo run --manifest-path tools/grpc/Cargo.toml
//! ```

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/serve/grpc");
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/made");
    std::fs::create_dir_all(&out)?;
    let descriptors = protox::compile(["inference.proto"], [&folder])?;
    tonic_prost_build::configure()
        // `Bytes` fields share the buffer of the request instead of copying it.
        .bytes(".inference")
        .build_transport(false)
        .out_dir(&out)
        .compile_fds(descriptors)?;
    std::fs::copy(out.join("inference.rs"), folder.join("generated.rs"))?;
    Ok(())
}
