// SPDX-License-Identifier: GPL-2.0

//! Atomics: each use is a step.

use crate::{
    host::{mutex::grab, point::Point, world::world},
    rt,
};
pub(crate) use std::sync::atomic::Ordering;
use std::sync::{atomic, Arc};

/// `AtomicUsize`. One that is a `static` has a value of its own on each machine.
pub(crate) struct AtomicUsize {
    value: atomic::AtomicUsize,
    point: Point,
}

impl AtomicUsize {
    pub(crate) const fn new(value: usize) -> Self {
        Self {
            value: atomic::AtomicUsize::new(value),
            point: Point::new(),
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        self.step(|value| value.load(order))
    }

    pub(crate) fn store(&self, value: usize, order: Ordering) {
        self.step(|cell| cell.store(value, order));
    }

    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.step(|cell| cell.fetch_add(value, order))
    }

    fn step<T>(&self, run: impl FnOnce(&atomic::AtomicUsize) -> T) -> T {
        if rt::PREEMPTIVE {
            return run(&self.value);
        }
        let address = std::ptr::from_ref(self) as usize;
        let world = world();
        if grab(&world.heap).contains(address) {
            self.point.step();
            return run(&self.value);
        }
        let cell = grab(&world.statics)
            .entry(address)
            .or_insert_with(|| Arc::new(atomic::AtomicUsize::new(0)))
            .clone();
        world.step(0);
        run(&cell)
    }
}

/// `AtomicBool`.
pub(crate) struct AtomicBool {
    value: atomic::AtomicBool,
    point: Point,
}

impl AtomicBool {
    pub(crate) const fn new(value: bool) -> Self {
        Self {
            value: atomic::AtomicBool::new(value),
            point: Point::new(),
        }
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.point.step();
        self.value.swap(value, order)
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.point.step();
        self.value.store(value, order);
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.point.step();
        self.value.load(order)
    }
}

/// A statistic: counts, and orders nothing, so that it is no step.
pub(crate) struct Counter(atomic::AtomicUsize);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(atomic::AtomicUsize::new(0))
    }

    pub(crate) fn add(&self, n: usize) -> usize {
        world().count_write();
        self.0.fetch_add(n, Ordering::Relaxed).wrapping_add(n)
    }

    pub(crate) fn sub(&self, n: usize) {
        world().count_write();
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, n: usize) {
        if self.get() >= n {
            return;
        }
        world().count_write();
        self.0.fetch_max(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
