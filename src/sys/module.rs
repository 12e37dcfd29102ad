// SPDX-License-Identifier: GPL-2.0

//! The module itself: its version, its parameter, its staying loaded, the names that it is given.

use super::bindings;
use core::ffi::{c_char, CStr};

/// The module parameter `chain_size`: most pages of a zspage, 4 to 16.
pub(crate) fn chain_size() -> usize {
    // SAFETY: The parameter is constant once the module is loaded.
    unsafe { bindings::zs_rs_chain_size() as usize }
}

/// Says in the kernel's log which version of the module is loaded, and on which kernel.
pub(crate) fn log_version() {
    // SAFETY: It reads constants only.
    unsafe { bindings::zs_rs_log_version() };
}

/// Keeps the module loaded for good, because a pool has been leaked, and lets later pools have its
/// name.
pub(crate) fn leak_pool() {
    // SAFETY: Called from an operation of a pool, whose user holds a reference to the module.
    unsafe { bindings::zs_rs_leak_pool() };
}

/// A string of C's. Not `CStr::from_ptr()`, which adds one to the length and would panic on overflow.
///
/// # Safety
///
/// `name` points at a string, which lives as long as `'a` and does not change.
pub(crate) unsafe fn c_str<'a>(name: *const c_char) -> &'a CStr {
    // SAFETY: As the caller promises.
    unsafe {
        let len = bindings::zs_rs_strlen(name.cast());
        let bytes = core::slice::from_raw_parts(name.cast::<u8>(), len.wrapping_add(1));
        CStr::from_bytes_with_nul_unchecked(bytes)
    }
}
