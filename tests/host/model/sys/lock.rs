// SPDX-License-Identifier: GPL-2.0

//! Locks.

use super::init::{pin_data, pin_init, PinInit};
use crate::host::{
    context::{self, Rank},
    lock::RawLock,
};
use std::{
    cell::UnsafeCell,
    marker::{PhantomData, PhantomPinned},
    ops::Deref,
};

pub(crate) fn cond_resched() {
    context::assert_may_sleep("cond_resched()");
}

/// `spinlock_t` and what it protects: the class lock is the only one.
#[pin_data]
pub(crate) struct SpinLock<T> {
    lock: RawLock,
    data: UnsafeCell<T>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: The lock gives `T` to one thread at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: An unlocked lock has no owner.
unsafe impl<T: Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(crate) fn new(data: T) -> impl PinInit<Self> {
        pin_init!(Self {
            lock: RawLock::new(Rank::Class),
            data: UnsafeCell::new(data),
            _pinned: PhantomPinned,
        })
    }

    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        self.lock.lock();
        SpinGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }
}

/// A [`SpinLock`] around `data`.
macro_rules! new_spinlock {
    ($data:expr, $name:literal) => {
        $crate::sys::lock::SpinLock::new($data)
    };
}
pub(crate) use new_spinlock;

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

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.lock.unlock();
    }
}

/// `rwlock_t`: the lock of a zspage is the only one.
#[pin_data]
pub(crate) struct RwLock {
    lock: RawLock,
    /// [`READY`] from its initialization until its memory is freed.
    ready: usize,
    #[pin]
    _pinned: PhantomPinned,
}

const READY: usize = 0x5ead_5ead;

impl RwLock {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            lock: RawLock::new(Rank::Zspage),
            ready: READY,
            _pinned: PhantomPinned,
        })
    }

    fn get(&self) -> &RawLock {
        assert_eq!(
            self.ready, READY,
            "a lock before its initialization or after its end"
        );
        &self.lock
    }

    pub(crate) fn read(&self) -> ReadGuard<'_> {
        self.get().lock_shared();
        ReadGuard { lock: self }
    }

    pub(crate) fn try_write(&self) -> Option<WriteGuard<'_>> {
        let taken = self.get().try_lock();
        taken.then(|| WriteGuard { lock: self })
    }
}

/// Held shared.
pub(crate) struct ReadGuard<'a> {
    lock: &'a RwLock,
}

impl<'a> ReadGuard<'a> {
    /// # Safety
    ///
    /// See `src/sys/lock.rs`.
    pub(crate) unsafe fn resume(lock: &'a RwLock) -> Self {
        Self { lock }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.lock.get().unlock_shared();
    }
}

/// Held alone.
pub(crate) struct WriteGuard<'a> {
    lock: &'a RwLock,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        self.lock.get().unlock();
    }
}
