// SPDX-License-Identifier: GPL-2.0

//! Lists of what belongs to a class, linked through the things themselves: zspages of one fullness
//! group, and tables that are worth repacking.
//!
//! Lists and links are used under the class lock only.

use core::{cell::Cell, ptr::NonNull};

/// The links of something that is listed.
pub(crate) struct Link<T> {
    prev: Cell<Option<NonNull<T>>>,
    next: Cell<Option<NonNull<T>>>,
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self {
            prev: Cell::new(None),
            next: Cell::new(None),
        }
    }
}

/// What can be listed.
pub(super) trait Linked: Sized {
    /// Where the links of the one at `this` are, which is inside of it.
    fn link(this: NonNull<Self>) -> NonNull<Link<Self>>;
}

/// A list.
///
/// # Invariants
///
/// From `first`, `next` leads to each member of the list once, `prev` back again; the `prev` of the first
/// says nothing. All of them are alive, and their links are used by this list alone.
pub(crate) struct List<T> {
    first: Cell<Option<NonNull<T>>>,
}

// SAFETY: The list owns the links of its members, which belong to no task.
unsafe impl<T> Send for List<T> {}

impl<T> List<T> {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self {
            first: Cell::new(None),
        }
    }

    /// Whether there is nothing on it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// The member added last.
    #[inline]
    pub(super) fn first(&self) -> Option<NonNull<T>> {
        self.first.get()
    }
}

impl<T: Linked> List<T> {
    /// All members, the one added last first. Nothing is added or removed meanwhile.
    pub(super) fn iter(&self) -> impl Iterator<Item = NonNull<T>> + '_ {
        core::iter::successors(self.first(), |&member| self.link(member).next.get())
    }

    /// Adds a member in front.
    ///
    /// # Safety
    ///
    /// `member` is alive, and on no list. It is removed before it is freed.
    #[inline]
    pub(super) unsafe fn push(&self, member: NonNull<T>) {
        // INVARIANT: As the caller promises. Now it leads to what was the list, and back.
        let next = self.first.replace(Some(member));
        self.link(member).next.set(next);
        if let Some(next) = next {
            self.link(next).prev.set(Some(member));
        }
    }

    /// Removes a member. If it is the first, no other is touched: malloc takes the first zspage of a
    /// group to the next, and the one behind it is not in the caches.
    ///
    /// # Safety
    ///
    /// `member` is on this list.
    #[inline]
    pub(super) unsafe fn remove(&self, member: NonNull<T>) {
        let Link { prev, next } = self.link(member);
        // INVARIANT: What came before the member leads to what came after it, and back, unless that is
        // the first now. The assertions are those of CONFIG_DEBUG_LIST.
        if self.first.get() == Some(member) {
            self.first.set(next.get());
            return;
        }
        if let Some(before) = prev.get() {
            let before = self.link(before);
            debug_assert!(before.next.get() == Some(member));
            before.next.set(next.get());
        }
        if let Some(after) = next.get() {
            let after = self.link(after);
            debug_assert!(after.prev.get() == Some(member));
            after.prev.set(prev.get());
        }
    }

    /// The links of a member.
    #[inline]
    fn link(&self, member: NonNull<T>) -> &Link<T> {
        // SAFETY: By the type invariant members are alive; the links are cells inside of them.
        unsafe { T::link(member).as_ref() }
    }
}
