// SPDX-License-Identifier: GPL-2.0

//! Page migration: the allocator's side of the `migrate_page` hook.

use super::{slots::Membership, stats::Event, zspage::Zspage};
use crate::sys::{
    delay::{delay, Point},
    page::LockedPage,
    rcu,
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
pub(crate) fn migrate(new: &LockedPage<'_>, old: &LockedPage<'_>) -> Result<(), Refused> {
    let rcu = rcu::read_lock();
    let owner = old.owner(&rcu).ok_or(Refused::Freed)?.cast::<Zspage>();
    // SAFETY: Published in `page->private`, and so a zspage that is alive as long as `rcu`.
    let zspage = unsafe { owner.as_ref() };
    let counters = zspage.class().pool().counters();
    delay(Point::Migrate);

    let mut guard = zspage.class().lock();
    if zspage.slots(&guard).membership == Membership::Unlisted {
        counters.add(Event::MigrateRefusedUnlisted, 1);
        return Err(Refused::Unlisted);
    }
    let Some(writer) = zspage.try_write() else {
        counters.add(Event::MigrateBusy, 1);
        return Err(Refused::Busy);
    };
    // Listed under the class lock, so that the page is still where `page->private` says.
    let position = zspage
        .position_of(old, &guard)
        .and_then(|index| Some((index, zspage.page(index, &guard)?)));
    let Some((index, page)) = position else {
        debug_assert!(false, "a listed zspage without its page");
        return Err(Refused::Unlisted);
    };

    // Nothing has touched `new` so far; from here on nothing fails.
    let adopted = new.adopt(page);
    adopted.publish(owner.cast());
    let replaced = zspage.replace_page(index, adopted, &mut guard, &writer);
    counters.add(Event::PagesMigrated, 1);
    drop(writer);
    drop(guard);

    if let Some(page) = replaced {
        page.free_locked(old);
    }
    Ok(())
}
