// SPDX-License-Identifier: GPL-2.0

//! The kernel's own locks, known to lockdep and, on `PREEMPT_RT`, with priority inheritance.
//!
//! [`SpinLock`] is the kernel crate's `Lock`, with its guard and its initialization in place, but not
//! `kernel::sync::SpinLock`: the functions behind that one are not `#[inline]` in Linux 6.12, so that
//! each lock and each unlock calls one more function, out of line in vmlinux, than in C. They are two
//! on the way of every malloc and every free. [`InlineSpin`] is the same backend, to be inlined.
//!
//! The kernel crate has no `rwlock_t`: [`RwLock`] is ours. It holds no data: the allocator says for
//! each of its fields what a read or write guard proves.

use super::{
    bindings,
    init::{pin_data, pin_init, PinInit},
};
use core::{marker::PhantomData, mem::ManuallyDrop};
use kernel::{
    ffi::c_char,
    sync::lock::{Backend, Guard, Lock},
    types::Opaque,
};

pub(crate) use kernel::{c_str, static_lock_class};

/// Lets another task run if one should. Sleeps; no lock may be held.
pub(crate) fn cond_resched() {
    // SAFETY: Callers may sleep.
    unsafe { bindings::zs_rs_cond_resched() };
}

/// `spinlock_t` and what it protects. Not for interrupt context (as in C zsmalloc).
pub(crate) type SpinLock<T> = Lock<T, InlineSpin>;

/// Proof that a [`SpinLock`] is held, and the way to its data.
pub(crate) type SpinGuard<'a, T> = Guard<'a, T, InlineSpin>;

/// How a [`SpinLock`] is locked: see above.
pub(crate) struct InlineSpin;

// SAFETY: `spinlock_t` is owned by one task at a time. `relock()` is the default one.
unsafe impl Backend for InlineSpin {
    type State = kernel::bindings::spinlock_t;
    type GuardState = ();

    unsafe fn init(
        lock: *mut Self::State,
        name: *const c_char,
        key: *mut kernel::bindings::lock_class_key,
    ) {
        // SAFETY: As the caller promises.
        unsafe { kernel::bindings::__spin_lock_init(lock, name, key) };
    }

    #[inline]
    unsafe fn lock(lock: *mut Self::State) {
        // SAFETY: Initialized, as the caller promises.
        unsafe { kernel::bindings::spin_lock(lock) };
    }

    #[inline]
    unsafe fn unlock(lock: *mut Self::State, (): &()) {
        // SAFETY: This task holds the lock, as the caller promises.
        unsafe { kernel::bindings::spin_unlock(lock) };
    }
}

/// A [`SpinLock`] around `data`, by the name that lockdep shows: `new_spinlock!(data, "name")`.
macro_rules! new_spinlock {
    ($data:expr, $name:literal) => {
        $crate::sys::lock::SpinLock::new(
            $data,
            $crate::sys::lock::c_str!($name),
            $crate::sys::lock::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock;

/// `rwlock_t`, the lock of a zspage: `zs_rs_zspage` to lockdep. Readers do not exclude each other and
/// may be many; the writer only ever tries.
#[pin_data]
pub(crate) struct RwLock {
    #[pin]
    lock: Opaque<bindings::rwlock_t>,
}

// SAFETY: `rwlock_t` is made to be shared.
unsafe impl Sync for RwLock {}
// SAFETY: An unlocked lock has no owner.
unsafe impl Send for RwLock {}

impl RwLock {
    /// `rwlock_init()`.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The place is that of a new lock, which does not move.
            lock <- Opaque::ffi_init(|lock| unsafe { bindings::zs_rs_rwlock_init(lock) }),
        })
    }

    /// Takes the lock shared; spins (on `PREEMPT_RT`: sleeps) while a writer has it.
    #[inline]
    pub(crate) fn read(&self) -> ReadGuard<'_> {
        // SAFETY: Initialized by `new()`; the guard unlocks.
        unsafe { bindings::zs_rs_read_lock(self.lock.get()) };
        // INVARIANT: Just locked.
        ReadGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }

    /// Takes the lock alone if nobody has it, and never waits.
    pub(crate) fn try_write(&self) -> Option<WriteGuard<'_>> {
        // SAFETY: Initialized by `new()`; the guard unlocks.
        if unsafe { bindings::zs_rs_write_trylock(self.lock.get()) } {
            // INVARIANT: Just locked.
            Some(WriteGuard {
                lock: self,
                _not_send: PhantomData,
            })
        } else {
            None
        }
    }
}

/// A [`RwLock`], held shared.
///
/// # Invariants
///
/// This task holds `lock` shared.
pub(crate) struct ReadGuard<'a> {
    lock: &'a RwLock,
    _not_send: PhantomData<*mut ()>,
}

impl<'a> ReadGuard<'a> {
    /// Takes up a lock whose guard was forgotten.
    ///
    /// # Safety
    ///
    /// This task holds `lock` shared, by a guard that it passed to [`core::mem::forget`], and takes
    /// it up once.
    #[inline]
    pub(crate) unsafe fn resume(lock: &'a RwLock) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            lock,
            _not_send: PhantomData,
        }
    }
}

impl ReadGuard<'_> {
    /// The lock, which stays held.
    #[inline]
    pub(super) fn into_raw(self) -> *mut bindings::rwlock_t {
        ManuallyDrop::new(self).lock.lock.get()
    }
}

impl Drop for ReadGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::zs_rs_read_unlock(self.lock.lock.get()) };
    }
}

/// A [`RwLock`], held alone.
///
/// # Invariants
///
/// This task holds `lock` alone.
pub(crate) struct WriteGuard<'a> {
    lock: &'a RwLock,
    _not_send: PhantomData<*mut ()>,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::zs_rs_write_unlock(self.lock.lock.get()) };
    }
}
