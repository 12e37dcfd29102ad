// SPDX-License-Identifier: GPL-2.0

//! Counters, and the tables in debugfs.

use super::{class::ClassStats, fullness::GROUPS, pool::Pool};
use crate::sys::atomic::Counter;
use core::fmt;

/// An amount that one lock protects. It does not overflow, there being fewer objects than bytes; a
/// debug build makes sure that it does not go below 0 either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(usize);

impl Tally {
    /// Adds `n`.
    #[inline]
    pub(crate) fn add(&mut self, n: usize) {
        self.0 = self.0.wrapping_add(n);
    }

    /// Takes `n` away.
    #[inline]
    pub(crate) fn sub(&mut self, n: usize) {
        debug_assert!(n <= self.0);
        self.0 = self.0.wrapping_sub(n);
    }

    /// The amount.
    #[inline]
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Zspages there are.
    Zspages,
    /// Pages that compaction freed.
    PagesCompacted,
    /// Objects that compaction moved.
    ObjectsCompacted,
    /// Compactions of a whole pool.
    Compactions,
    /// Zspages that compaction passed over because an object of theirs was mapped.
    CompactSkippedMapped,
    /// Pages migrated.
    PagesMigrated,
    /// Migrations refused for good: the page had been freed.
    MigrateRefusedFreed,
    /// Migrations refused for good: the zspage was on no list.
    MigrateRefusedUnlisted,
    /// Migrations put off: an object of the zspage was mapped.
    MigrateBusy,
    /// Isolations refused: the page had been freed.
    IsolateRefusedFreed,
    /// Zspages freed after a grace period.
    ZspagesFreedRcu,
    /// Zspages waiting for a grace period.
    ZspagesRcuPending,
    /// Maps that found their object moved, and began anew.
    MapRetries,
    /// Frees that found their object moved.
    FreeRetries,
}

/// All events, with the names they have in debugfs, and whether a single pool counts them.
const EVENTS: [(Event, &str, bool); 14] = [
    (Event::Zspages, "zspages", true),
    (Event::PagesCompacted, "pages_compacted", true),
    (Event::ObjectsCompacted, "objects_compacted", true),
    (Event::Compactions, "compactions", true),
    (Event::CompactSkippedMapped, "compact_skipped_mapped", true),
    (Event::PagesMigrated, "pages_migrated", true),
    // A page that has been freed names no pool any more.
    (Event::MigrateRefusedFreed, "migrate_refused_freed", false),
    (
        Event::MigrateRefusedUnlisted,
        "migrate_refused_unlisted",
        true,
    ),
    (Event::MigrateBusy, "migrate_busy", true),
    (Event::IsolateRefusedFreed, "isolate_refused_freed", false),
    (Event::ZspagesFreedRcu, "zspages_freed_rcu", true),
    (Event::ZspagesRcuPending, "zspages_rcu_pending", true),
    (Event::MapRetries, "map_retries", true),
    (Event::FreeRetries, "free_retries", true),
];

/// A counter for each event, of a pool or, without a parent, of the module.
pub(crate) struct Counters {
    events: [Counter; EVENTS.len()],
    rcu_peak: Counter,
    total: Option<&'static Counters>,
}

impl Counters {
    /// Counters at 0. What they count is added to `total`, too.
    pub(crate) const fn new(total: Option<&'static Counters>) -> Self {
        Self {
            events: [const { Counter::new() }; EVENTS.len()],
            rcu_peak: Counter::new(),
            total,
        }
    }

    /// These and, if there are, the module's.
    fn each(&self) -> impl Iterator<Item = &Counters> {
        core::iter::once(self).chain(self.total)
    }

    /// Counts `event`, `n` times.
    #[inline]
    pub(crate) fn add(&self, event: Event, n: usize) {
        for counters in self.each() {
            counters.events[event as usize].add(n);
        }
    }

    /// Takes `n` from what is not an event but an amount.
    pub(crate) fn sub(&self, event: Event, n: usize) {
        for counters in self.each() {
            counters.events[event as usize].sub(n);
        }
    }

    /// How often `event` has been counted.
    pub(crate) fn get(&self, event: Event) -> usize {
        self.events[event as usize].get()
    }

    /// A zspage begins to wait for a grace period.
    pub(crate) fn rcu_queued(&self) {
        for counters in self.each() {
            let pending = counters.events[Event::ZspagesRcuPending as usize].add(1);
            counters.rcu_peak.raise_to(pending);
        }
    }

    /// A zspage has waited for its grace period.
    pub(crate) fn rcu_freed(&self) {
        self.sub(Event::ZspagesRcuPending, 1);
        self.add(Event::ZspagesFreedRcu, 1);
    }

    /// Writes a line `name value` for each counter.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (event, name, of_pool) in EVENTS {
            if of_pool || self.total.is_none() {
                writeln!(out, "{name} {}", self.get(event))?;
            }
        }
        writeln!(out, "zspages_rcu_pending_peak {}", self.rcu_peak.get())
    }
}

impl Pool {
    /// Writes the file `stats`: lines `name value`. May sleep.
    pub(crate) fn write_stats(&self, out: &mut impl fmt::Write) -> fmt::Result {
        writeln!(out, "pages_used {}", self.total_pages())?;
        writeln!(out, "objects {}", self.objects())?;
        self.counters().write_to(out)
    }

    /// Writes the file `classes`, in the columns of C zsmalloc's (`zs_stats_size_show()`). May sleep.
    pub(crate) fn write_classes(&self, out: &mut impl fmt::Write) -> fmt::Result {
        const TENTHS: [&str; GROUPS] = [
            "10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%", "99%", "100%",
        ];

        write!(out, " {:>5} {:>5} ", "class", "size")?;
        for tenth in TENTHS {
            write!(out, "{tenth:>9} ")?;
        }
        writeln!(
            out,
            "{:>13} {:>10} {:>10} {:>16} {:>8}",
            "obj_allocated", "obj_used", "pages_used", "pages_per_zspage", "freeable"
        )?;

        let mut total = ClassStats::default();
        let (mut total_pages, mut total_freeable) = (Tally::default(), Tally::default());
        for class in self.classes().iter().rev() {
            let (spec, stats) = (class.spec(), class.stats());
            let zspages = spec.zspages_filled_by(stats.allocated.get());
            let pages = zspages.saturating_mul(spec.pages());
            let freeable = stats.freeable(spec);

            write!(out, " {:>5} {:>5} ", spec.index(), spec.size())?;
            for (sum, zspages) in total.zspages.iter_mut().zip(stats.zspages) {
                sum.add(zspages.get());
                write!(out, "{:>9} ", zspages.get())?;
            }
            writeln!(
                out,
                "{:>13} {:>10} {pages:>10} {:>16} {freeable:>8}",
                stats.allocated.get(),
                stats.inuse.get(),
                spec.pages()
            )?;
            total.allocated.add(stats.allocated.get());
            total.inuse.add(stats.inuse.get());
            total_pages.add(pages);
            total_freeable.add(freeable);
        }

        write!(out, "\n {:>5} {:>5} ", "Total", "")?;
        for zspages in total.zspages {
            write!(out, "{:>9} ", zspages.get())?;
        }
        writeln!(
            out,
            "{:>13} {:>10} {:>10} {:>16} {:>8}",
            total.allocated.get(),
            total.inuse.get(),
            total_pages.get(),
            "",
            total_freeable.get()
        )
    }
}
