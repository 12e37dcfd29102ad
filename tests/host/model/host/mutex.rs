// SPDX-License-Identifier: GPL-2.0

//! The mutex of the machine's own data. Not the standard library's: that one's slow path is not
//! instrumented, so that a thread sanitizer does not see what it orders.

use std::{
    cell::UnsafeCell,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
};

/// A mutex. No step of a model is taken while it is held.
#[derive(Default)]
pub(crate) struct Mutex<T> {
    locked: AtomicBool,
    data: UnsafeCell<T>,
}

// SAFETY: The lock gives `T` to one thread at a time.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// The mutex, held.
pub(crate) struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    /// A mutex around `data`.
    pub(crate) const fn new(data: T) -> Self {
        Self {
            locked: AtomicBool::new(false),
            data: UnsafeCell::new(data),
        }
    }
}

/// Takes the mutex.
pub(crate) fn grab<T>(mutex: &Mutex<T>) -> Guard<'_, T> {
    while mutex.locked.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    Guard(mutex)
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: We hold the lock.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: We hold the lock, and there is one guard.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}
