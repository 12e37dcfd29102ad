// SPDX-License-Identifier: GPL-2.0

//! Locks.

use crate::host::{
    context::{self, Rank},
    lock::RawLock,
};
use std::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

pub(crate) fn cond_resched() {
    context::assert_may_sleep("cond_resched()");
}

/// `spinlock_t` and what it protects: the class lock is the only one.
pub(crate) struct SpinLock<T> {
    lock: RawLock,
    ready: bool,
    data: UnsafeCell<T>,
}

// SAFETY: The lock gives `T` to one thread at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: An unlocked lock has no owner.
unsafe impl<T: Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(crate) unsafe fn uninit(data: T) -> Self {
        Self {
            lock: RawLock::new(Rank::Class),
            ready: false,
            data: UnsafeCell::new(data),
        }
    }

    pub(crate) fn init(&mut self) {
        self.ready = true;
    }

    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        assert!(self.ready, "a spinlock that is not initialized");
        self.lock.lock();
        SpinGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }
}

/// Proof that a [`SpinLock`] is held, and the way to its data.
pub(crate) struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
    _not_send: PhantomData<*mut ()>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: We hold the lock.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: We hold the lock, and there is one guard.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.lock.unlock();
    }
}

/// `rwlock_t`: the lock of a zspage is the only one.
pub(crate) struct RwLock {
    lock: RawLock,
    /// [`READY`] from its initialization until its memory is freed.
    ready: usize,
}

const READY: usize = 0x5ead_5ead;

impl RwLock {
    pub(crate) unsafe fn uninit() -> Self {
        Self {
            lock: RawLock::new(Rank::Zspage),
            ready: 0,
        }
    }

    pub(crate) fn init(&mut self) {
        self.ready = READY;
    }

    fn get(&self) -> &RawLock {
        assert_eq!(
            self.ready, READY,
            "a lock before its initialization or after its end"
        );
        &self.lock
    }

    pub(crate) fn read_lock(&self) {
        self.get().lock_shared();
    }

    pub(crate) unsafe fn read_unlock(&self) {
        self.get().unlock_shared();
    }

    pub(crate) fn try_write_lock(&self) -> bool {
        self.get().try_lock()
    }

    pub(crate) unsafe fn write_unlock(&self) {
        self.get().unlock();
    }
}
