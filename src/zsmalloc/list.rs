// SPDX-License-Identifier: GPL-2.0

//! The lists of a class: zspages of one fullness group, linked through the zspages themselves.
//!
//! Lists and links are used under the class lock only.

use super::{
    owned::OwnedZspage,
    zspage::{Zspage, ZspageParts, ZspageRef},
};
use core::{cell::Cell, ptr::NonNull};

/// The links of a zspage that is listed.
#[derive(Default)]
pub(crate) struct Link {
    prev: Cell<Option<NonNull<Zspage>>>,
    next: Cell<Option<NonNull<Zspage>>>,
}

/// A list of zspages.
///
/// # Invariants
///
/// From `first`, `next` leads to each zspage of the list once, `prev` back again; all of them are
/// alive, and their links are used by this list alone.
pub(crate) struct ZspageList {
    first: Cell<Option<NonNull<Zspage>>>,
}

// SAFETY: The list owns the links of its zspages, which belong to no task.
unsafe impl Send for ZspageList {}

impl ZspageList {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self {
            first: Cell::new(None),
        }
    }

    /// Whether there is no zspage.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// The zspage added last.
    #[inline]
    pub(super) fn first(&self) -> Option<ZspageParts<'_>> {
        self.at(&self.first)
    }

    /// All zspages, the one added last first. Nothing is added or removed meanwhile.
    pub(super) fn iter(&self) -> impl Iterator<Item = ZspageParts<'_>> + '_ {
        core::iter::successors(self.first(), |zspage| self.at(&zspage.link().next))
    }

    /// Adds a zspage in front.
    #[inline]
    pub(super) fn push(&self, zspage: OwnedZspage) {
        let this = Some(zspage.into_raw());
        let next = self.first.replace(this);
        // INVARIANT: Was owned, and so is alive, and its links were nobody's. Now it leads to what was
        // the list, and back.
        if let Some(zspage) = self.first() {
            zspage.link().prev.set(None);
            zspage.link().next.set(next);
            if let Some(next) = self.at(&zspage.link().next) {
                debug_assert!(next.link().prev.get().is_none());
                next.link().prev.set(this);
            }
        }
    }

    /// Removes a zspage.
    ///
    /// # Safety
    ///
    /// `zspage` is on this list.
    #[inline]
    pub(super) unsafe fn remove(&self, zspage: ZspageParts<'_>) -> OwnedZspage {
        let Link { prev, next } = zspage.link();
        let this = zspage.zspage().as_non_null();
        // INVARIANT: What came before the zspage leads to what came after it, and back. The
        // assertions are those of CONFIG_DEBUG_LIST.
        let before = self.at(prev);
        let from = before.map_or(&self.first, |before| &before.link().next);
        debug_assert!(from.get() == Some(this));
        from.set(next.get());
        if let Some(after) = self.at(next) {
            debug_assert!(after.link().prev.get() == Some(this));
            after.link().prev.set(prev.get());
        }
        // SAFETY: Just removed from its list.
        unsafe { OwnedZspage::from_raw(this) }
    }

    /// The zspage of this list that `link` leads to.
    #[inline]
    fn at(&self, link: &Cell<Option<NonNull<Zspage>>>) -> Option<ZspageParts<'_>> {
        // SAFETY: Links of this list lead to zspages of this list, which by the type invariant are
        // alive. Lists are used under the class lock.
        link.get()
            .map(|zspage| unsafe { ZspageRef::new(zspage).parts() })
    }
}
