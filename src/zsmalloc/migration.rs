// SPDX-License-Identifier: GPL-2.0

//! Page migration: the allocator's side of the `migrate_page` hook.

use super::{stats::Event, zspage::ZspageRef};
use crate::sys::{
    delay::{delay, Point},
    page::{LockedPage, TargetPage},
    rcu,
    warn::warn_once,
};

/// Why a page was not migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The page has been freed since it was isolated.
    Freed,
    /// Its zspage is about to be freed, or not in use yet.
    Unlisted,
    /// An object of its zspage is mapped: worth another try.
    Busy,
}

/// Moves the contents of `old` to `new`, which takes its place in the zspage (`zs_page_migrate()`).
/// Constant work: no handle is touched. Does not sleep; takes the class lock.
///
/// The RCU read section spans all of it, and so the last use of the class lock: a pool that loses its
/// last zspage meanwhile waits for it before it frees its classes.
pub(crate) fn migrate(new: TargetPage<'_>, old: &LockedPage<'_>) -> Result<(), Refused> {
    let rcu = rcu::read_lock();
    let zspage = ZspageRef::of_page(old, &rcu).ok_or(Refused::Freed)?;
    let stats = zspage.class().pool_stats();
    delay(Point::Migrate);

    let guard = zspage.class().lock();
    let Some(listed) = guard.open(zspage) else {
        stats.add(Event::MigrateRefusedUnlisted, 1);
        return Err(Refused::Unlisted);
    };
    let Some(locked) = listed.try_write() else {
        stats.add(Event::MigrateBusy, 1);
        return Err(Refused::Busy);
    };
    // Listed under the class lock, so that the page is still where `page->private` says.
    let mut pages = locked.listed().parts().pages().iter();
    let Some(index) = pages.position(|page| page.holds(old)) else {
        warn_once!(c"a page that is not in the zspage it names");
        return Err(Refused::Unlisted);
    };

    // Nothing has touched `new` so far; from here on nothing fails.
    let adopted = new.adopt(old);
    // SAFETY: The zspage is listed, and is freed through RCU after its pages, of which this is one now.
    unsafe { adopted.publish(zspage.as_non_null().cast()) };
    let replaced = locked.replace_page(index, adopted);
    stats.add(Event::PagesMigrated, 1);
    drop(locked);
    drop(guard);

    if let Some(page) = replaced {
        page.free_locked(old);
    }
    Ok(())
}
