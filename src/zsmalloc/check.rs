// SPDX-License-Identifier: GPL-2.0

//! The integrity check: whether all that the allocator believes of its zspages agrees with itself.
//!
//! Costs a walk over every object, class by class under the class lock; for debug builds and tests.
#![cfg(debug_assertions)]

use super::{
    anchor::{Anchor, State},
    class::{ClassGuard, ClassStats, ListedZspage, SizeClass},
    fullness::Fullness,
    handle::{ObjIndex, Place},
    pool::Pool,
    slots::Membership,
    table::TableRef,
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
            count_moved(&zspage, &seen)?;
        }
    }
    for table in guard.sparse_tables().iter() {
        // SAFETY: What is listed is alive, and we hold the class lock.
        let table = unsafe { TableRef::new(table) };
        ensure(table.listed().get(), "a sparse table that does not know it")?;
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
    ensure(seen.inuse.get() == stats.inuse.get(), "number of objects")?;
    ensure(
        seen.names_moved.get() == stats.names_moved.get(),
        "number of names that have moved",
    )?;
    ensure(
        seen.anchors_moved.get() == stats.anchors_moved.get(),
        "number of anchors whose objects have moved",
    )?;
    ensure(
        seen.tables_bytes.get() == stats.tables_bytes.get(),
        "bytes of tables",
    )?;
    ensure(
        seen.origins_bytes.get() == stats.origins_bytes.get(),
        "bytes of origins",
    )
}

/// Counts what is remembered of objects that were moved to a zspage: the anchor and the table of a name
/// with the first of its names in use.
fn count_moved(zspage: &ListedZspage<'_>, seen: &ClassStats) -> Result<(), &'static str> {
    let Some(origins) = zspage.parts().origins() else {
        return Ok(());
    };
    seen.origins_bytes.add(origins.bytes());
    seen.names_moved.add(origins.count());
    ensure(origins.count() > 0, "origins without a name")?;
    let mut foreign = 0;
    for index in zspage
        .used_slots()
        .filter(|&index| zspage.is_foreign(index))
    {
        foreign += 1;
        let name = origins.get(index).ok_or("an object without a name")?;
        // SAFETY: The object is in use, and is not freed without the class lock, which we hold.
        let (anchor, state) = unsafe { (name.anchor(), name.anchor().state()) };
        let first = match state {
            State::Moved(table) => {
                let names = table.live_names().count();
                ensure(
                    names == usize::from(anchor.live().get()),
                    "a table that disagrees with its anchor",
                )?;
                let sparse = names * 2 <= table.names();
                ensure(
                    sparse == table.listed().get(),
                    "a table that is sparse, and not listed, or the other way",
                )?;
                let first = table.live_names().next();
                let first = first.is_some_and(|(first, _)| first == name.index());
                if first {
                    seen.tables_bytes.add(table.bytes());
                }
                first
            }
            _ => true,
        };
        if first {
            seen.anchors_moved.add(1);
        }
    }
    ensure(
        foreign == origins.count(),
        "a name of a slot that is not in use",
    )
}

fn check_zspage(zspage: &ListedZspage<'_>, group: Fullness) -> Result<(), &'static str> {
    ensure(
        zspage.slots().membership.get() == Membership::Listed(group),
        "a zspage that is not on the list it names",
    )?;
    ensure(
        zspage.fullness(Fullness::Below10) == Some(group),
        "a zspage on the list of another fullness",
    )?;
    let spec = zspage.zspage().spec();
    for page in zspage.parts().pages() {
        ensure(
            page.names(zspage.zspage().as_non_null().cast()),
            "a page that is missing, or names another zspage",
        )?;
    }

    check_anchor(zspage)?;
    let mut used = 0;
    for index in zspage.used_slots() {
        used += 1;
        ensure(index.get() < spec.objects(), "an object that there is not")?;
        check_object(zspage, index)?;
    }
    ensure(
        used == usize::from(zspage.slots().inuse()),
        "a bitmap that disagrees with the count",
    )
}

/// The anchor is this zspage's, and of its class: objects that take it with them leave no zspage behind.
fn check_anchor(zspage: &ListedZspage<'_>) -> Result<(), &'static str> {
    let anchor = zspage.parts().anchor();
    let anchor = anchor.ok_or("a zspage without an anchor")?;
    // SAFETY: The zspage has it.
    let anchor: &Anchor = unsafe { anchor.as_ref() };
    let position = zspage.zspage().class().position();
    ensure(
        anchor.class() == usize::from(position),
        "an anchor of another class",
    )?;
    // SAFETY: We hold the class lock.
    match unsafe { anchor.state() } {
        State::InPlace(home) if home.is(zspage.zspage()) => Ok(()),
        _ => Err("an anchor that names another zspage"),
    }
}

/// The name of the object leads to the object.
fn check_object(zspage: &ListedZspage<'_>, index: ObjIndex) -> Result<(), &'static str> {
    let (name, moved) = zspage.name_of(index).ok_or("an object without a name")?;
    let guard: &ClassGuard<'_> = zspage.guard();
    let located = guard.locate(name).ok_or("a name that names nothing")?;
    ensure(
        Place::new(located.zspage.zspage(), located.index) == Place::new(zspage.zspage(), index)
            && located.moved == moved,
        "a name that names another object",
    )
}
