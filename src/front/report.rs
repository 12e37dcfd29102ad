// SPDX-License-Identifier: GPL-2.0

//! Front end: debugfs.
//!
//! ```text
//! zsmalloc_rs/stats            counters of the module, pools that are gone included
//! zsmalloc_rs/<pool>/stats     counters of a pool
//! zsmalloc_rs/<pool>/classes   its classes, in the columns of C zsmalloc's file of that name
//! zsmalloc_rs/<pool>/check     integrity check (kernels with CONFIG_RUST_DEBUG_ASSERTIONS)
//! ```

use crate::{
    sys::{
        alloc::NoMemory,
        debugfs::{Dir, Seq, Show},
        page,
        registry::{Registered, Registry},
    },
    zsmalloc::{Pool, PoolStats},
};
use core::{
    ffi::CStr,
    fmt::{self, Write},
    ptr::NonNull,
};

/// What belongs to no pool, or to one that is gone.
pub(crate) static TOTALS: PoolStats = PoolStats::new();

/// The pools there are, leaked ones included. What one has counted stays in [`TOTALS`].
static POOLS: Registry<Pool> = Registry::new(|pool| TOTALS.absorb(pool.stats()));

/// A pool that counts for the module: until it is dropped, by itself.
pub(crate) type LivePool = Registered<Pool>;

/// Lets a pool count for the module. Sleeps.
///
/// # Safety
///
/// `pool` outlives the returned value.
pub(crate) unsafe fn add_pool(pool: NonNull<Pool>) -> Result<LivePool, NoMemory> {
    // SAFETY: As the caller promises.
    unsafe { Registered::new(&POOLS, pool) }
}

/// The file `zsmalloc_rs/stats`.
struct ModuleStatsFile;

impl Show for ModuleStatsFile {
    type Data = PoolStats;

    fn show(totals: &PoolStats, seq: &mut Seq) -> fmt::Result {
        let (mut pools, mut zspages) = (0_usize, 0_usize);
        let sum = PoolStats::new();
        POOLS.for_each(
            |pool| {
                pools = pools.saturating_add(1);
                zspages = zspages.saturating_add(pool.zspages());
                sum.absorb(pool.stats());
            },
            || sum.absorb(totals),
        );
        writeln!(seq, "pools {pools}")?;
        writeln!(seq, "raced_frees {}", page::raced_frees())?;
        writeln!(seq, "zspages {zspages}")?;
        sum.write_to(seq, true)
    }
}

/// The file `zsmalloc_rs/<pool>/stats`.
struct PoolStatsFile;

impl Show for PoolStatsFile {
    type Data = Pool;

    fn show(pool: &Pool, seq: &mut Seq) -> fmt::Result {
        pool.write_stats(seq)
    }
}

/// The file `zsmalloc_rs/<pool>/classes`.
struct PoolClasses;

impl Show for PoolClasses {
    type Data = Pool;

    fn show(pool: &Pool, seq: &mut Seq) -> fmt::Result {
        pool.write_classes(seq)
    }
}

/// The file `zsmalloc_rs/<pool>/check`.
#[cfg(debug_assertions)]
struct PoolCheck;

#[cfg(debug_assertions)]
impl Show for PoolCheck {
    type Data = Pool;

    fn show(pool: &Pool, seq: &mut Seq) -> fmt::Result {
        match pool.check() {
            Ok(()) => writeln!(seq, "ok"),
            Err(bad) => writeln!(seq, "class {}: {}", bad.class, bad.what),
        }
    }
}

/// The directory of the module. Sleeps.
pub(crate) fn module_dir() -> Dir {
    let mut dir = Dir::root();
    // SAFETY: The totals are static.
    unsafe { dir.add::<ModuleStatsFile>(c"stats", NonNull::from(&TOTALS)) };
    dir
}

/// The directory of a pool. Sleeps.
///
/// # Safety
///
/// `pool` outlives the returned value.
pub(crate) unsafe fn pool_dir(name: &CStr, pool: NonNull<Pool>) -> Dir {
    let mut dir = Dir::of_pool(name);
    // SAFETY: As the caller promises.
    unsafe {
        dir.add::<PoolStatsFile>(c"stats", pool);
        dir.add::<PoolClasses>(c"classes", pool);
        #[cfg(debug_assertions)]
        dir.add::<PoolCheck>(c"check", pool);
    }
    dir
}
