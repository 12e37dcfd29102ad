// SPDX-License-Identifier: GPL-2.0

//! The lists of a class: zspages of one fullness group, linked through the zspages themselves.
//!
//! Lists and links are used under the class lock only.

use super::zspage::{Zspage, ZspageRef};
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
    pub(crate) fn first(&self) -> Option<ZspageRef<'_>> {
        self.first.get().map(|zspage| self.at(zspage))
    }

    /// All zspages, the one added last first. Nothing is added or removed meanwhile.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ZspageRef<'_>> + '_ {
        core::iter::successors(self.first(), |zspage| {
            zspage.link().next.get().map(|next| self.at(next))
        })
    }

    /// Adds a zspage in front.
    ///
    /// # Safety
    ///
    /// `zspage` is on no list, and stays alive until it is removed.
    #[inline]
    pub(crate) unsafe fn push(&self, zspage: ZspageRef<'_>) {
        let next = self.first();
        zspage.link().prev.set(None);
        zspage.link().next.set(next.map(ZspageRef::as_non_null));
        if let Some(next) = next {
            debug_assert!(next.link().prev.get().is_none());
            next.link().prev.set(Some(zspage.as_non_null()));
        }
        // INVARIANT: `zspage` leads to what was the list, and back. As the caller promises it is
        // alive, and its links were nobody's.
        self.first.set(Some(zspage.as_non_null()));
    }

    /// Removes a zspage.
    ///
    /// # Safety
    ///
    /// `zspage` is on this list.
    #[inline]
    pub(crate) unsafe fn remove(&self, zspage: ZspageRef<'_>) {
        let prev = zspage.link().prev.take().map(|prev| self.at(prev));
        let next = zspage.link().next.take().map(|next| self.at(next));
        let this = Some(zspage.as_non_null());
        // INVARIANT: What came before the zspage leads to what came after it, and back. The
        // assertions are those of CONFIG_DEBUG_LIST.
        let from = match prev {
            Some(prev) => &prev.link().next,
            None => &self.first,
        };
        debug_assert!(from.get() == this);
        from.set(next.map(ZspageRef::as_non_null));
        if let Some(next) = next {
            debug_assert!(next.link().prev.get() == this);
            next.link().prev.set(prev.map(ZspageRef::as_non_null));
        }
    }

    /// A zspage of this list.
    #[inline]
    fn at(&self, zspage: NonNull<Zspage>) -> ZspageRef<'_> {
        // SAFETY: Links of this list lead to zspages of this list, which by the type invariant are
        // alive.
        unsafe { ZspageRef::new(zspage) }
    }
}
