// SPDX-License-Identifier: GPL-2.0

//! Delays at named points, which widen the windows of races: on debug builds, if a module parameter
//! asks for them (`delay.c`). On release builds there is nothing here, neither code nor parameter.

#[cfg(debug_assertions)]
use super::bindings;

/// Where a race may be won or lost. Each is a module parameter `delay_<point>_us`.
#[derive(Clone, Copy)]
#[cfg_attr(not(debug_assertions), allow(dead_code))]
pub(crate) enum Point {
    /// A zspage has been published, and is on no list yet.
    Publish,
    /// A zspage has been taken off its list, and its pages have not been freed.
    Unlisted,
    /// Map has found where an object is, and not locked the zspage.
    Map,
    /// Free has read the class of an object, and not locked it.
    Free,
    /// Migrate has found the zspage of a page, and not locked its class.
    Migrate,
    /// RCU has waited for the readers of what is freed, and it has not been freed.
    Callback,
}

/// Loses some time at `point`. Any context; does not sleep.
#[inline(always)]
pub(crate) fn delay(point: Point) {
    #[cfg(debug_assertions)]
    {
        let point = match point {
            Point::Publish => bindings::ZS_RS_DELAY_PUBLISH,
            Point::Unlisted => bindings::ZS_RS_DELAY_UNLISTED,
            Point::Map => bindings::ZS_RS_DELAY_MAP,
            Point::Free => bindings::ZS_RS_DELAY_FREE,
            Point::Migrate => bindings::ZS_RS_DELAY_MIGRATE,
            Point::Callback => bindings::ZS_RS_DELAY_CALLBACK,
        };
        // SAFETY: May be called in any context.
        unsafe { bindings::zs_rs_delay(point) };
    }
    #[cfg(not(debug_assertions))]
    let _ = point;
}
