// SPDX-License-Identifier: GPL-2.0

//! The allocator: zsmalloc, with RCU in place of page locks.
//!
//! A [`Pool`] has a [`SizeClass`](class::SizeClass) for each distinct way to cut pages into objects. A
//! class has *zspages*: runs of 1 to 16 pages, not contiguous, cut into objects of the class's size.
//! What the user holds is a [`Handle`]: the name of an object, (anchor, index). The
//! [anchor](anchor::Anchor) is made with a zspage and says where the objects born there are: there, in
//! the slot that the index says, unless compaction has moved them. Compaction empties a zspage entirely
//! and lets the anchor lead to a [table](table) of places. Page migration replaces a page of a zspage
//! and touches no anchor at all.
//!
//! # Who protects what
//!
//! | data | written under | read under |
//! |---|---|---|
//! | `page->private` → zspage | release store once the zspage is complete; NULL when freed | RCU read section |
//! | anchor, table: where objects are | class lock; for a move also the write lock of the zspage left | owner of a name, in an RCU read section: load, lock the zspage, **load again**; or the class lock |
//! | zspage: class, number of pages | before publication | RCU read section, or any lock |
//! | zspage: pages | class lock + zspage write lock (migration only) | class lock **or** zspage read lock |
//! | zspage: slots, links, origins | class lock | class lock |
//! | class: lists | class lock | class lock |
//! | class: statistics | class lock, as relaxed atomics | anybody |
//! | pool: statistics | atomics, a few in a zspage's life | anybody |
//!
//! There is no lock of the whole pool. Lock order: page lock, class lock, zspage lock.
//!
//! In types: [`ClassGuard`](class::ClassGuard) is a class lock, and the way to the zspages of the
//! class; [`ListedZspage`](class::ListedZspage) is a zspage together with that guard,
//! [`WriteLockedZspage`](class::WriteLockedZspage) with its write lock as well, and [`Pinned`] an
//! object with the read lock of its zspage.
//!
//! # A zspage's life
//!
//! [`NewZspage`](owned::NewZspage): complete, and known to nobody. It is published, and is an
//! [`OwnedZspage`](owned::OwnedZspage): page migration may find it, and is refused. It is listed: it
//! belongs to its class. The guard under which it loses its last object takes it off its list and owns
//! it again. When the class lock has been given back, its pages are freed, and its struct is after a
//! grace period. So a zspage that is on no list is not in use yet, or is being freed.

mod anchor;
mod bitmap;
mod check;
mod class;
mod compact;
mod error;
mod fullness;
mod geometry;
mod handle;
mod list;
mod migration;
mod moved;
mod object;
mod origins;
mod owned;
mod pin;
mod pool;
mod slots;
mod stats;
mod table;
mod targets;
mod zspage;

#[allow(unused_imports)] // Not every front end uses all.
pub(crate) use self::{
    error::Error,
    handle::{Handle, ANCHOR_ALIGN},
    migration::{migrate, Refused},
    object::Segments,
    pin::Pinned,
    pool::{Pool, PoolInUse},
    stats::{Event, PoolStats},
};
