// SPDX-License-Identifier: GPL-2.0

//! One thread, no interleavings: for property tests and fuzzing. It plays several CPUs, one after
//! the other.

use std::cell::Cell;

pub(crate) use crate::host::rcu::Rcu;

/// Whether freed memory is kept, poisoned, until the end of the world. Here it goes back to the
/// system, so that an address sanitizer sees a use after free.
pub(crate) const QUARANTINE: bool = false;

/// Whether steps of several threads can be interleaved.
pub(crate) const THREADS: bool = false;

/// Whether threads are real, and run when they like.
pub(crate) const PREEMPTIVE: bool = false;

/// A thread.
pub(crate) type TaskId = u8;

thread_local! {
    static TASK: Cell<TaskId> = const { Cell::new(0) };
}

/// The thread we are on.
pub(crate) fn task() -> TaskId {
    TASK.get()
}

/// Does something as another thread.
pub(crate) fn on<T>(task: TaskId, run: impl FnOnce() -> T) -> T {
    /// So also when `run` panics, and the sequence is tried again in a shorter form.
    struct Back(TaskId);
    impl Drop for Back {
        fn drop(&mut self) {
            TASK.set(self.0);
        }
    }

    let _back = Back(TASK.replace(task));
    run()
}

/// A thread that waits.
pub(crate) struct Waiter;

impl Waiter {
    /// Us.
    pub(crate) fn me() -> Self {
        Self
    }

    /// Lets it run again.
    pub(crate) fn wake(self) {}
}

/// Waits for [`Waiter::wake`]; may return early.
pub(crate) fn park() {
    panic!("the only thread waits for something that nobody can do");
}

/// Places where the scheduler may switch threads.
pub(crate) struct Slots;

impl Slots {
    /// For a new world.
    pub(crate) fn new() -> Self {
        Self
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        1
    }

    /// A step that conflicts with all other steps at the same slot.
    pub(crate) fn touch(&self, _slot: usize) {}
}
