// SPDX-License-Identifier: GPL-2.0

//! Mapping objects, so that their owner can read and write them.
//!
//! From map to unmap the lock of the zspage is held shared: no object leaves it, and none of its
//! pages is replaced. The locks outlive the call that takes them; between the two calls they are
//! values that have been forgotten.

use super::{
    geometry::HEADER_SIZE,
    handle::{Handle, Location},
    object::Place,
    pool::Pool,
    stats::Event,
    zspage::{PagesPinned, Zspage},
};
use crate::sys::{
    delay::{delay, Point},
    map_area::MapArea,
    rcu,
};
use core::ptr::NonNull;

/// What the owner is going to do with an object (`enum zs_mapmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapMode {
    /// Read and write.
    ReadWrite = 0,
    /// Read only: nothing written is kept.
    ReadOnly = 1,
    /// Write all of it: what was there may be lost.
    WriteOnly = 2,
}

impl MapMode {
    /// Whether the object's contents are needed.
    fn reads(self) -> bool {
        self != MapMode::WriteOnly
    }
}

/// A zspage's lock, held shared.
///
/// # Invariants
///
/// This task holds the lock of `zspage` shared, and `zspage` has an object, and so is alive.
struct ReadGuard<'a> {
    zspage: &'a Zspage,
}

impl<'a> ReadGuard<'a> {
    /// Takes up a lock that was left by [`Self::leave_locked`].
    ///
    /// # Safety
    ///
    /// This task holds the lock of `zspage` shared for an object in it, and no other guard does.
    #[inline]
    unsafe fn resume(zspage: &'a Zspage) -> Self {
        // INVARIANT: As the caller promises.
        Self { zspage }
    }

    /// Keeps the lock for [`Self::resume`].
    #[inline]
    fn leave_locked(self) {
        core::mem::forget(self);
    }
}

impl Drop for ReadGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { self.zspage.lock().read_unlock() };
    }
}

impl PagesPinned for ReadGuard<'_> {
    fn pins(&self, zspage: &Zspage) -> bool {
        core::ptr::eq(self.zspage, zspage)
    }
}

impl Pool {
    /// Pins the object of `handle` where it is.
    ///
    /// A compaction that has the zspage locked makes us wait for it, and may have moved the object
    /// when we get the lock: the word tells.
    #[inline]
    fn pin<'a>(&'a self, handle: &'a Handle) -> (ReadGuard<'a>, Location<'a>) {
        loop {
            let rcu = rcu::read_lock();
            let seen = handle.locate(&rcu);
            delay(Point::Map);
            seen.zspage.lock().read_lock();
            if handle.word() == seen.word {
                // SAFETY: The object is in the zspage whose lock we hold, and stays there.
                let location = unsafe { handle.locate_pinned() };
                // INVARIANT: Just locked; it has the object.
                let guard = ReadGuard {
                    zspage: location.zspage,
                };
                return (guard, location);
            }
            // SAFETY: Just locked.
            unsafe { seen.zspage.lock().read_unlock() };
            self.counters().add(Event::MapRetries, 1);
        }
    }

    /// Maps an object and returns the address of its first byte (`zs_map_object()`).
    ///
    /// Until the [`Self::unmap`] the caller must not sleep (on `PREEMPT_RT`: may), has page faults
    /// off, stays on its CPU and maps no other object. Not for interrupt context. `None` cannot
    /// happen: an object lies in its zspage.
    pub(crate) fn map(&self, handle: &Handle, mode: MapMode) -> Option<NonNull<u8>> {
        let (reader, location) = self.pin(handle);
        let place = Place::of(location.zspage, location.index, &reader)?;
        let mut area = MapArea::lock();
        let address = match place.contiguous() {
            Some(address) => address,
            None => {
                let buffer = area.buffer(location.zspage.spec().size());
                if mode.reads() {
                    place.copy_to(buffer);
                }
                NonNull::from(buffer.get_mut(HEADER_SIZE)?)
            }
        };
        area.leave_locked(mode == MapMode::ReadOnly);
        reader.leave_locked();
        Some(address)
    }

    /// Ends what [`Self::map`] began (`zs_unmap_object()`). Does not sleep.
    ///
    /// # Safety
    ///
    /// This task mapped the object, and has not unmapped it since.
    pub(crate) unsafe fn unmap(&self, handle: &Handle) {
        // SAFETY: By contract the object is mapped: the lock of its zspage pins it.
        let location = unsafe { handle.locate_pinned() };
        // SAFETY: By contract `map()` left both locks to us.
        let (reader, mut area) = unsafe { (ReadGuard::resume(location.zspage), MapArea::resume()) };

        if !area.is_read_only() {
            if let Some(place) = Place::of(location.zspage, location.index, &reader) {
                place.copy_from(area.buffer(location.zspage.spec().size()));
            }
        }
        // Locks are given back in the order C zsmalloc does: the CPU first.
        drop(area);
        drop(reader);
    }
}
