// SPDX-License-Identifier: GPL-2.0

//! Front end: the `movable_operations` table, by which page migration asks for our pages.
//!
//! Called with the page lock of the page, for a page that may have been freed by us since the caller
//! got its reference. No hook sleeps, unless locks do (PREEMPT_RT).

use super::report::TOTALS;
use crate::{
    sys::{
        bindings,
        page::{LockedPage, TargetPage},
        rcu,
        trace::{self, Migration},
    },
    zsmalloc::{self, Event, Refused},
};
use core::ptr::NonNull;
use kernel::{
    error::code::{EAGAIN, EINVAL},
    ffi::c_int,
};

/// What our pages carry in `page->mapping`.
pub(crate) static MOVABLE_OPERATIONS: bindings::movable_operations = bindings::movable_operations {
    isolate_page: Some(isolate),
    // Calls `migrate()`; its type is that of the table, which has an enum.
    migrate_page: Some(bindings::zs_rs_hook_migrate),
    putback_page: Some(putback),
};

/// A page is about to be isolated. Refused if it has been freed: it is on its way out.
///
/// # Safety
///
/// Called by `mm/migrate.c`, with a reference to the page and its lock held.
unsafe extern "C" fn isolate(page: *mut bindings::page, _mode: bindings::isolate_mode_t) -> bool {
    let Some(page) = NonNull::new(page) else {
        return false;
    };
    // SAFETY: Referenced and locked by the caller, who has found this hook by it.
    let page = unsafe { LockedPage::from_raw(page) };
    let ours = page.owner(&rcu::read_lock()).is_some();
    if !ours {
        TOTALS.add(Event::IsolateRefusedFreed, 1);
        trace::isolate_refused(page.id());
    }
    ours
}

/// An isolated page is to be replaced by `new`.
///
/// `-EAGAIN` makes the migration core try again, without a look at the reference count; any other
/// error makes it put the page back, and with that drop what may be the last reference. So the two
/// cases that no further try can change are `-EINVAL`.
///
/// # Safety
///
/// Called by `mm/migrate.c`, with references to both pages and both locks held.
#[export_name = "zs_rs_migrate"]
unsafe extern "C" fn migrate(
    new: *mut bindings::page,
    old: *mut bindings::page,
    _mode: bindings::migrate_mode,
) -> c_int {
    let (Some(new), Some(old)) = (NonNull::new(new), NonNull::new(old)) else {
        return EINVAL.to_errno();
    };
    // SAFETY: Referenced and locked by the caller, who has found this hook by `old`, and has allocated
    // `new` for this.
    let (new, old) = unsafe { (TargetPage::from_raw(new), LockedPage::from_raw(old)) };
    let (from, to) = (old.id(), new.id());
    let (result, code) = match zsmalloc::migrate(new, &old) {
        Ok(()) => (Migration::Migrated, bindings::MIGRATEPAGE_SUCCESS as c_int),
        Err(Refused::Busy) => (Migration::Busy, EAGAIN.to_errno()),
        Err(Refused::Unlisted) => (Migration::Unlisted, EINVAL.to_errno()),
        Err(Refused::Freed) => {
            TOTALS.add(Event::MigrateRefusedFreed, 1);
            (Migration::Freed, EINVAL.to_errno())
        }
    };
    trace::migrate(from, to, result);
    code
}

// `hooks.c` calls it by the same type.
const _: () = {
    if true {
        bindings::zs_rs_migrate
    } else {
        migrate
    };
};

/// An isolated page is not migrated after all. Nothing was done to it.
///
/// # Safety
///
/// Called by `mm/migrate.c`, with a reference to the page and its lock held.
unsafe extern "C" fn putback(_page: *mut bindings::page) {}
