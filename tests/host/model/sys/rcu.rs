// SPDX-License-Identifier: GPL-2.0

//! RCU: see [`crate::host::rcu`].

use crate::host::world;
use std::{marker::PhantomData, ptr::NonNull};

/// A read section, left when dropped.
pub(crate) struct ReadSection {
    _not_send: PhantomData<*mut ()>,
}

/// Proof that this thread is in a read section.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(PhantomData<&'a ReadSection>);

impl<'a> Reading<'a> {
    /// What `lock` proves.
    ///
    /// # Safety
    ///
    /// As in `src/sys/rcu.rs`.
    pub(super) unsafe fn by<T>(_lock: &'a T) -> Self {
        assert!(world().rcu.reading(), "a lock that is no read section");
        Self(PhantomData)
    }
}

impl ReadSection {
    pub(crate) fn proof(&self) -> Reading<'_> {
        Reading(PhantomData)
    }
}

pub(crate) fn read_lock() -> ReadSection {
    world().rcu.read_lock();
    ReadSection {
        _not_send: PhantomData,
    }
}

impl Drop for ReadSection {
    fn drop(&mut self) {
        world().rcu.read_unlock();
    }
}

/// Room for RCU to queue an object; as large as the kernel's.
pub(crate) struct Head {
    _room: [usize; 2],
}

/// See `src/sys/rcu.rs`.
///
/// # Safety
///
/// As there.
pub(crate) unsafe trait Deferred {
    fn head(this: NonNull<Self>) -> NonNull<Head>;
    fn from_head(head: NonNull<Head>) -> NonNull<Self>;

    /// # Safety
    ///
    /// Nobody uses the object any more.
    unsafe fn free(this: NonNull<Self>);
}

/// # Safety
///
/// As in `src/sys/rcu.rs`.
pub(crate) unsafe fn free_deferred<T: Deferred>(this: NonNull<T>) {
    unsafe fn run<T: Deferred>(head: NonNull<()>) {
        // SAFETY: As the caller of `free_deferred()` promised.
        unsafe { T::free(T::from_head(head.cast())) };
    }

    // SAFETY: As the caller promises.
    unsafe { world().rcu.call(run::<T>, T::head(this).cast()) };
}

pub(crate) fn drain() {
    // SAFETY: Callers may sleep.
    unsafe { super::bindings::zs_rs_rcu_drain() };
}
