// SPDX-License-Identifier: GPL-2.0

//! Pinning objects, so that their owner can read and write them.
//!
//! As long as an object is pinned the lock of its zspage is held shared: no object leaves it, and none
//! of its pages is replaced.

use super::{
    handle::{Handle, Location, Word},
    object::Segments,
    pool::Pool,
    stats::Event,
};
use crate::sys::{
    delay::{delay, Point},
    lock::ReadGuard,
    rcu,
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

impl Pinned<'_> {
    /// Takes back what [`Self::into_raw`] gave.
    ///
    /// # Safety
    ///
    /// `raw` is the word of an object, and this task holds the lock of its zspage shared, by a guard
    /// that has been forgotten; it is taken back once.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: usize) -> Self {
        // SAFETY: As the caller promises. With an object the zspage is alive.
        // INVARIANT: As the caller promises.
        unsafe {
            let location = Location::new(Word::from_raw(raw));
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
        self.location.word.into_raw()
    }

    /// The user's bytes. `None` only of memory that somebody has overwritten.
    #[inline]
    pub(crate) fn segments(&self) -> Option<Segments<'_>> {
        let Location { zspage, index, .. } = self.location;
        // SAFETY: By the type invariant we have the zspage's lock, and so no page is replaced.
        let pages = unsafe { zspage.pages() };
        Segments::of_user(pages, zspage.spec(), index)
    }

    /// Whether it is the object of `handle`.
    pub(crate) fn is_of(&self, handle: &Handle) -> bool {
        handle.word() == Some(self.location.word)
    }
}

impl Pool {
    /// Pins the object of `handle` where it is. Does not sleep (on `PREEMPT_RT` it may wait for the
    /// lock). The caller must not sleep while the object is pinned. `None` only of memory that
    /// somebody has overwritten.
    ///
    /// A compaction that has the zspage locked makes us wait for it, and may have moved the object
    /// when we get the lock: the word tells.
    #[inline]
    pub(crate) fn pin<'a>(&'a self, handle: &'a Handle) -> Option<Pinned<'a>> {
        loop {
            let rcu = rcu::read_lock();
            let seen = handle.locate(&rcu)?;
            delay(Point::Map);
            let reader = seen.zspage.lock().read();
            if handle.word() == Some(seen.word) {
                mem::forget(reader);
                // SAFETY: Just locked; the object is in the zspage, and stays there.
                return Some(unsafe { Pinned::from_raw(seen.word.into_raw()) });
            }
            drop(reader);
            self.stats().add(Event::MapRetries, 1);
        }
    }
}
