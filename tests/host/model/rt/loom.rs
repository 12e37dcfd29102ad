// SPDX-License-Identifier: GPL-2.0

//! Threads of `loom`, which runs a model once for every order of conflicting steps.
//!
//! A step is a read-modify-write of one of loom's atomics, so that loom explores orders and not the
//! stale values of single atomics: what the atomics and locks of the kernel order is plain memory
//! of the allocator, which loom would not see anyway. (Weak memory is what `threads` is for.)

use loom::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use crate::host::rcu::Rcu;

pub(crate) const QUARANTINE: bool = true;
pub(crate) const THREADS: bool = true;
pub(crate) const PREEMPTIVE: bool = false;

pub(crate) type TaskId = loom::thread::ThreadId;

pub(crate) fn task() -> TaskId {
    loom::thread::current().id()
}

pub(crate) struct Waiter(loom::thread::Thread);

impl Waiter {
    pub(crate) fn me() -> Self {
        Self(loom::thread::current())
    }

    pub(crate) fn wake(self) {
        self.0.unpark();
    }
}

pub(crate) fn park() {
    loom::thread::park();
}

/// Atomics that are made before any thread is, and given to locks and words as they come.
pub(crate) struct Slots(Vec<AtomicUsize>);

impl Slots {
    pub(crate) fn new() -> Self {
        Self((0..96).map(|_| AtomicUsize::new(0)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn touch(&self, slot: usize) {
        self.0[slot].fetch_add(1, Ordering::AcqRel);
    }
}

/// Starts a thread.
pub(crate) fn spawn<T: 'static>(run: impl FnOnce() -> T + 'static) -> loom::thread::JoinHandle<T> {
    loom::thread::spawn(run)
}

/// Runs `model` for every interleaving with at most `preemptions` switches away from a thread that
/// could have gone on.
pub(crate) fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (preemptions < usize::MAX).then_some(preemptions);
    builder.max_branches = 100_000;
    builder.check(model);
}
