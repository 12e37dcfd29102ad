// SPDX-License-Identifier: GPL-2.0

//! The birth and death of zspages.

use super::{
    class::SizeClass,
    error::Error,
    stats::Event,
    zspage::{Node, Zspage},
};
use crate::sys::{
    delay::{delay, Point},
    page::{Gfp, Page},
    rcu,
};
use core::{mem, ptr::NonNull};

/// A zspage that is on no list, and so has one owner. Dropping it frees the pages now, the struct
/// after a grace period; the class lock must not be held, and nothing sleeps.
///
/// # Invariants
///
/// The zspage is unlisted and has no object, and this is the only value that owns it.
pub(crate) struct OwnedZspage(NonNull<Zspage>);

// SAFETY: Zspages belong to no task.
unsafe impl Send for OwnedZspage {}

impl OwnedZspage {
    /// A zspage of `class` with all its pages, none of its objects in use, published and movable but
    /// not listed. Sleeps if `gfp` says so.
    pub(crate) fn new(class: &SizeClass, gfp: Gfp) -> Result<Self, Error> {
        let memory = class.cache().alloc(gfp)?;
        // SAFETY: The cache of the class gives memory for its zspages. The class outlives them, as it
        // does all that its pool has.
        // INVARIANT: Nobody else has seen it.
        let mut fresh = Self(unsafe { Zspage::init(memory, class) });
        for slot in fresh.pages_mut() {
            *slot = Some(Page::alloc(gfp)?);
            class.pool().count_page();
        }
        class.pool().counters().add(Event::Zspages, 1);
        fresh.publish();
        delay(Point::Publish);
        Ok(fresh)
    }

    /// Lets page migration find the zspage: complete first, then published, then movable. From here
    /// on it may be found, and is refused, being unlisted.
    fn publish(&mut self) {
        let zspage = self.0.cast();
        for page in self.pages_mut().iter().flatten() {
            page.publish(zspage);
            page.make_movable();
        }
    }

    /// The zspage.
    pub(crate) fn get(&self) -> &Zspage {
        // SAFETY: By the type invariant the zspage is alive.
        unsafe { self.0.as_ref() }
    }

    /// Its pages.
    fn pages_mut(&mut self) -> &mut [Option<Page>] {
        // SAFETY: By the type invariant no object is mapped, and migration refuses to touch the pages
        // of an unlisted zspage: nobody but its owner does.
        unsafe { &mut *self.get().pages() }
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
        // SAFETY: The class outlives the zspage, as it does all that its pool has.
        let pool = unsafe { NonNull::from(self.get().class()).as_ref() }.pool();
        let mut complete = true;
        delay(Point::Unlisted);
        for slot in self.pages_mut() {
            match slot.take() {
                Some(page) => {
                    drop(page);
                    pool.uncount_page();
                }
                // There was no memory for it.
                None => complete = false,
            }
        }
        if complete {
            pool.counters().sub(Event::Zspages, 1);
        }

        // SAFETY: We own the node; no list uses it any more.
        unsafe {
            self.get().node.get().write(Node {
                rcu: mem::ManuallyDrop::new(rcu::Head::new()),
            });
        }
        pool.counters().rcu_queued();
        // SAFETY: We own the zspage, and no page names it any more. Its class and its pool, which
        // `free()` uses, are not freed before a `drain()`.
        unsafe { rcu::free_deferred(self.0) };
    }
}

// SAFETY: The head is at the address of the field `node`, which is the first.
unsafe impl rcu::Deferred for Zspage {
    fn head(this: NonNull<Self>) -> NonNull<rcu::Head> {
        this.cast()
    }

    fn from_head(head: NonNull<rcu::Head>) -> NonNull<Self> {
        head.cast()
    }

    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: A grace period has passed, nobody uses the zspage; its class outlives it.
        let class = unsafe { NonNull::from(this.as_ref().class()).as_ref() };
        // SAFETY: We are the last to use it, and it came from this cache.
        unsafe {
            this.as_ptr().drop_in_place();
            class.cache().free(this.cast());
        }
        class.pool().counters().rcu_freed();
    }
}
