// SPDX-License-Identifier: GPL-2.0

//! Threads of the host, at full speed. Nothing of the model orders what the allocator's own locks
//! and atomics do not order, as far as that can be: a thread sanitizer shall see what they miss.

use crate::host::{
    context,
    mutex::{grab, Mutex},
    world::{enter, world},
};
use std::{
    cell::Cell,
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

pub(crate) const QUARANTINE: bool = false;
pub(crate) const THREADS: bool = false;
pub(crate) const PREEMPTIVE: bool = true;

/// Most threads that there can ever be.
const MOST: usize = 64;

pub(crate) type TaskId = usize;

thread_local! {
    static TASK: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let task = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(task < MOST, "too many threads");
        task
    };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn task() -> TaskId {
    TASK.with(|&task| task)
}

pub(crate) struct Waiter;

impl Waiter {
    pub(crate) fn me() -> Self {
        Self
    }

    pub(crate) fn wake(self) {}
}

pub(crate) fn park() {
    std::thread::yield_now();
}

pub(crate) struct Slots;

impl Slots {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn len(&self) -> usize {
        1
    }

    pub(crate) fn touch(&self, _slot: usize) {}
}

/// Starts a thread on the machine of this one.
pub(crate) fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let world = world();
    std::thread::spawn(move || {
        enter(Some(world));
        run()
    })
}

/// RCU by epochs: each reader has the number of the grace period in which it began.
pub(crate) struct Rcu {
    epoch: AtomicUsize,
    readers: [AtomicUsize; MOST],
    queue: Mutex<Vec<Callback>>,
    running: AtomicUsize,
    late: AtomicBool,
}

struct Callback(unsafe fn(NonNull<()>), NonNull<()>);

// SAFETY: The object belongs to the callback, not to a thread.
unsafe impl Send for Callback {}

/// Not in a read section.
const QUIET: usize = 0;

impl Default for Rcu {
    fn default() -> Self {
        Self {
            epoch: AtomicUsize::new(1),
            readers: [const { AtomicUsize::new(QUIET) }; MOST],
            queue: Mutex::default(),
            running: AtomicUsize::new(0),
            late: AtomicBool::new(false),
        }
    }
}

impl Rcu {
    pub(crate) fn be_late(&self) {
        self.late.store(true, Ordering::Relaxed);
    }

    pub(crate) fn reading(&self) -> bool {
        DEPTH.get() > 0
    }

    pub(crate) fn read_lock(&self) {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            let epoch = self.epoch.load(Ordering::SeqCst);
            self.readers[task()].swap(epoch, Ordering::SeqCst);
        }
    }

    pub(crate) fn read_unlock(&self) {
        if DEPTH.replace(DEPTH.get() - 1) == 1 {
            self.readers[task()].store(QUIET, Ordering::Release);
        }
    }

    /// # Safety
    ///
    /// After a grace period `run` may be called with `head`.
    pub(crate) unsafe fn call(&self, run: unsafe fn(NonNull<()>), head: NonNull<()>) {
        grab(&self.queue).push(Callback(run, head));
    }

    /// What the kernel does in its soft interrupts; a thread of the test does it all the time.
    pub(crate) fn run_ripe(&self) {
        self.running.fetch_add(1, Ordering::SeqCst);
        let queue = std::mem::take(&mut *grab(&self.queue));
        if !queue.is_empty() {
            self.wait_for_readers();
        }
        for Callback(run, head) in queue {
            // SAFETY: As the caller of `call()` promised.
            unsafe { run(head) };
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn synchronize(&self) {
        context::assert_may_sleep("synchronize_rcu()");
        self.wait_for_readers();
    }

    pub(crate) fn barrier(&self) {
        context::assert_may_sleep("rcu_barrier()");
        self.run_ripe();
        while self.running.load(Ordering::SeqCst) > 0 {
            park();
        }
    }

    fn wait_for_readers(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        for reader in &self.readers {
            while (QUIET + 1..epoch).contains(&reader.load(Ordering::SeqCst)) {
                park();
            }
        }
    }

    pub(crate) fn pending(&self) -> usize {
        grab(&self.queue).len()
    }

    pub(crate) fn assert_idle(&self) {
        assert_eq!(self.pending(), 0, "an RCU callback has not run");
    }
}
