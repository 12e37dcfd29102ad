// SPDX-License-Identifier: GPL-2.0

//! All that touches the kernel.
//!
//! The allocator in [`crate::zsmalloc`] sees pages, locks, RCU and caches only through this module,
//! so that the same files also compile on a host against another `sys` (see `tests/host/`). Every
//! type here states the rules of the C interface behind it as `# Invariants`; the safe functions
//! rely on them and nothing else.
//!
//! | file | what it wraps |
//! |---|---|
//! | [`alloc`] | `kmalloc()`, `kvmalloc()` |
//! | [`atomic`] | atomics: acquire/release pairs and statistics |
//! | [`delay`] | windows of races, wider on debug builds |
//! | [`init`] | values made in place: pin-init |
//! | [`lock`] | `spinlock_t`, `rwlock_t`, `cond_resched()` |
//! | [`page`] | `struct page`: allocation, publication, movability, release |
//! | [`preempt`] | sections that are not preempted |
//! | [`rcu`] | read sections, `call_rcu()`, draining |
//! | [`slab`] | `kmem_cache` |
//! | [`trace`] | trace events |
//! | [`warn`] | `WARN_ON_ONCE()` |
//!
//! and, for the front ends only, [`debugfs`], [`map_area`] (the per-CPU buffer behind map and unmap),
//! [`module`], [`registry`] and [`shrinker`].

pub(crate) mod alloc;
pub(crate) mod atomic;
pub(crate) mod bindings;
pub(crate) mod debugfs;
pub(crate) mod delay;
pub(crate) mod init;
pub(crate) mod lock;
pub(crate) mod map_area;
pub(crate) mod module;
pub(crate) mod page;
pub(crate) mod preempt;
pub(crate) mod rcu;
pub(crate) mod registry;
pub(crate) mod shrinker;
pub(crate) mod slab;
pub(crate) mod trace;
pub(crate) mod warn;
