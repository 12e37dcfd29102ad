// SPDX-License-Identifier: GPL-2.0

//! `src/sys/page.c` in Rust, for Miri, which runs no C. Nowhere else: what is tested of the life of a
//! page is tested with the C code itself.
#![allow(clippy::missing_safety_doc, improper_ctypes)]

use super::bindings::{movable_operations, page};
use std::{
    ffi::{c_int, c_ulong, c_void},
    ptr,
    sync::atomic::AtomicUsize,
};

unsafe extern "C-unwind" {
    fn alloc_page(gfp: u32) -> *mut page;
    fn page_address(page: *mut page) -> *mut c_void;
    fn virt_to_page(address: *mut c_void) -> *mut page;
    fn copy_page(to: *mut c_void, from: *const c_void);
    fn get_page(page: *mut page);
    fn put_page(page: *mut page);
    fn page_ref_freeze(page: *mut page, count: c_int) -> bool;
    fn page_ref_unfreeze(page: *mut page, count: c_int);
    fn trylock_page(page: *mut page) -> bool;
    fn unlock_page(page: *mut page);
    fn __SetPageZsmalloc(page: *mut page);
    fn __ClearPageZsmalloc(page: *mut page);
    fn __SetPageMovable(page: *mut page, ops: *const movable_operations);
    fn __ClearPageMovable(page: *mut page);
    fn inc_zone_page_state(page: *mut page, item: c_int);
    fn dec_zone_page_state(page: *mut page, item: c_int);
    fn set_page_private(page: *mut page, private: c_ulong);
    fn host_load(field: *const AtomicUsize) -> c_ulong;
    fn host_store(field: *const AtomicUsize, value: c_ulong);
    fn synchronize_rcu();
    fn rcu_barrier();
}

fn private(page: *mut page) -> *const AtomicUsize {
    page.cast_const().cast()
}

fn mapping(page: *mut page) -> *const AtomicUsize {
    private(page).wrapping_add(1)
}

pub(crate) unsafe fn zs_rs_pages_alloc(gfp: u32, slots: *mut *mut c_void, nr: u32) -> u32 {
    for got in 0..nr {
        // SAFETY: As for C.
        unsafe {
            let page = alloc_page(gfp);
            if page.is_null() {
                return got;
            }
            set_page_private(page, 0);
            __SetPageZsmalloc(page);
            inc_zone_page_state(page, 0);
            *slots.add(got as usize) = page_address(page);
        }
    }
    nr
}

pub(crate) unsafe fn zs_rs_page_of(address: *mut c_void) -> *mut page {
    // SAFETY: As for C.
    unsafe { virt_to_page(address) }
}

pub(crate) unsafe fn zs_rs_page_address(page: *mut page) -> *mut c_void {
    // SAFETY: As for C.
    unsafe { page_address(page) }
}

pub(crate) unsafe fn zs_rs_page_set_private(page: *mut page, zspage: *mut c_void) {
    // SAFETY: As for C.
    unsafe { host_store(private(page), zspage as c_ulong) };
}

pub(crate) unsafe fn zs_rs_page_private(page: *mut page) -> *mut c_void {
    // SAFETY: As for C.
    ptr::with_exposed_provenance_mut(unsafe { host_load(private(page)) } as usize)
}

pub(crate) unsafe fn zs_rs_page_make_movable(
    page: *mut page,
    ops: *const movable_operations,
) -> bool {
    // SAFETY: As for C.
    unsafe {
        if !trylock_page(page) {
            return false;
        }
        __SetPageMovable(page, ops);
        unlock_page(page);
    }
    true
}

pub(crate) unsafe fn zs_rs_page_adopt(page: *mut page, ops: *const movable_operations) {
    // SAFETY: As for C.
    unsafe {
        get_page(page);
        __SetPageZsmalloc(page);
        inc_zone_page_state(page, 0);
        __SetPageMovable(page, ops);
    }
}

pub(crate) unsafe fn zs_rs_page_copy(to: *mut page, from: *mut page) {
    // SAFETY: As for C.
    unsafe { copy_page(page_address(to), page_address(from)) };
}

pub(crate) unsafe fn zs_rs_page_free(page: *mut page) -> bool {
    // SAFETY: As for C.
    unsafe {
        host_store(private(page), 0);
        __ClearPageZsmalloc(page);
        dec_zone_page_state(page, 0);
        let raced = !page_ref_freeze(page, 1);
        if !raced {
            host_store(mapping(page), 0);
            page_ref_unfreeze(page, 1);
        }
        put_page(page);
        raced
    }
}

pub(crate) unsafe fn zs_rs_page_free_locked(page: *mut page) {
    // SAFETY: As for C.
    unsafe {
        host_store(private(page), 0);
        __ClearPageMovable(page);
        __ClearPageZsmalloc(page);
        dec_zone_page_state(page, 0);
        put_page(page);
    }
}

pub(crate) unsafe fn zs_rs_page_discard(page: *mut page) {
    // SAFETY: As for C.
    unsafe {
        __ClearPageZsmalloc(page);
        dec_zone_page_state(page, 0);
        put_page(page);
    }
}

pub(crate) unsafe fn zs_rs_page_disown_all(_ops: *const movable_operations) -> usize {
    unimplemented!("the module is not unloaded here")
}

pub(crate) unsafe fn zs_rs_rcu_drain() {
    // SAFETY: As for C.
    unsafe {
        synchronize_rcu();
        rcu_barrier();
    }
}
