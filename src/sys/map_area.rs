// SPDX-License-Identifier: GPL-2.0

//! The per-CPU buffer behind map and unmap.
//!
//! An object that spans two pages is copied into this buffer when mapped and out of it when
//! unmapped. In between the caller is in the context that C zsmalloc gives it: page faults off, the
//! buffer's local lock held (so preemption off, except on `PREEMPT_RT`, where it is migration that is
//! off), one object a CPU.

use super::{bindings, lock::ReadGuard, page::PAGE_SIZE, rcu::Reading};
use core::{marker::PhantomData, mem, ptr::NonNull};
use kernel::error::{to_result, Result};

/// The buffers of all CPUs, those that come later included.
pub(crate) struct MapAreas(());

impl MapAreas {
    /// Allocates them and asks to be told of new CPUs. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Called once, when the module is loaded.
        to_result(unsafe { bindings::zs_rs_map_area_init() })?;
        Ok(Self(()))
    }
}

impl Drop for MapAreas {
    fn drop(&mut self) {
        // SAFETY: Set up by `new()`; no pool exists any more, so nothing is mapped.
        unsafe { bindings::zs_rs_map_area_exit() };
    }
}

/// What a map leaves for its unmap.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    /// What keeps the object in its place, as a number; not 0.
    pub(crate) pinned: usize,
    /// Whether the buffer has to be copied back.
    pub(crate) copy_back: bool,
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
        // SAFETY: `MapAreas::new()` has been called before the first pool was made. The address of a
        // per-CPU variable is not NULL.
        let area = unsafe { NonNull::new_unchecked(bindings::zs_rs_map_area_get()) };
        // INVARIANT: Just locked; the CPU we are on went through `map_area_prepare()`.
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    /// Keeps the lock and `mapping` for [`Self::resume`].
    #[inline]
    pub(crate) fn leave_locked(self, mapping: Mapping) {
        // SAFETY: By the type invariant the area is ours.
        unsafe {
            (*self.area.as_ptr()).pinned = mapping.pinned;
            (*self.area.as_ptr()).copy_back = mapping.copy_back;
        }
        mem::forget(self);
    }

    /// Whether an object is mapped on this CPU already. That is a bug of the user's: the lock that we
    /// have just taken was held.
    #[inline]
    pub(crate) fn is_mapped(&self) -> bool {
        // SAFETY: By the type invariant the area is ours.
        unsafe { self.area.as_ref().pinned != 0 }
    }

    /// Takes up the lock that a map left held for its unmap, and what it left with it. `None` if no
    /// map did.
    ///
    /// # Safety
    ///
    /// If an object is mapped on this CPU, it was this task that called [`Self::lock`] and
    /// [`Self::leave_locked`], in this order.
    #[inline]
    pub(crate) unsafe fn resume() -> Option<(Self, Mapping)> {
        // SAFETY: The lock is held, so this is the CPU it was taken on, and its area ours. The
        // address of a per-CPU variable is not NULL.
        let (area, mapping) = unsafe {
            let mut area = NonNull::new_unchecked(bindings::zs_rs_map_area_current());
            let mapping = Mapping {
                pinned: mem::take(&mut area.as_mut().pinned),
                copy_back: area.as_ref().copy_back,
            };
            (area, mapping)
        };
        if mapping.pinned == 0 {
            return None;
        }
        // INVARIANT: As the caller promises.
        let this = Self {
            area,
            _not_send: PhantomData,
        };
        Some((this, mapping))
    }

    /// The buffer's lock is an RCU read section, too. It has preemption off, and RCU waits for that
    /// since Linux 4.20; on `PREEMPT_RT` it is a spinlock, which enters a section of its own there
    /// (`kernel/locking/spinlock_rt.c`).
    #[inline]
    pub(crate) fn reading(&self) -> Reading<'_> {
        // SAFETY: By the type invariant the lock is held.
        unsafe { Reading::by(self) }
    }

    /// Gives back the buffer and then, as C zsmalloc does, the lock of a zspage: in one call, for each
    /// would cost more than what it does.
    #[inline]
    pub(crate) fn unlock_with(self, reader: ReadGuard<'_>) {
        mem::forget(self);
        // SAFETY: By the type invariants both locks are held, and are nobody's after this.
        unsafe { bindings::zs_rs_map_area_put_with(reader.into_raw()) };
    }

    /// The buffer.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut [u8; PAGE_SIZE] {
        // SAFETY: By the type invariant the buffer is ours, for as long as `self` is, and has
        // `PAGE_SIZE` bytes, zeroed when it was allocated.
        unsafe { &mut *(*self.area.as_ptr()).buffer.cast() }
    }
}

impl Drop for MapArea {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { bindings::zs_rs_map_area_put() };
    }
}
