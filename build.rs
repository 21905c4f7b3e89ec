//! Stops a build that has no backend. `compile_error!` in the library would report it only after
//! all of Burn had been compiled.

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
