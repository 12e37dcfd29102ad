// SPDX-License-Identifier: GPL-2.0

//! The integrity check: whether all that the allocator believes of its zspages agrees with itself.
//!
//! Costs a walk over every object, class by class under the class lock; for debug builds and tests.
#![cfg(debug_assertions)]

use super::{
    class::{ClassStats, ListedZspage, SizeClass},
    fullness::Fullness,
    handle::{ObjIndex, Word},
    pool::Pool,
    slots::Membership,
};
use crate::sys::lock::cond_resched;

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
    let seen = ClassStats::default();
    for group in Fullness::ALL {
        for zspage in guard.group(group) {
            check_zspage(&zspage, group)?;
            seen.zspages[group.slot()].add(1);
            seen.allocated.add(class.spec().objects());
            seen.inuse.add(usize::from(zspage.slots().inuse()));
        }
    }
    let stats = class.stats();
    ensure(
        seen.zspages
            .iter()
            .zip(&stats.zspages)
            .all(|(seen, stat)| seen.get() == stat.get()),
        "number of zspages in a group",
    )?;
    ensure(
        seen.allocated.get() == stats.allocated.get(),
        "number of slots",
    )?;
    ensure(seen.inuse.get() == stats.inuse.get(), "number of objects")
}

fn check_zspage(zspage: &ListedZspage<'_>, group: Fullness) -> Result<(), &'static str> {
    ensure(
        zspage.slots().membership.get() == Membership::Listed(group),
        "a zspage that is not on the list it names",
    )?;
    ensure(
        zspage.fullness() == Some(group),
        "a zspage on the list of another fullness",
    )?;
    let spec = zspage.zspage().spec();
    for page in zspage.parts().pages() {
        ensure(
            page.names(zspage.zspage().as_non_null().cast()),
            "a page that is missing, or names another zspage",
        )?;
    }

    let mut used = 0;
    for index in 0..spec.objects() {
        let index = ObjIndex::new(index, spec).ok_or("an index out of range")?;
        if zspage.is_used(index) {
            used += 1;
            check_object(zspage, index)?;
        }
    }
    ensure(
        used == usize::from(zspage.slots().inuse()),
        "a bitmap that disagrees with the count",
    )
}

/// The object names a handle whose word names the object.
fn check_object(zspage: &ListedZspage<'_>, index: ObjIndex) -> Result<(), &'static str> {
    let handle = zspage.recorded_handle(index);
    let handle = handle.ok_or("an object without a handle")?;
    ensure(
        handle.word() == Some(Word::new(zspage.zspage(), index)),
        "a handle that names another object",
    )
}
