// SPDX-License-Identifier: GPL-2.0

//! Trace events: `trace.h` has what each says.
//!
//! While nobody listens, each is the call of a function that returns at once. They are for what
//! happens to zspages and pools, not to objects: none is on the way of malloc, map or free. All may
//! be called in any context, and under any lock.

use super::{bindings, page::PageId};
use core::{
    ffi::{c_void, CStr},
    ptr::{self, NonNull},
};

/// What a pool is told by.
#[derive(Clone, Copy)]
pub(crate) struct PoolId(*const c_void);

impl PoolId {
    /// The pool with these statistics, which all its classes know.
    pub(crate) fn of<T>(stats: &T) -> Self {
        Self(ptr::from_ref(stats).cast())
    }
}

/// What the compaction of a class came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compacted {
    /// Objects moved.
    pub(crate) moved: usize,
    /// Pages freed.
    pub(crate) freed: usize,
    /// Zspages passed over, because an object of theirs was mapped.
    pub(crate) skipped: usize,
    /// It ended early for lack of memory.
    pub(crate) no_memory: bool,
}

/// What the migration of a page came to.
#[derive(Clone, Copy)]
pub(crate) enum Migration {
    /// It was done.
    Migrated,
    /// An object of the zspage is mapped.
    Busy,
    /// The zspage is on no list.
    Unlisted,
    /// The page has been freed.
    Freed,
}

/// A pool has been made.
pub(crate) fn pool_create(pool: PoolId, name: &CStr, chain_size: usize) {
    // SAFETY: The name is a string, and copied; the address is only told.
    unsafe {
        bindings::zs_rs_trace_pool_create(pool.0, name.as_ptr().cast(), chain_size as u32);
    }
}

/// A pool has been destroyed or, with objects in it, leaked.
pub(crate) fn pool_destroy(pool: PoolId, leaked: usize) {
    // SAFETY: The address is only told.
    unsafe { bindings::zs_rs_trace_pool_destroy(pool.0, leaked as _) };
}

/// A zspage is complete, with `pages` and room for `objects` of `size`. Before it is published.
pub(crate) fn zspage_birth(
    pool: PoolId,
    zspage: NonNull<()>,
    size: usize,
    pages: usize,
    objects: usize,
) {
    let zspage = zspage.as_ptr().cast();
    // SAFETY: Addresses are only told.
    unsafe {
        bindings::zs_rs_trace_zspage_birth(
            pool.0,
            zspage,
            size as u32,
            pages as u32,
            objects as u32,
        );
    }
}

/// A zspage has been taken off its list for good. Before its pages are freed.
pub(crate) fn zspage_death(pool: PoolId, zspage: NonNull<()>, size: usize, pages: usize) {
    let zspage = zspage.as_ptr().cast();
    // SAFETY: Addresses are only told.
    unsafe { bindings::zs_rs_trace_zspage_death(pool.0, zspage, size as u32, pages as u32) };
}

/// The class for objects of `size` has been compacted. Nothing is told if there was nothing to do.
pub(crate) fn compact(pool: PoolId, size: usize, came_to: Compacted) {
    if came_to == Compacted::default() {
        return;
    }
    // SAFETY: The address is only told.
    unsafe {
        bindings::zs_rs_trace_compact(
            pool.0,
            size as u32,
            came_to.moved as _,
            came_to.freed as _,
            came_to.skipped as _,
            came_to.no_memory,
        );
    }
}

/// The hook `migrate_page` has been called.
pub(crate) fn migrate(from: PageId, to: PageId, result: Migration) {
    let result = match result {
        Migration::Migrated => bindings::ZS_RS_MIGRATED,
        Migration::Busy => bindings::ZS_RS_MIGRATE_BUSY,
        Migration::Unlisted => bindings::ZS_RS_MIGRATE_UNLISTED,
        Migration::Freed => bindings::ZS_RS_MIGRATE_FREED,
    };
    // SAFETY: The pages are only told, by their numbers.
    unsafe { bindings::zs_rs_trace_migrate(from.as_ptr(), to.as_ptr(), result) };
}

/// The hook `isolate_page` has refused a page that we had freed.
pub(crate) fn isolate_refused(page: PageId) {
    // SAFETY: The page is only told, by its number.
    unsafe { bindings::zs_rs_trace_isolate_refused(page.as_ptr()) };
}
