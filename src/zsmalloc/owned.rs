// SPDX-License-Identifier: GPL-2.0

//! The birth and death of zspages.
//!
//! A zspage is *new* until its pages name it ([`NewZspage`]): nobody else can find it. It is *owned*
//! while it is on no list ([`OwnedZspage`]): page migration may find it, and is refused. In between it
//! is *listed*, and belongs to its class.

use super::{
    class::SizeClass,
    error::Error,
    zspage::{Zspage, ZspageRef},
};
use crate::sys::{
    delay::{delay, Point},
    page::{Gfp, Page},
    rcu,
};
use core::{cell::Cell, mem, ptr::NonNull};

/// A zspage that is being made. Dropping it frees all of it at once.
///
/// # Invariants
///
/// This is the only value that knows of the zspage, which has no object; no page has been published.
pub(crate) struct NewZspage(NonNull<Zspage>);

impl NewZspage {
    /// A zspage of `class` with all its pages, none of its objects in use. Sleeps if `gfp` says so.
    pub(crate) fn alloc(class: &SizeClass, gfp: Gfp) -> Result<Self, Error> {
        let memory = class.cache().alloc(gfp)?;
        // SAFETY: The cache of the class gives memory for its zspages. The class outlives them, as it
        // does all that its pool has.
        // INVARIANT: Nobody else has seen it.
        let new = Self(unsafe { Zspage::init(memory, class) });
        for page in new.pages() {
            page.set(Some(Page::alloc(gfp)?));
        }
        Ok(new)
    }

    fn zspage(&self) -> ZspageRef<'_> {
        // SAFETY: By the type invariant the zspage is ours.
        unsafe { ZspageRef::new(self.0) }
    }

    fn pages(&self) -> &[Cell<Option<Page>>] {
        // SAFETY: By the type invariant nobody else knows of the zspage.
        unsafe { self.zspage().pages() }
    }

    /// Lets page migration find the zspage: it is complete, so it is published, then made movable.
    /// From here on it may be found, and is refused, being unlisted.
    pub(crate) fn publish(self) -> OwnedZspage {
        self.zspage().class().pool().count_pages(self.pages().len());
        for slot in self.pages() {
            if let Some(page) = slot.take() {
                page.publish(self.0.cast());
                page.make_movable();
                slot.set(Some(page));
            }
        }
        delay(Point::Publish);
        // INVARIANT: It is unlisted, and was only ours.
        OwnedZspage(mem::ManuallyDrop::new(self).0)
    }
}

impl Drop for NewZspage {
    fn drop(&mut self) {
        for page in self.pages() {
            if let Some(page) = page.take() {
                page.discard();
            }
        }
        // SAFETY: By the type invariant the zspage is ours; the class outlives it.
        unsafe { Zspage::free_memory(self.0, ZspageRef::new(self.0).class()) };
    }
}

/// A zspage that is on no list, and so has one owner. Dropping it frees the pages now, the struct
/// after a grace period; nothing sleeps. The class lock must not be held, but preemption be off since
/// it was: see [`Emptied`](super::class).
///
/// # Invariants
///
/// The zspage is unlisted and has no object, and this is the only value that owns it.
pub(crate) struct OwnedZspage(NonNull<Zspage>);

impl OwnedZspage {
    /// The zspage.
    pub(crate) fn get(&self) -> ZspageRef<'_> {
        // SAFETY: By the type invariant the zspage is alive.
        unsafe { ZspageRef::new(self.0) }
    }

    /// Takes over a zspage that has just been unlisted.
    ///
    /// # Safety
    ///
    /// The zspage was taken off its list, having no object left, under the class lock.
    pub(crate) unsafe fn from_raw(zspage: NonNull<Zspage>) -> Self {
        // INVARIANT: As the caller promises.
        Self(zspage)
    }

    /// Gives the zspage to a list.
    pub(crate) fn into_raw(self) -> NonNull<Zspage> {
        mem::ManuallyDrop::new(self).0
    }
}

impl Drop for OwnedZspage {
    fn drop(&mut self) {
        let zspage = self.get();
        let pool = zspage.class().pool();
        delay(Point::Unlisted);
        // SAFETY: By the type invariant no object is mapped, and migration refuses to touch the pages
        // of an unlisted zspage: nobody but its owner does.
        let pages = unsafe { zspage.pages() };
        for page in pages {
            drop(page.take());
        }
        pool.uncount_pages(pages.len());
        pool.counters().rcu_queued();
        // SAFETY: We own the zspage, and no page names it any more. Its class and its pool, which
        // `free()` uses, are not freed before a `drain()`.
        unsafe { rcu::free_deferred(self.0) };
    }
}
