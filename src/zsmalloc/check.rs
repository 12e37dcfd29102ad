// SPDX-License-Identifier: GPL-2.0

//! The integrity check: whether all that the allocator believes of its zspages agrees with itself.
//!
//! Costs a walk over every object, class by class under the class lock; for debug builds and tests.
#![cfg(debug_assertions)]

use super::{
    class::{ClassGuard, ClassStats, SizeClass},
    fullness::Fullness,
    handle::{Handle, ObjIndex, Word},
    object::Place,
    pool::Pool,
    slots::Membership,
    zspage::Zspage,
};
use crate::sys::lock::cond_resched;
use core::ptr::NonNull;

/// What does not agree, and in which class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inconsistency {
    /// Size of the class.
    pub(crate) class: usize,
    /// What was found.
    pub(crate) what: &'static str,
}

impl Pool {
    /// Checks all classes. Sleeps between them.
    pub(crate) fn check(&self) -> Result<(), Inconsistency> {
        for class in self.classes() {
            check_class(class).map_err(|what| Inconsistency {
                class: class.spec().size(),
                what,
            })?;
            cond_resched();
        }
        Ok(())
    }
}

/// An error unless `holds`.
fn ensure(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds {
        Ok(())
    } else {
        Err(what)
    }
}

fn check_class(class: &SizeClass) -> Result<(), &'static str> {
    let guard = class.lock();
    let mut seen = ClassStats::default();
    for group in Fullness::ALL {
        for zspage in guard.group(group) {
            check_zspage(&guard, zspage, group)?;
            seen.zspages[group.slot()].add(1);
            seen.allocated.add(guard.spec().objects());
            seen.inuse.add(usize::from(zspage.slots(&guard).inuse));
        }
    }
    let stats = guard.stats();
    ensure(
        seen.zspages == stats.zspages,
        "number of zspages in a group",
    )?;
    ensure(seen.allocated == stats.allocated, "number of slots")?;
    ensure(seen.inuse == stats.inuse, "number of objects")
}

fn check_zspage(
    guard: &ClassGuard<'_>,
    zspage: &Zspage,
    group: Fullness,
) -> Result<(), &'static str> {
    let slots = zspage.slots(guard);
    ensure(
        slots.membership == Membership::Listed(group),
        "a zspage that is not on the list it names",
    )?;
    ensure(
        guard.fullness(zspage) == Some(group),
        "a zspage on the list of another fullness",
    )?;
    for index in 0..guard.spec().pages() {
        let page = zspage.page(index, guard).ok_or("a zspage without a page")?;
        ensure(
            page.names(NonNull::from(zspage).cast()),
            "a page that names another zspage",
        )?;
    }

    let mut used = 0;
    for index in 0..guard.spec().objects() {
        let index = ObjIndex::new(index, guard.spec()).ok_or("an index out of range")?;
        if zspage.is_used(index, guard) {
            used += 1;
            check_object(guard, zspage, index)?;
        }
    }
    ensure(
        used == usize::from(slots.inuse),
        "a bitmap that disagrees with the count",
    )
}

/// The object names a handle whose word names the object.
fn check_object(
    guard: &ClassGuard<'_>,
    zspage: &Zspage,
    index: ObjIndex,
) -> Result<(), &'static str> {
    let place = Place::of(zspage, index, guard).ok_or("an object without a page")?;
    // SAFETY: The object is in use, and is not freed without the class lock.
    let handle = unsafe { Handle::from_header(place.read_header(guard)) }
        .ok_or("an object without a handle")?;
    ensure(
        handle.word() == Word::new(zspage, index),
        "a handle that names another object",
    )
}
