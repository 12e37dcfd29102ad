// SPDX-License-Identifier: GPL-2.0

//! The per-CPU buffer behind map and unmap.
//!
//! An object that spans two pages is copied into this buffer when mapped and out of it when
//! unmapped. In between the caller is in the context that C zsmalloc gives it: page faults off, the
//! buffer's local lock held (so preemption off, except on `PREEMPT_RT`, where it is migration that is
//! off), one object a CPU.

use super::{bindings, page::PAGE_SIZE};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::error::{to_result, Result};

/// The buffers of all CPUs, those that come later included.
pub(crate) struct Areas(());

impl Areas {
    /// Allocates them and asks to be told of new CPUs. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Called once, when the module is loaded.
        to_result(unsafe { bindings::zs_rs_map_area_init() })?;
        Ok(Self(()))
    }
}

impl Drop for Areas {
    fn drop(&mut self) {
        // SAFETY: Set up by `new()`; no pool exists any more, so nothing is mapped.
        unsafe { bindings::zs_rs_map_area_exit() };
    }
}

/// This CPU's buffer, locked.
///
/// # Invariants
///
/// This task holds the local lock of `area`, which has a buffer of `PAGE_SIZE` bytes.
pub(crate) struct MapArea {
    area: NonNull<bindings::zs_rs_map_area>,
    _not_send: PhantomData<*mut ()>,
}

impl MapArea {
    /// Locks this CPU's buffer.
    #[inline]
    pub(crate) fn lock() -> Self {
        // SAFETY: `Areas::new()` has been called before the first pool was made. The address of a
        // per-CPU variable is not NULL.
        let area = unsafe { NonNull::new_unchecked(bindings::zs_rs_map_area_get()) };
        // INVARIANT: Just locked; the CPU we are on went through `map_area_prepare()`.
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    /// Takes up the lock that a map left held for its unmap.
    ///
    /// # Safety
    ///
    /// This task called [`Self::lock`] and [`Self::leave_locked`] last, in this order.
    #[inline]
    pub(crate) unsafe fn resume() -> Self {
        // SAFETY: The lock is held, so this is the CPU it was taken on. The address of a per-CPU
        // variable is not NULL.
        let area = unsafe { NonNull::new_unchecked(bindings::zs_rs_map_area_current()) };
        // INVARIANT: As the caller promises.
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    /// Keeps the lock for [`Self::resume`] and notes for it whether the object is only read.
    #[inline]
    pub(crate) fn leave_locked(self, read_only: bool) {
        // SAFETY: By the type invariant the area is ours.
        unsafe { (*self.area.as_ptr()).read_only = read_only };
        core::mem::forget(self);
    }

    /// What [`Self::leave_locked`] noted.
    #[inline]
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: By the type invariant the area is ours.
        unsafe { (*self.area.as_ptr()).read_only }
    }

    /// The first `len` bytes of the buffer; `len` is at most `PAGE_SIZE`.
    #[inline]
    pub(crate) fn buffer(&mut self, len: usize) -> &mut [u8] {
        // SAFETY: By the type invariant the buffer is ours, for as long as `self` is, and has
        // `PAGE_SIZE` bytes, zeroed when it was allocated.
        unsafe {
            core::slice::from_raw_parts_mut(
                (*self.area.as_ptr()).buffer.cast::<u8>(),
                len.min(PAGE_SIZE),
            )
        }
    }
}

impl Drop for MapArea {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { bindings::zs_rs_map_area_put() };
    }
}
