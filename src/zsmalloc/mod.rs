// SPDX-License-Identifier: GPL-2.0

//! The allocator: zsmalloc, with RCU in place of page locks.
//!
//! A [`Pool`] has a [`SizeClass`](class::SizeClass) for each distinct way to cut pages into objects. A class has
//! *zspages*: runs of 1 to 16 pages, not contiguous, cut into objects of the class's size. What the
//! user holds is a [`Handle`]: the address of a word that names the object, as (zspage, index).
//! Compaction moves objects between zspages and rewrites the word; page migration replaces a page of
//! a zspage and touches no word at all.
//!
//! # Who protects what
//!
//! | data | written under | read under |
//! |---|---|---|
//! | `page->private` → zspage | release store before the zspage is listed; NULL when freed | RCU read section |
//! | handle word | class lock; for a move also the write lock of the zspage left | the owner: load, lock, **load again** |
//! | zspage: class, number of pages | before publication | RCU read section, or any lock |
//! | zspage: pages | class lock + zspage write lock (migration only) | class lock **or** zspage read lock |
//! | zspage: slots, fullness, list links | class lock | class lock |
//! | class: lists, statistics | class lock | class lock |
//! | pool: page count, counters | atomics | atomics |
//!
//! There is no lock of the whole pool. Lock order: page lock, class lock, zspage lock.
//!
//! # When a zspage dies
//!
//! The [`ClassGuard`](class::ClassGuard) that takes its last object away takes it off its list, and so makes its owner a
//! [`OwnedZspage`](owned::OwnedZspage). Dropping that, after the class lock, frees the pages at once and the struct after
//! a grace period. A zspage that is not listed is therefore dead, or not born yet, to whoever finds
//! it through RCU.

mod check;
mod class;
mod compact;
mod error;
mod fullness;
mod geometry;
mod handle;
mod list;
mod migration;
mod object;
mod owned;
mod pin;
mod pool;
mod slots;
mod stats;
mod zspage;

#[allow(unused_imports)] // Not every front end uses all.
pub(crate) use self::{
    error::Error,
    handle::Handle,
    migration::{migrate, Refused},
    object::Segments,
    pin::Pinned,
    pool::{Pool, PoolInUse},
    stats::{Event, PoolStats},
};
