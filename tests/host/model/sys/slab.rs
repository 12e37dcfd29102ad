// SPDX-License-Identifier: GPL-2.0

//! Slab caches: all objects are tracked.

use super::{alloc::NoMemory, page::Gfp};
use crate::host::{context, heap, world};
use std::{
    alloc::Layout,
    ffi::CStr,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A `kmem_cache`.
pub(crate) struct Cache {
    name: &'static str,
    layout: Layout,
    /// Objects that are allocated.
    live: AtomicUsize,
}

impl Cache {
    pub(crate) fn new(
        prefix: &'static CStr,
        _pool: &CStr,
        size: usize,
        align: usize,
    ) -> Result<Self, NoMemory> {
        context::assert_may_sleep("kmem_cache_create()");
        if world().faults.strike() {
            return Err(NoMemory);
        }
        Ok(Self {
            name: prefix.to_str().map_err(|_| NoMemory)?,
            layout: Layout::from_size_align(size, align).map_err(|_| NoMemory)?,
            live: AtomicUsize::new(0),
        })
    }

    pub(crate) fn alloc(&self, _gfp: Gfp) -> Result<NonNull<u8>, NoMemory> {
        let object = heap::alloc(self.name, self.layout).ok_or(NoMemory)?;
        self.live.fetch_add(1, Ordering::Relaxed);
        Ok(object)
    }

    /// # Safety
    ///
    /// `object` came from this cache and is not used any more.
    pub(crate) unsafe fn free(&self, object: NonNull<u8>) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: As the caller promises.
        unsafe { heap::free(self.name, object) };
    }
}

/// kmemleak is not there.
pub(crate) fn only_named(_object: NonNull<u8>) {}

impl Drop for Cache {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let live = self.live.load(Ordering::Relaxed);
            assert_eq!(live, 0, "{} is destroyed with objects in it", self.name);
        }
    }
}
