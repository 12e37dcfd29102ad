// SPDX-License-Identifier: GPL-2.0

//! The birth and death of zspages.
//!
//! A zspage is *new* until its pages name it ([`NewZspage`]): nobody else can find it. It is *owned*
//! while it is on no list ([`OwnedZspage`]): page migration may find it, and is refused. In between it
//! is *listed*, and belongs to its class.

use super::{
    class::SizeClass,
    error::Error,
    zspage::{Zspage, ZspageParts, ZspageRef},
};
use crate::sys::{
    delay::{delay, Point},
    page::{Gfp, PageSlot},
    rcu,
    trace::{self, PoolId},
};
use core::{mem, ptr::NonNull};

/// The right to a zspage that nobody else may use.
///
/// # Invariants
///
/// The zspage is on no list, has no object, and this is the only value that owns it.
struct Owner(NonNull<Zspage>);

impl Owner {
    fn parts(&self) -> ZspageParts<'_> {
        // SAFETY: By the type invariant the zspage is alive. No object is mapped, and migration
        // refuses to touch an unlisted zspage: nobody but its owner does.
        unsafe { ZspageRef::new(self.0).parts() }
    }

    /// Frees the anchor, unless objects that were born here have taken it with them.
    fn free_anchor(&self) {
        let parts = self.parts();
        if let Some(anchor) = parts.take_anchor() {
            // SAFETY: The zspage has no object, and its anchor none elsewhere.
            unsafe { parts.zspage().class().anchors().free(anchor) };
        }
    }
}

/// A zspage that is being made. Dropping it frees all of it at once.
///
/// # Invariants
///
/// Nobody else knows of the zspage: no page has been published.
pub(crate) struct NewZspage(Owner);

impl NewZspage {
    /// A zspage of `class` with all its pages, none of its objects in use. Sleeps if `gfp` says so.
    pub(crate) fn alloc(class: &SizeClass, gfp: Gfp) -> Result<Self, Error> {
        let memory = class.cache().alloc(gfp)?;
        let anchor = match class.anchors().alloc(class, gfp) {
            Ok(anchor) => anchor,
            Err(error) => {
                // SAFETY: Just allocated.
                unsafe { class.cache().free(memory) };
                return Err(error.into());
            }
        };
        // SAFETY: Just allocated. The class outlives its zspages, as its pool is destroyed after them.
        // INVARIANT: Nobody else has seen it.
        let new = Self(Owner(unsafe { Zspage::init(memory, anchor, class) }));
        let pages = new.0.parts().pages();
        // SAFETY: It has just been made, without pages, and nobody else knows of it.
        unsafe { PageSlot::fill(pages, gfp)? };
        Ok(new)
    }

    /// Lets page migration find the zspage: it is complete, so it is published, then made movable.
    /// From here on it may be found, and is refused, being unlisted.
    pub(crate) fn publish(self) -> OwnedZspage {
        let parts = self.0.parts();
        let class = parts.zspage().class();
        let (stats, spec) = (class.pool_stats(), class.spec());
        trace::zspage_birth(
            PoolId::of(stats),
            parts.zspage().as_non_null().cast(),
            spec.size(),
            spec.pages(),
            spec.objects(),
        );
        stats.add_pages(parts.pages().len());
        for page in parts.pages() {
            // SAFETY: All pages are there. The zspage is freed after them, through RCU.
            unsafe { page.publish(parts.zspage().as_non_null().cast()) };
        }
        delay(Point::Publish);
        OwnedZspage(Owner(mem::ManuallyDrop::new(self).0 .0))
    }
}

impl Drop for NewZspage {
    fn drop(&mut self) {
        for page in self.0.parts().pages() {
            // SAFETY: By the type invariant nobody knows of the zspage, and no page is published.
            unsafe {
                if let Some(page) = page.take() {
                    page.discard();
                }
            }
        }
        self.0.free_anchor();
        // SAFETY: By the type invariant nobody knows of the zspage.
        unsafe { Zspage::free_memory(self.0 .0) };
    }
}

/// A zspage that is on no list, and so has one owner. Dropping it frees the pages now, the struct
/// after a grace period; nothing sleeps. The class lock must not be held, but preemption be off since
/// it was: see [`Emptied`](super::class).
pub(crate) struct OwnedZspage(Owner);

impl OwnedZspage {
    /// The zspage.
    pub(crate) fn get(&self) -> ZspageRef<'_> {
        self.0.parts().zspage()
    }

    /// Takes over a zspage that has just been unlisted.
    ///
    /// # Safety
    ///
    /// The zspage is on no list, and nobody owns it. It is not dropped while it has an object.
    pub(super) unsafe fn from_raw(zspage: NonNull<Zspage>) -> Self {
        // INVARIANT: As the caller promises.
        Self(Owner(zspage))
    }

    /// Gives the zspage to a list.
    pub(super) fn into_raw(self) -> NonNull<Zspage> {
        mem::ManuallyDrop::new(self).0 .0
    }
}

impl Drop for OwnedZspage {
    #[inline(never)] // Most frees do not come here.
    fn drop(&mut self) {
        let parts = self.0.parts();
        let class = parts.zspage().class();
        let (stats, spec) = (class.pool_stats(), class.spec());
        delay(Point::Unlisted);
        trace::zspage_death(
            PoolId::of(stats),
            parts.zspage().as_non_null().cast(),
            spec.size(),
            spec.pages(),
        );
        for page in parts.pages() {
            // SAFETY: No object is mapped, and migration does not touch an unlisted zspage.
            drop(unsafe { page.take() });
        }
        self.0.free_anchor();
        stats.sub_pages(parts.pages().len());
        stats.rcu_queued();
        // SAFETY: We own the zspage, and no page names it any more. Its class and cache, which
        // `free()` uses, are not freed before a `drain()`.
        unsafe { rcu::free_deferred(self.0 .0) };
    }
}
