// SPDX-License-Identifier: GPL-2.0

//! Slab caches.
//!
//! C header: `include/linux/slab.h`.

use super::{alloc::NoMemory, bindings, page::Gfp};
use core::{ffi::CStr, ptr::NonNull};

/// A `kmem_cache` of untyped objects.
///
/// # Invariants
///
/// `cache` came from `kmem_cache_create()` and is destroyed by `drop`.
pub(crate) struct Cache {
    cache: NonNull<bindings::kmem_cache>,
}

// SAFETY: Slab caches lock for themselves.
unsafe impl Send for Cache {}
// SAFETY: As above.
unsafe impl Sync for Cache {}

impl Cache {
    /// A cache `PREFIX-SIZE-POOL` of objects of `size` bytes, aligned to `align` (a power of two).
    /// After N leaked pools `PREFIX-SIZE-POOL.N`, so that it is not one of theirs. Sleeps.
    pub(crate) fn new(
        prefix: &'static CStr,
        pool: &CStr,
        size: usize,
        align: usize,
    ) -> Result<Self, NoMemory> {
        let size = u32::try_from(size).map_err(|_| NoMemory)?;
        let align = u32::try_from(align).map_err(|_| NoMemory)?;
        // SAFETY: Both names are strings; the C side copies them.
        let cache = unsafe {
            bindings::zs_rs_cache_create(prefix.as_ptr().cast(), size, align, pool.as_ptr().cast())
        };
        // INVARIANT: Just created.
        NonNull::new(cache)
            .map(|cache| Self { cache })
            .ok_or(NoMemory)
    }

    /// Memory for one object, uninitialized. Sleeps if `gfp` says so.
    #[inline]
    pub(crate) fn alloc(&self, gfp: Gfp) -> Result<NonNull<u8>, NoMemory> {
        // SAFETY: By the type invariant the cache is alive.
        let object = unsafe {
            bindings::zs_rs_cache_alloc(self.cache.as_ptr(), gfp.without_placement().bits())
        };
        NonNull::new(object.cast()).ok_or(NoMemory)
    }

    /// Gives `object` back. Does not sleep.
    ///
    /// # Safety
    ///
    /// `object` came from [`Self::alloc`] of this cache, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn free(&self, object: NonNull<u8>) {
        // SAFETY: As the caller promises.
        unsafe { bindings::zs_rs_cache_free(self.cache.as_ptr(), object.as_ptr().cast()) };
    }
}

/// `object`, of some cache, is in use although no pointer leads to it any more: kmemleak takes it for no
/// leak, and what it leads to neither. Does not sleep.
///
/// C function: `kmemleak_not_leak()`.
pub(crate) fn only_named(object: NonNull<u8>) {
    // SAFETY: It looks up the address among its own records, and changes no more than such a record.
    unsafe { bindings::zs_rs_cache_only_named(object.as_ptr().cast()) };
}

impl Drop for Cache {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the cache is ours to destroy.
        unsafe { bindings::zs_rs_cache_destroy(self.cache.as_ptr()) };
    }
}
