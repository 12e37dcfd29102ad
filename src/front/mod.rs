// SPDX-License-Identifier: GPL-2.0

//! Front ends: what the kernel calls.
//!
//! | file | what it fills in |
//! |---|---|
//! | [`zpool`] | `zpool_driver`, by which zswap and zram allocate |
//! | [`map`] | the mapping of objects in it, and the per-CPU buffer behind it |
//! | [`migrate`] | `movable_operations`, by which pages migrate |
//! | [`report`] | files in debugfs |
//!
//! Imports run downwards: the front ends use [`crate::zsmalloc`] and [`crate::sys`], the allocator
//! uses `sys`, and `sys` neither of the other two. `make check` looks after that.

pub(crate) mod map;
pub(crate) mod migrate;
pub(crate) mod report;
pub(crate) mod zpool;
