// SPDX-License-Identifier: GPL-2.0

//! Threads of `shuttle`, which runs a model in many random orders of its steps, and can run an order
//! again that failed.

use shuttle::{
    scheduler::{PctScheduler, RandomScheduler, ReplayScheduler},
    sync::atomic::{AtomicUsize, Ordering},
    Config, Runner,
};

pub(crate) use crate::host::rcu::Rcu;

pub(crate) const QUARANTINE: bool = true;
pub(crate) const THREADS: bool = true;
pub(crate) const PREEMPTIVE: bool = false;

pub(crate) type TaskId = shuttle::thread::ThreadId;

pub(crate) fn task() -> TaskId {
    shuttle::thread::current().id()
}

pub(crate) struct Waiter(shuttle::thread::Thread);

impl Waiter {
    pub(crate) fn me() -> Self {
        Self(shuttle::thread::current())
    }

    pub(crate) fn wake(self) {
        self.0.unpark();
    }
}

pub(crate) fn park() {
    shuttle::thread::park();
}

/// Any step may be followed by one of any thread: one atomic will do.
pub(crate) struct Slots(AtomicUsize);

impl Slots {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn len(&self) -> usize {
        1
    }

    pub(crate) fn touch(&self, _slot: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Starts a thread.
pub(crate) fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> shuttle::thread::JoinHandle<T> {
    shuttle::thread::spawn(run)
}

/// A number below `limit`, part of what makes an order.
pub(crate) fn random(limit: usize) -> usize {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_range(0..limit)
}

/// Runs `model` in so many random orders, half of them with few preemptions in places that matter; or
/// in the one order `ZSM_ORDER`, which is what was printed when it failed. `ZSM_SEED` changes the orders.
pub(crate) fn explore(orders: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = std::sync::Arc::new(model);
    let seed = std::env::var("ZSM_SEED");
    let seed = seed.ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    if let Ok(order) = std::env::var("ZSM_ORDER") {
        let scheduler = ReplayScheduler::new_from_encoded(&order);
        Runner::new(scheduler, config).run(move || model());
        return;
    }
    for few in [false, true] {
        let model = model.clone();
        if few {
            let scheduler = PctScheduler::new_from_seed(seed, 4, orders / 2);
            Runner::new(scheduler, config.clone()).run(move || model());
        } else {
            let scheduler = RandomScheduler::new_from_seed(seed, orders / 2);
            Runner::new(scheduler, config.clone()).run(move || model());
        }
    }
}
