//! Makes `src/serve/grpc/generated.rs` of `inference.proto`:
//!
//! ```text
//! cargo run --manifest-path tools/grpc/Cargo.toml
//! ```

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/serve/grpc");
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/made");
    std::fs::create_dir_all(&made)?;
    let descriptors = protox::compile(["inference.proto"], [&folder])?;
    tonic_prost_build::configure()
        // Tensors stay in the buffer that they arrived in.
        .bytes(".inference")
        .build_transport(false)
        .out_dir(&made)
        .compile_fds(descriptors)?;
    std::fs::copy(made.join("inference.rs"), folder.join("generated.rs"))?;
    Ok(())
}
