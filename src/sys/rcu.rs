// SPDX-License-Identifier: GPL-2.0

//! RCU: read sections, deferred freeing, draining.
//!
//! C header: `include/linux/rcupdate.h`.

use super::{
    bindings,
    delay::{delay, Point},
};
use core::{cell::UnsafeCell, marker::PhantomData, ptr::NonNull};

/// An RCU read section, left when dropped. Does not sleep (on `PREEMPT_RT` it may be preempted, and
/// may wait for a spinlock).
///
/// # Invariants
///
/// Between the making and the dropping of a value, this task is in `rcu_read_lock()`.
pub(crate) struct ReadSection {
    // A read section belongs to a task.
    _not_send: PhantomData<*mut ()>,
}

/// Proof that this task is in a read section for `'a`, and stays in it: that of a [`ReadSection`], or
/// of a lock that is one as well.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(PhantomData<&'a ReadSection>);

impl<'a> Reading<'a> {
    /// What `lock` proves that is held for `'a`.
    ///
    /// # Safety
    ///
    /// As long as `lock` is there RCU waits for this task.
    #[inline]
    pub(super) unsafe fn by<T>(_lock: &'a T) -> Self {
        Self(PhantomData)
    }
}

impl ReadSection {
    /// The section itself.
    #[inline]
    pub(crate) fn proof(&self) -> Reading<'_> {
        Reading(PhantomData)
    }
}

/// Enters a read section. May nest.
#[inline]
pub(crate) fn read_lock() -> ReadSection {
    // SAFETY: May be called in any context; `drop` leaves the section.
    unsafe { bindings::zs_rs_rcu_read_lock() };
    // INVARIANT: Just entered.
    ReadSection {
        _not_send: PhantomData,
    }
}

impl Drop for ReadSection {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant this task is in the section that `read_lock()` entered.
        unsafe { bindings::zs_rs_rcu_read_unlock() };
    }
}

/// Room for RCU to queue an object (`struct rcu_head`); it need not be initialized.
#[repr(transparent)]
pub(crate) struct Head(UnsafeCell<bindings::callback_head>);

/// What is freed a grace period after nobody can find it any more.
///
/// # Safety
///
/// `head()` gives the address of a [`Head`] inside the object, and `from_head()` undoes it.
pub(crate) unsafe trait Deferred {
    /// Where the head of the object at `this` is.
    fn head(this: NonNull<Self>) -> NonNull<Head>;

    /// Which object has its head at `head`.
    fn from_head(head: NonNull<Head>) -> NonNull<Self>;

    /// Frees the object. Runs in soft-interrupt context, or with bottom halves off: does not sleep.
    ///
    /// # Safety
    ///
    /// Nobody uses the object any more, nor can find it: a grace period has passed since it was
    /// unpublished, or there was nobody who could have found it.
    unsafe fn free(this: NonNull<Self>);
}

/// Has `this` freed by [`Deferred::free`] after a grace period. Does not sleep.
///
/// # Safety
///
/// The caller owns the object, and new readers cannot find it. Whatever `free` uses lives until the
/// next [`drain`].
pub(crate) unsafe fn free_deferred<T: Deferred>(this: NonNull<T>) {
    /// # Safety
    ///
    /// Called by RCU, with a head that `free_deferred()` queued.
    unsafe extern "C" fn run<T: Deferred>(head: *mut bindings::callback_head) {
        delay(Point::Callback);
        if let Some(head) = NonNull::new(head) {
            // SAFETY: `free_deferred` queued this head, once, so a grace period has passed since.
            unsafe { T::free(T::from_head(head.cast())) };
        }
    }

    let head = T::head(this);
    // SAFETY: The caller owns the object, and so the head in it, which is not queued.
    unsafe { bindings::zs_rs_call_rcu(head.as_ptr().cast(), Some(run::<T>)) };
}

/// Waits for all readers there are now (`synchronize_rcu()`) **and** for all callbacks queued so far
/// (`rcu_barrier()`). Sleeps.
pub(crate) fn drain() {
    // SAFETY: Callers may sleep.
    unsafe { bindings::zs_rs_rcu_drain() };
}
