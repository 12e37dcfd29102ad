// SPDX-License-Identifier: GPL-2.0

//! Values that can be looked at from elsewhere for as long as they are there: the pools, for the files
//! of the whole module.

use super::{
    alloc::{self, Box, NoMemory},
    bindings,
};
use core::{cell::Cell, marker::PhantomData, ptr::NonNull};

/// All values that are registered now. A static; all registries share one mutex, which is C's,
/// because `kernel::sync::Mutex` cannot be part of a static.
pub(crate) struct Registry<T> {
    first: Cell<Option<NonNull<Entry<T>>>>,
    last_look: fn(&T),
}

// SAFETY: All access is under the mutex.
unsafe impl<T: Sync> Sync for Registry<T> {}

/// A link of the list of a [`Registry`].
struct Entry<T> {
    value: NonNull<T>,
    next: Cell<Option<NonNull<Entry<T>>>>,
}

/// The mutex, held.
struct Held(PhantomData<*mut ()>);

impl Held {
    fn new() -> Self {
        // SAFETY: Callers may sleep; `drop` unlocks.
        unsafe { bindings::zs_rs_registry_lock() };
        Self(PhantomData)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: Locked by `new()`.
        unsafe { bindings::zs_rs_registry_unlock() };
    }
}

impl<T> Registry<T> {
    /// A registry without values. Each is given to `last_look`, under the mutex, as it goes.
    pub(crate) const fn new(last_look: fn(&T)) -> Self {
        Self {
            first: Cell::new(None),
            last_look,
        }
    }

    /// Looks at each value, then calls `then`, all under the mutex: a value is either seen by `look`, or
    /// is in what `last_look` has made of it when `then` is called, and never both. Sleeps; neither
    /// may register anything.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&T), then: impl FnOnce()) {
        let held = Held::new();
        let mut at = self.first.get();
        while let Some(entry) = at {
            // SAFETY: Entries are there until they are taken from the list, and values longer.
            let entry = unsafe { entry.as_ref() };
            // SAFETY: As above.
            look(unsafe { entry.value.as_ref() });
            at = entry.next.get();
        }
        then();
        drop(held);
    }
}

/// A value's being registered, until it is dropped.
///
/// # Invariants
///
/// `entry` is on the list of `registry`.
pub(crate) struct Registered<T: 'static> {
    registry: &'static Registry<T>,
    entry: Box<Entry<T>>,
}

impl<T> Registered<T> {
    /// Registers `value`. Sleeps.
    ///
    /// # Safety
    ///
    /// `value` outlives the returned one.
    pub(crate) unsafe fn new(
        registry: &'static Registry<T>,
        value: NonNull<T>,
    ) -> Result<Self, NoMemory> {
        let entry = alloc::boxed(Entry {
            value,
            next: Cell::new(None),
        })?;
        let held = Held::new();
        entry.next.set(registry.first.get());
        registry.first.set(Some(NonNull::from(&*entry)));
        drop(held);
        // INVARIANT: Just put there.
        Ok(Self { registry, entry })
    }

    /// Takes the entry from the list. Under the mutex.
    fn unlink(&self) {
        let this = NonNull::from(&*self.entry);
        let mut at = &self.registry.first;
        while let Some(entry) = at.get() {
            if entry == this {
                at.set(self.entry.next.get());
                return;
            }
            // SAFETY: As in `for_each()`.
            at = unsafe { &(*entry.as_ptr()).next };
        }
    }
}

impl<T> Drop for Registered<T> {
    fn drop(&mut self) {
        let _held = Held::new();
        // SAFETY: The value is there as long as we are.
        (self.registry.last_look)(unsafe { self.entry.value.as_ref() });
        self.unlink();
    }
}
