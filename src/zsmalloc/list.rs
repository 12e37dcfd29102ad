// SPDX-License-Identifier: GPL-2.0

//! The lists of a class: zspages of one fullness group, linked through the zspages themselves.
//!
//! A list is changed under the class lock only, which the exclusive reference to it stands for.

use super::zspage::Zspage;
use core::ptr::NonNull;

/// The links of a zspage that is listed.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    prev: Option<NonNull<Zspage>>,
    next: Option<NonNull<Zspage>>,
}

impl Link {
    /// The links of a zspage that is not listed.
    pub(crate) const NONE: Self = Self {
        prev: None,
        next: None,
    };
}

/// A list of zspages.
///
/// # Invariants
///
/// From `first`, `next` leads to each zspage of the list once, `prev` back again; all of them are
/// alive, and their links are used by this list alone.
pub(crate) struct ZspageList {
    first: Option<NonNull<Zspage>>,
}

// SAFETY: The list owns the links of its zspages, which belong to no task.
unsafe impl Send for ZspageList {}

impl ZspageList {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self { first: None }
    }

    /// Whether there is no zspage.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The zspage added last.
    #[inline]
    pub(crate) fn first(&self) -> Option<NonNull<Zspage>> {
        self.first
    }

    /// All zspages, the one added last first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = NonNull<Zspage>> + '_ {
        let mut at = self.first;
        core::iter::from_fn(move || {
            let zspage = at?;
            // SAFETY: By the type invariant the zspage is alive and its links are ours, and the
            // borrow of the list keeps them as they are.
            at = unsafe { *Self::link(zspage) }.next;
            Some(zspage)
        })
    }

    /// Adds a zspage in front.
    ///
    /// # Safety
    ///
    /// `zspage` is alive, is on no list, and stays alive until it is removed.
    #[inline]
    pub(crate) unsafe fn push(&mut self, zspage: NonNull<Zspage>) {
        let link = Link {
            prev: None,
            next: self.first,
        };
        // SAFETY: The caller promises that the links are free to use; those of the list are ours.
        unsafe {
            *Self::link(zspage) = link;
            if let Some(next) = self.first {
                debug_assert!((*Self::link(next)).prev.is_none());
                (*Self::link(next)).prev = Some(zspage);
            }
        }
        // INVARIANT: `zspage` leads to what was the list, and back.
        self.first = Some(zspage);
    }

    /// Removes a zspage.
    ///
    /// # Safety
    ///
    /// `zspage` is on this list.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, zspage: NonNull<Zspage>) {
        // SAFETY: The caller promises that the zspage is on this list, so that by the type invariant
        // it and its neighbours are alive and their links ours. The assertions are CONFIG_DEBUG_LIST's.
        unsafe {
            let Link { prev, next } = *Self::link(zspage);
            match prev {
                Some(prev) => {
                    debug_assert!((*Self::link(prev)).next == Some(zspage));
                    (*Self::link(prev)).next = next;
                }
                None => {
                    debug_assert!(self.first == Some(zspage));
                    self.first = next;
                }
            }
            if let Some(next) = next {
                debug_assert!((*Self::link(next)).prev == Some(zspage));
                (*Self::link(next)).prev = prev;
            }
            *Self::link(zspage) = Link::NONE;
        }
    }

    /// The links of a zspage.
    #[inline]
    fn link(zspage: NonNull<Zspage>) -> *mut Link {
        // SAFETY: Only zspages that are alive are given to this file.
        unsafe { zspage.as_ref() }.link()
    }
}
