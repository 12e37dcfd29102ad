// SPDX-License-Identifier: GPL-2.0

//! Two or three threads, every order of their steps.

#[path = "../model/explore.rs"]
mod explore;
#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/pairs.rs"]
mod pairs;
#[path = "../model/rt/loom.rs"]
mod rt;
#[path = "../model/scenario.rs"]
mod scenario;
#[path = "../model/sys/mod.rs"]
mod sys;
#[allow(unused_imports)]
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

#[link(name = "zsm_c", kind = "static")]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;
