// SPDX-License-Identifier: GPL-2.0

//! What must not compile: each function lets something outlive the lock, or the handle, that keeps it.
//! `run-dangling` sees that the compiler refuses every one of them, and nothing else.

#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/rt/single.rs"]
mod rt;
#[path = "../model/sys/mod.rs"]
mod sys;
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

use sys::{map_area::MapArea, rcu};
use zsmalloc::{Handle, Pool};

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;

/// A zspage after its class lock.
fn zspage(pool: &Pool) {
    for class in pool.classes() {
        let guard = class.lock();
        let zspage = guard.fullest_with_room();
        drop(guard);
        drop(zspage);
    }
}

/// The zspages of a class, one by one, after its lock.
fn zspages(pool: &Pool) {
    for class in pool.classes() {
        let guard = class.lock();
        let zspages = guard.emptiest();
        drop(guard);
        zspages.for_each(drop);
    }
}

/// A zspage that is locked alone, after its class lock.
fn write_locked(pool: &Pool) {
    for class in pool.classes() {
        let guard = class.lock();
        let locked = guard
            .fullest_with_room()
            .and_then(|zspage| zspage.try_write());
        drop(guard);
        drop(locked);
    }
}

/// Where compaction might move objects to, after the class lock.
fn targets(pool: &Pool) {
    for class in pool.classes() {
        let guard = class.lock();
        let targets = guard.fullest_of_each_group(1);
        drop(guard);
        targets.for_each(drop);
    }
}

/// An object that is pinned, after it has been freed.
fn pinned(pool: &Pool, handle: Handle) {
    let pinned = pool.pin(&handle, rcu::read_lock().proof());
    pool.free(handle);
    drop(pinned);
}

/// Looking under RCU, after the buffer whose lock was the read section.
fn reading(pool: &Pool, handle: &Handle) {
    let area = MapArea::lock();
    let reading = area.reading();
    drop(area);
    pool.pin(handle, reading);
}

/// The bytes of an object, after it has been pinned.
fn segments(pool: &Pool, handle: &Handle) {
    if let Some(pinned) = pool.pin(handle, rcu::read_lock().proof()) {
        let segments = pinned.segments();
        drop(pinned);
        segments.map(|segments| segments.contiguous());
    }
}
