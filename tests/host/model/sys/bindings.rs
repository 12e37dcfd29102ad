// SPDX-License-Identifier: GPL-2.0

//! What `page.rs` and `migrate.rs` want of the bindings: the functions of `src/sys/page.c`, and the
//! types of `include/linux/migrate.h` by the names bindgen gives them.
#![allow(non_camel_case_types, improper_ctypes)]

pub(crate) use crate::host::frame::page;
#[cfg(not(miri))]
use std::ffi::c_void;
use std::ffi::{c_int, c_uint};

pub(crate) type isolate_mode_t = c_uint;
pub(crate) type migrate_mode = c_uint;

pub(crate) const MIGRATE_SYNC: migrate_mode = 2;
pub(crate) const MIGRATEPAGE_SUCCESS: u32 = 0;
pub(crate) const ZS_RS_PAGE_SHIFT: u32 = crate::PAGE_SHIFT as u32;
pub(crate) const ZS_RS_GFP_PLACEMENT: u32 = 0x0a;

#[repr(C)]
pub(crate) struct movable_operations {
    pub(crate) isolate_page: Option<unsafe extern "C" fn(*mut page, isolate_mode_t) -> bool>,
    pub(crate) migrate_page:
        Option<unsafe extern "C" fn(*mut page, *mut page, migrate_mode) -> c_int>,
    pub(crate) putback_page: Option<unsafe extern "C" fn(*mut page)>,
}

unsafe extern "C" {
    pub(crate) fn zs_rs_migrate(new: *mut page, old: *mut page, mode: migrate_mode) -> c_int;
}

/// As in `src/sys/hooks.c`.
///
/// # Safety
///
/// That of the hook.
pub(crate) unsafe extern "C" fn zs_rs_hook_migrate(
    new: *mut page,
    old: *mut page,
    mode: migrate_mode,
) -> c_int {
    // SAFETY: As the caller promises.
    unsafe { zs_rs_migrate(new, old, mode) }
}

#[cfg(miri)]
pub(crate) use super::page_c::*;

#[cfg(not(miri))]
unsafe extern "C-unwind" {
    pub(crate) fn zs_rs_pages_alloc(gfp: u32, slots: *mut *mut c_void, nr: u32) -> u32;
    pub(crate) fn zs_rs_page_address(page: *mut page) -> *mut c_void;
    pub(crate) fn zs_rs_page_of(address: *mut c_void) -> *mut page;
    pub(crate) fn zs_rs_page_set_private(page: *mut page, zspage: *mut c_void);
    pub(crate) fn zs_rs_page_private(page: *mut page) -> *mut c_void;
    pub(crate) fn zs_rs_page_make_movable(
        page: *mut page,
        operations: *const movable_operations,
    ) -> bool;
    pub(crate) fn zs_rs_page_adopt(page: *mut page, operations: *const movable_operations);
    pub(crate) fn zs_rs_page_copy(to: *mut page, from: *mut page);
    pub(crate) fn zs_rs_page_free(page: *mut page) -> bool;
    pub(crate) fn zs_rs_page_free_locked(page: *mut page);
    pub(crate) fn zs_rs_page_discard(page: *mut page);
    pub(crate) fn zs_rs_page_disown_all(operations: *const movable_operations) -> usize;
    pub(crate) fn zs_rs_rcu_drain();
}
