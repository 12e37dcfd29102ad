// SPDX-License-Identifier: GPL-2.0

//! The kernel's own locks, known to lockdep and, on `PREEMPT_RT`, with priority inheritance.
//!
//! [`SpinLock`] holds data and gives it out through a guard. [`RwLock`] holds none: the allocator
//! says for each of its fields what a read or write guard proves.
//!
//! # Initialization
//!
//! Both types are made unlocked but not initialized, and must be initialized at their final address
//! before use: lockdep identifies a lock by the place of its initialization, not by the type.

use super::bindings;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

/// Lets another task run if one should. Sleeps; no lock may be held.
pub(crate) fn cond_resched() {
    // SAFETY: Callers may sleep.
    unsafe { bindings::zs_rs_cond_resched() };
}

/// `spinlock_t` and what it protects. Not for interrupt context (as in C zsmalloc).
pub(crate) struct SpinLock<T> {
    lock: UnsafeCell<bindings::spinlock_t>,
    data: UnsafeCell<T>,
}

// SAFETY: The lock gives `T` to one task at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: An unlocked lock has no owner.
unsafe impl<T: Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A lock that [`Self::init`] has yet to see.
    ///
    /// # Safety
    ///
    /// `init` is called at the final address of the value before anything else is.
    pub(crate) unsafe fn uninit(data: T) -> Self {
        Self {
            lock: UnsafeCell::new(bindings::spinlock_t::default()),
            data: UnsafeCell::new(data),
        }
    }

    /// `spin_lock_init()`.
    pub(crate) fn init(&mut self) {
        // SAFETY: Nobody else has the lock: we have `&mut self`.
        unsafe { bindings::zs_rs_spin_init(self.lock.get()) };
    }

    /// Takes the lock; spins (on `PREEMPT_RT`: sleeps) until it is free.
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        // SAFETY: Initialized, by the contract of `uninit()`; `drop` of the guard unlocks.
        unsafe { bindings::zs_rs_spin_lock(self.lock.get()) };
        // INVARIANT: Just locked.
        SpinGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }
}

/// Proof that a [`SpinLock`] is held, and the way to its data.
///
/// # Invariants
///
/// This task holds `lock`.
pub(crate) struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
    _not_send: PhantomData<*mut ()>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant we hold the lock.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant we hold the lock, and there is one guard.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant we hold the lock.
        unsafe { bindings::zs_rs_spin_unlock(self.lock.lock.get()) };
    }
}

/// `rwlock_t`. Readers do not exclude each other and may be many; the writer only ever tries.
#[repr(transparent)]
pub(crate) struct RwLock(UnsafeCell<bindings::rwlock_t>);

// SAFETY: `rwlock_t` is made to be shared.
unsafe impl Sync for RwLock {}
// SAFETY: An unlocked lock has no owner.
unsafe impl Send for RwLock {}

impl RwLock {
    /// A lock that [`Self::init`] has yet to see.
    ///
    /// # Safety
    ///
    /// `init` is called at the final address of the value before anything else is.
    pub(crate) unsafe fn uninit() -> Self {
        Self(UnsafeCell::new(bindings::rwlock_t::default()))
    }

    /// `rwlock_init()`.
    pub(crate) fn init(&mut self) {
        // SAFETY: Nobody else has the lock: we have `&mut self`.
        unsafe { bindings::zs_rs_rwlock_init(self.0.get()) };
    }

    /// Takes the lock shared; spins (on `PREEMPT_RT`: sleeps) while a writer has it. The caller
    /// unlocks.
    #[inline]
    pub(crate) fn read_lock(&self) {
        // SAFETY: Initialized, by the contract of `uninit()`.
        unsafe { bindings::zs_rs_read_lock(self.0.get()) };
    }

    /// Gives back what [`Self::read_lock`] took.
    ///
    /// # Safety
    ///
    /// This task holds the lock shared, and no longer relies on it.
    #[inline]
    pub(crate) unsafe fn read_unlock(&self) {
        // SAFETY: As the caller promises.
        unsafe { bindings::zs_rs_read_unlock(self.0.get()) };
    }

    /// Takes the lock alone if nobody has it, and never waits. The caller unlocks.
    pub(crate) fn try_write_lock(&self) -> bool {
        // SAFETY: Initialized, by the contract of `uninit()`.
        unsafe { bindings::zs_rs_write_trylock(self.0.get()) }
    }

    /// Gives back what [`Self::try_write_lock`] took.
    ///
    /// # Safety
    ///
    /// This task holds the lock alone, and no longer relies on it.
    pub(crate) unsafe fn write_unlock(&self) {
        // SAFETY: As the caller promises.
        unsafe { bindings::zs_rs_write_unlock(self.0.get()) };
    }
}
