// SPDX-License-Identifier: GPL-2.0

//! Pinning objects, so that their owner can read and write them.
//!
//! As long as an object is pinned the lock of its zspage is held shared: no object leaves it, and none
//! of its pages is replaced.

use super::{
    anchor::{Anchor, Seen},
    handle::{Handle, Location, Place},
    object::Segments,
    pool::Pool,
};
use crate::sys::{
    delay::{delay, Point},
    lock::ReadGuard,
    rcu::{self, Reading},
    warn::warn_once,
};
use core::mem;

/// An object that stays where it is, until the value is dropped.
///
/// # Invariants
///
/// `reader` is the lock of the zspage of `location`, which has the object, and so is alive.
pub(crate) struct Pinned<'a> {
    location: Location<'a>,
    reader: ReadGuard<'a>,
}

impl<'a> Pinned<'a> {
    /// Takes back what [`Self::into_raw`] gave.
    ///
    /// # Safety
    ///
    /// `raw` came from [`Self::into_raw`], and this task holds the lock of its zspage shared, by a guard
    /// that has been forgotten; it is taken back once.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: usize) -> Option<Self> {
        let place = Place::from_raw(raw)?;
        // SAFETY: As the caller promises. With an object the zspage is alive.
        Some(unsafe { Self::resume(place.open()) })
    }

    /// # Safety
    ///
    /// The zspage of `location` has an object there, and this task holds its lock shared, by a guard
    /// that has been forgotten; it is taken up once.
    #[inline]
    unsafe fn resume(location: Location<'a>) -> Self {
        // SAFETY: As the caller promises.
        // INVARIANT: As the caller promises.
        unsafe {
            Self {
                reader: ReadGuard::resume(location.zspage.lock()),
                location,
            }
        }
    }

    /// Leaves the object pinned, until [`Self::from_raw`].
    #[inline]
    pub(crate) fn into_raw(self) -> usize {
        mem::forget(self.reader);
        self.location.place().into_raw()
    }

    /// The lock, which still pins the object.
    #[inline]
    pub(crate) fn into_reader(self) -> ReadGuard<'a> {
        self.reader
    }

    /// The object's bytes. `None` only of memory that somebody has overwritten.
    #[inline]
    pub(crate) fn segments(&self) -> Option<Segments<'_>> {
        let Location { zspage, index } = self.location;
        // SAFETY: By the type invariant we have the zspage's lock, and so no page is replaced.
        let pages = unsafe { zspage.pages() };
        Segments::of_object(pages, zspage.spec(), index)
    }

    /// Whether it is the object of `handle`.
    pub(crate) fn is_of(&self, handle: &Handle) -> bool {
        let rcu = rcu::read_lock();
        let seen = handle.anchor().look(handle.name().index(), rcu.proof());
        seen.is_some_and(|seen| seen.location.place() == self.location.place())
    }
}

impl Pool {
    /// Pins the object of `handle` where it is. Does not sleep (on `PREEMPT_RT` it may wait for the
    /// lock). The caller must not sleep while the object is pinned. `None` only of memory that
    /// somebody has overwritten.
    ///
    /// A compaction that has the zspage locked makes us wait for it, and may have moved the object
    /// when we get the lock: the anchor tells. `reading` keeps what we look at until then.
    #[inline]
    pub(crate) fn pin<'a>(
        &'a self,
        handle: &'a Handle,
        reading: Reading<'_>,
    ) -> Option<Pinned<'a>> {
        let (anchor, index) = (handle.anchor(), handle.name().index());
        // Most objects are where they were born: nothing of the others on their way.
        let seen = anchor.look_in_place(index, reading);
        let pinned = seen.and_then(|seen| self.pin_seen(anchor, &seen));
        pinned.or_else(|| self.pin_anywhere(handle, reading))
    }

    /// The same of any object.
    #[cold]
    fn pin_anywhere<'a>(&'a self, handle: &'a Handle, reading: Reading<'_>) -> Option<Pinned<'a>> {
        let (anchor, index) = (handle.anchor(), handle.name().index());
        loop {
            let Some(seen) = anchor.look(index, reading) else {
                warn_once!(c"a handle that names no object", handle.as_number());
                return None;
            };
            if let Some(pinned) = self.pin_seen(anchor, &seen) {
                return Some(pinned);
            }
        }
    }

    /// Pins the object where it was seen. `None` if compaction has moved it since.
    #[inline]
    fn pin_seen<'a>(&self, anchor: &'a Anchor, seen: &Seen<'_>) -> Option<Pinned<'a>> {
        delay(Point::Map);
        let reader = seen.location.zspage.lock().read();
        if anchor.is_still(seen) {
            mem::forget(reader);
            // SAFETY: Just locked; the object is in the zspage, and stays there, so that the zspage
            // does as well.
            return Some(unsafe { Pinned::resume(seen.location.with_object()) });
        }
        drop(reader);
        self.stats().add(seen.retry(), 1);
        None
    }
}
