// SPDX-License-Identifier: GPL-2.0

//! The state of one machine: every test, and every run of a model, has its own.

use super::{
    context,
    frame::Frames,
    heap::Heap,
    mutex::{grab, Mutex},
};
use crate::{front::migrate::MOVABLE_OPERATIONS, rt, sys::page};
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::{
        atomic::{AtomicIsize, AtomicUsize, Ordering},
        Arc,
    },
};

thread_local! {
    static CURRENT: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
}

/// One machine.
pub(crate) struct World {
    id: usize,
    pub(crate) heap: Mutex<Heap>,
    pub(crate) frames: Mutex<Frames>,
    pub(crate) faults: Faults,
    pub(crate) rcu: rt::Rcu,
    pub(crate) module: Module,
    pub(crate) contexts: context::Contexts,
    /// Atomics that outlive a world, by address: each world has its own value.
    pub(crate) statics: Mutex<HashMap<usize, Arc<AtomicUsize>>>,
    waiters: Mutex<HashMap<usize, Vec<rt::Waiter>>>,
    slots: rt::Slots,
    next_slot: AtomicUsize,
    /// `NR_ZSPAGES`.
    pub(crate) zone_pages: AtomicIsize,
    /// What happened, of what a test wants to have seen.
    seen: Mutex<BTreeSet<&'static str>>,
    /// Writes to counters that all processors share.
    counter_writes: AtomicUsize,
    /// Warnings of the allocator that nobody has expected.
    warnings: Mutex<Vec<&'static str>>,
    /// Zspages whose birth has been told, and not their death, by address.
    zspages: Mutex<BTreeSet<usize>>,
}

/// Our module, to the migration core.
#[derive(Default)]
pub(crate) struct Module {
    /// Calls of hooks that have not returned.
    pub(crate) in_hooks: AtomicUsize,
    /// Whether the hooks are gone.
    pub(crate) unloaded: AtomicUsize,
}

/// Failure of allocations.
pub(crate) struct Faults {
    /// Allocations until the one that fails.
    left: AtomicIsize,
    /// Whether all after that fail, too.
    for_good: AtomicUsize,
    /// Allocations so far.
    count: AtomicUsize,
}

impl Faults {
    const NEVER: isize = isize::MAX;

    /// Lets allocation number `n` from now fail, 0 being the next; `None` lets all succeed.
    pub(crate) fn at(&self, n: Option<usize>) {
        self.left
            .store(n.map_or(Self::NEVER, |n| n as isize), Ordering::Relaxed);
        self.for_good.store(0, Ordering::Relaxed);
    }

    /// Lets all allocations fail after the next `n`.
    pub(crate) fn after(&self, n: usize) {
        self.at(Some(n));
        self.for_good.store(1, Ordering::Relaxed);
    }

    /// Allocations so far, failures included.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether an allocation that is made now fails.
    pub(crate) fn strike(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.left.load(Ordering::Relaxed) == Self::NEVER {
            return false;
        }
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        left == 0 || (left < 0 && self.for_good.load(Ordering::Relaxed) == 1)
    }
}

/// The machine we are on.
pub(crate) fn world() -> Arc<World> {
    CURRENT.with_borrow(|current| current.clone().expect("no world: see World::run()"))
}

/// Puts this thread on a machine.
pub(crate) fn enter(world: Option<Arc<World>>) {
    CURRENT.set(world);
}

impl World {
    /// Runs `test` on a new machine, and checks that it leaves nothing behind.
    pub(crate) fn run<T>(test: impl FnOnce() -> T) -> T {
        static NEXT: AtomicUsize = AtomicUsize::new(1);

        let world = Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            heap: Mutex::default(),
            frames: Mutex::default(),
            faults: Faults {
                left: AtomicIsize::new(Faults::NEVER),
                for_good: AtomicUsize::new(0),
                count: AtomicUsize::new(0),
            },
            rcu: rt::Rcu::default(),
            module: Module::default(),
            contexts: context::Contexts::default(),
            statics: Mutex::default(),
            waiters: Mutex::default(),
            slots: rt::Slots::new(),
            next_slot: AtomicUsize::new(0),
            zone_pages: AtomicIsize::new(0),
            seen: Mutex::default(),
            counter_writes: AtomicUsize::new(0),
            warnings: Mutex::default(),
            zspages: Mutex::default(),
        });
        enter(Some(world.clone()));
        page::set_movable_ops(&MOVABLE_OPERATIONS);
        let result = test();
        world.finish();
        enter(None);
        result
    }

    /// Which machine.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Notes that something happened.
    pub(crate) fn note(&self, what: &'static str) {
        grab(&self.seen).insert(what);
    }

    /// What happened.
    pub(crate) fn seen(&self) -> BTreeSet<&'static str> {
        grab(&self.seen).clone()
    }

    /// A counter that all processors share is written.
    pub(crate) fn count_write(&self) {
        self.counter_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that has been.
    pub(crate) fn counter_writes(&self) -> usize {
        self.counter_writes.load(Ordering::Relaxed)
    }

    /// The allocator warns (`WARN_ON_ONCE()`).
    pub(crate) fn warn(&self, what: &'static str) {
        grab(&self.warnings).push(what);
    }

    /// The warnings since this was called last: a test that expects some takes them.
    pub(crate) fn take_warnings(&self) -> Vec<&'static str> {
        std::mem::take(&mut grab(&self.warnings))
    }

    /// A trace event tells of a birth.
    pub(crate) fn zspage_birth(&self, zspage: usize) {
        let new = grab(&self.zspages).insert(zspage);
        assert!(new, "the birth of a zspage that has not died");
    }

    /// A trace event tells of a death.
    pub(crate) fn zspage_death(&self, zspage: usize) {
        let known = grab(&self.zspages).remove(&zspage);
        assert!(known, "the death of a zspage that was not born");
    }

    fn finish(&self) {
        let warnings = self.take_warnings();
        assert!(warnings.is_empty(), "warnings: {warnings:?}");
        context::assert_nothing_held();
        self.rcu.assert_idle();
        assert!(grab(&self.zspages).is_empty(), "no death was told");
        grab(&self.frames).assert_free();
        assert_eq!(self.zone_pages.load(Ordering::Relaxed), 0, "NR_ZSPAGES");
        grab(&self.heap).assert_free();
    }

    /// A slot for a lock or a word that has none. The last one is shared by all that come too late.
    pub(crate) fn new_slot(&self) -> usize {
        let slot = self.next_slot.fetch_add(1, Ordering::Relaxed);
        slot.min(self.slots.len() - 1)
    }

    /// A step of this thread: here the scheduler may switch to another.
    pub(crate) fn step(&self, slot: usize) {
        self.slots.touch(slot);
    }

    /// Waits until `ready`, which [`Self::wake`] for the same `key` says to look at again.
    pub(crate) fn wait(&self, key: usize, ready: impl Fn() -> bool) {
        while !ready() {
            if rt::PREEMPTIVE {
                rt::park();
                continue;
            }
            grab(&self.waiters)
                .entry(key)
                .or_default()
                .push(rt::Waiter::me());
            rt::park();
        }
    }

    /// See [`Self::wait`].
    pub(crate) fn wake(&self, key: usize) {
        if rt::PREEMPTIVE {
            return;
        }
        let waiters = grab(&self.waiters).remove(&key);
        for waiter in waiters.into_iter().flatten() {
            waiter.wake();
        }
    }
}
