// SPDX-License-Identifier: GPL-2.0

//! Trace events: that each zspage dies which was born, once, is checked by the world.

use super::page::PageId;
use crate::host::world;
use std::ptr::{self, NonNull};

/// What a pool is told by.
#[derive(Clone, Copy)]
pub(crate) struct PoolId(#[allow(dead_code)] *const ());

impl PoolId {
    pub(crate) fn of<T>(stats: &T) -> Self {
        Self(ptr::from_ref(stats).cast())
    }
}

/// What the compaction of a class came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compacted {
    pub(crate) moved: usize,
    pub(crate) freed: usize,
    pub(crate) skipped: usize,
    pub(crate) no_memory: bool,
}

/// What the migration of a page came to.
#[derive(Clone, Copy)]
pub(crate) enum Migration {
    Migrated,
    Busy,
    Unlisted,
    Freed,
}

pub(crate) fn zspage_birth(
    _pool: PoolId,
    zspage: NonNull<()>,
    _size: usize,
    _pages: usize,
    _objects: usize,
) {
    world().zspage_birth(zspage.as_ptr() as usize);
}

pub(crate) fn zspage_death(_pool: PoolId, zspage: NonNull<()>, _size: usize, _pages: usize) {
    world().zspage_death(zspage.as_ptr() as usize);
}

pub(crate) fn compact(_pool: PoolId, _size: usize, _came_to: Compacted) {}

pub(crate) fn migrate(_from: PageId, _to: PageId, _result: Migration) {}

pub(crate) fn isolate_refused(_page: PageId) {}
