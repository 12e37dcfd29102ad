// SPDX-License-Identifier: GPL-2.0

//! Locks without data: `spinlock_t`, `rwlock_t` and the lock of a page.

use super::{
    context::{self, Rank},
    point::Point,
    world::world,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Held by nobody.
const FREE: usize = 0;
/// Held by one alone; otherwise the number of those who share it.
const ALONE: usize = usize::MAX;

/// A lock that is held by one, or shared. Made unlocked; may move until it is used.
pub(crate) struct RawLock {
    state: AtomicUsize,
    point: Point,
    rank: Rank,
}

impl RawLock {
    /// A lock of that rank.
    pub(crate) const fn new(rank: Rank) -> Self {
        Self {
            state: AtomicUsize::new(FREE),
            point: Point::new(),
            rank,
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) {
        context::assert_may_wait_for(self.rank);
        loop {
            self.point.step();
            if self.take_alone() {
                break;
            }
            self.wait_until(|state| state == FREE);
        }
        context::acquired(self.rank, self.address());
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&self) -> bool {
        self.point.step();
        let taken = self.take_alone();
        if taken {
            context::acquired(self.rank, self.address());
        }
        taken
    }

    /// Waits until nobody has the lock alone, and shares it.
    pub(crate) fn lock_shared(&self) {
        context::assert_may_wait_for(self.rank);
        loop {
            self.point.step();
            let state = self.state.load(Ordering::Relaxed);
            if state == ALONE {
                self.wait_until(|state| state != ALONE);
                continue;
            }
            let taken =
                self.state
                    .compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                break;
            }
        }
        context::acquired(self.rank, self.address());
    }

    /// Gives back what `lock()` or `try_lock()` took.
    pub(crate) fn unlock(&self) {
        self.point.step();
        context::released(self.rank, self.address());
        let state = self.state.swap(FREE, Ordering::Release);
        assert_eq!(state, ALONE, "unlocking a lock that is not locked");
        world().wake(self.address());
    }

    /// Gives back what `lock_shared()` took.
    pub(crate) fn unlock_shared(&self) {
        self.point.step();
        context::released(self.rank, self.address());
        let state = self.state.fetch_sub(1, Ordering::Release);
        assert!(
            state != FREE && state != ALONE,
            "unlocking a lock that is not shared"
        );
        world().wake(self.address());
    }

    /// Whether somebody has it.
    pub(crate) fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) != FREE
    }

    fn take_alone(&self) -> bool {
        self.state
            .compare_exchange(FREE, ALONE, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    fn wait_until(&self, ready: impl Fn(usize) -> bool) {
        world().wait(self.address(), || ready(self.state.load(Ordering::Relaxed)));
    }
}

impl Drop for RawLock {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                !self.is_locked(),
                "a {:?} lock is freed while held",
                self.rank
            );
        }
    }
}
