// SPDX-License-Identifier: GPL-2.0

//! Delays: none here, where the models try every order of events.

/// Where a race may be won or lost: see `src/sys/delay.rs`.
#[derive(Clone, Copy)]
pub(crate) enum Point {
    Publish,
    Unlisted,
    Map,
    Free,
    Migrate,
}

/// Nothing.
pub(crate) fn delay(_point: Point) {}
