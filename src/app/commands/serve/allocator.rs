//! Memory that requests have freed goes back to the system.

/// Makes the allocator return large blocks at once.
///
/// glibc keeps what is freed for later, and more of it the larger the freed blocks were: up to 64 MiB
/// in each of several arenas, so that a server could hold twice what its requests ever held at once.
/// Limits of one's own switch that growth off (mallopt(3)).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn return_freed_memory() {
    const LARGE_BLOCK: libc::c_int = 256 << 10;
    const KEPT_AT_THE_TOP: libc::c_int = 2 << 20;
    #[allow(unsafe_code)]
    // SAFETY: `mallopt` changes settings of the allocator, which is correct with any of them.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_AT_THE_TOP);
    }
}

/// Other allocators return freed memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_freed_memory() {}
