// SPDX-License-Identifier: GPL-2.0

//! Counters, and the tables in debugfs.

use super::{
    class::{ClassStats, SizeClass},
    fullness::GROUPS,
    pool::Pool,
};
use crate::sys::atomic::Counter;
use core::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

/// An amount that one task at a time writes (under a lock, or because it is that task's alone) and
/// anybody reads: no locked operation is needed.
///
/// It does not overflow, there being fewer objects than bytes; a debug build makes sure that it does
/// not go below 0 either.
#[derive(Default)]
pub(crate) struct Stat(AtomicUsize);

impl Stat {
    /// Adds `n`. Under the lock.
    #[inline]
    pub(crate) fn add(&self, n: usize) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes `n` away. Under the lock.
    #[inline]
    pub(crate) fn sub(&self, n: usize) {
        debug_assert!(n <= self.get());
        self.0.store(self.get().wrapping_sub(n), Ordering::Relaxed);
    }

    /// The amount now.
    #[inline]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted as it happens. None of it happens to most objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
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
    /// Compactions of a class that ended because there was no memory for the names.
    CompactNoMemory,
    /// Objects that compaction moved again.
    MovedAgain,
    /// Objects freed after they had been moved.
    MovedFreed,
    /// Tables of moved objects that were made smaller.
    TablesRepacked,
    /// Maps that found their object moved from where it was born, and began anew.
    MapRetries,
    /// Maps that found their object moved again, and began anew.
    MapRetriesMoved,
}

/// All events, with the names they have in debugfs, and whether a single pool counts them.
const EVENTS: [(Event, &str, bool); 15] = [
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
    (Event::CompactNoMemory, "compact_no_memory", true),
    (Event::MovedAgain, "objects_moved_again", true),
    (Event::MovedFreed, "objects_moved_freed", true),
    (Event::TablesRepacked, "tables_repacked", true),
    (Event::MapRetries, "map_retries", true),
    (Event::MapRetriesMoved, "map_retries_moved", true),
];

/// What a pool counts (`struct zs_pool_stats`): what all processors share, and so write seldom.
pub(crate) struct PoolStats {
    /// Pages of all zspages.
    pages: Counter,
    events: [Counter; EVENTS.len()],
    /// Zspages that have begun to wait for a grace period, and those that have ended.
    rcu_queued: Counter,
    rcu_freed: Counter,
    rcu_peak: Counter,
}

impl PoolStats {
    /// Counters at 0.
    pub(crate) const fn new() -> Self {
        Self {
            pages: Counter::new(),
            events: [const { Counter::new() }; EVENTS.len()],
            rcu_queued: Counter::new(),
            rcu_freed: Counter::new(),
            rcu_peak: Counter::new(),
        }
    }

    /// Counts `event`, `n` times.
    #[inline]
    pub(crate) fn add(&self, event: Event, n: usize) {
        self.events[event as usize].add(n);
    }

    /// How often `event` has been counted.
    pub(crate) fn get(&self, event: Event) -> usize {
        self.events[event as usize].get()
    }

    /// Pages there are.
    pub(crate) fn pages(&self) -> usize {
        self.pages.get()
    }

    /// A zspage of `n` pages has been made.
    pub(super) fn add_pages(&self, n: usize) {
        self.pages.add(n);
    }

    /// The `n` pages of a zspage have been freed.
    pub(super) fn sub_pages(&self, n: usize) {
        self.pages.sub(n);
    }

    /// A zspage begins to wait for a grace period.
    pub(super) fn rcu_queued(&self) {
        let queued = self.rcu_queued.add(1);
        let pending = queued.saturating_sub(self.rcu_freed.get());
        self.rcu_peak.raise_to(pending);
    }

    /// A zspage has waited for its grace period.
    pub(super) fn rcu_freed(&self) {
        self.rcu_freed.add(1);
    }

    /// Adds what has happened in `pool`. The peak becomes the highest that a single pool has had.
    pub(crate) fn absorb(&self, pool: &PoolStats) {
        for (sum, counter) in self.events.iter().zip(&pool.events) {
            sum.add(counter.get());
        }
        self.rcu_queued.add(pool.rcu_queued.get());
        self.rcu_freed.add(pool.rcu_freed.get());
        self.rcu_peak.raise_to(pool.rcu_peak.get());
    }

    /// Writes a line `name value` for each counter; of a single pool, unless `of_module`, those that
    /// pools have.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write, of_module: bool) -> fmt::Result {
        for (event, name, of_pool) in EVENTS {
            if of_pool || of_module {
                writeln!(out, "{name} {}", self.get(event))?;
            }
        }
        let freed = self.rcu_freed.get();
        let pending = self.rcu_queued.get().saturating_sub(freed);
        writeln!(out, "zspages_freed_rcu {freed}")?;
        writeln!(out, "zspages_rcu_pending {pending}")?;
        writeln!(out, "zspages_rcu_pending_peak {}", self.rcu_peak.get())
    }
}

impl Pool {
    /// Zspages there are. Takes no lock.
    pub(crate) fn zspages(&self) -> usize {
        let of_class = |class: &SizeClass| {
            let groups = class.stats().zspages.iter().map(Stat::get);
            groups.fold(0, usize::saturating_add)
        };
        let zspages = self.classes().iter().map(of_class);
        zspages.fold(0, usize::saturating_add)
    }

    /// The sum of a count over all classes. Takes no lock.
    pub(super) fn sum(&self, of_class: impl Fn(&ClassStats) -> &Stat) -> usize {
        let counts = self
            .classes()
            .iter()
            .map(|class| of_class(class.stats()).get());
        counts.fold(0, usize::saturating_add)
    }

    /// Anchors there are. Takes no lock.
    pub(crate) fn anchors(&self) -> usize {
        self.zspages()
            .saturating_add(self.sum(|stats| &stats.anchors_moved))
    }

    /// Writes the file `stats`: lines `name value`. May sleep.
    pub(crate) fn write_stats(&self, out: &mut impl fmt::Write) -> fmt::Result {
        writeln!(out, "pages_used {}", self.total_pages())?;
        writeln!(out, "objects {}", self.objects())?;
        writeln!(out, "zspages {}", self.zspages())?;
        writeln!(out, "anchors {}", self.anchors())?;
        writeln!(out, "names_moved {}", self.sum(|stats| &stats.names_moved))?;
        writeln!(
            out,
            "tables_bytes {}",
            self.sum(|stats| &stats.tables_bytes)
        )?;
        writeln!(
            out,
            "origins_bytes {}",
            self.sum(|stats| &stats.origins_bytes)
        )?;
        self.stats().write_to(out, false)
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

        let total = ClassStats::default();
        let (total_pages, total_freeable) = (Stat::default(), Stat::default());
        for class in self.classes().iter().rev() {
            let (spec, stats) = (class.spec(), class.stats());
            let zspages = spec.zspages_filled_by(stats.allocated.get());
            let pages = zspages.saturating_mul(spec.pages());
            let freeable = class.freeable();

            write!(out, " {:>5} {:>5} ", spec.index(), spec.size())?;
            for (sum, zspages) in total.zspages.iter().zip(&stats.zspages) {
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
        for zspages in &total.zspages {
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
