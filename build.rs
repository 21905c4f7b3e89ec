//! Refuses a build without a backend at once, instead of after all of Burn is compiled.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let has = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if !["NDARRAY", "FLEX", "WGPU"].into_iter().any(has) {
        println!(
            "cargo::error=burn-digits needs a backend: one of the features `ndarray`, `flex` or `wgpu`, as in \
             `cargo build --release --no-default-features --features flex`"
        );
    }
}
