// SPDX-License-Identifier: GPL-2.0

//! Random sequences of operations with pages of 4K, those of the fuzzer, and the short ones for Miri.

#[path = "../model/aliasing.rs"]
mod aliasing;
#[path = "../model/corpus.rs"]
mod corpus;
#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/fuzz.rs"]
mod fuzz;
#[path = "../model/geometry.rs"]
mod geometry;
#[path = "../model/handles.rs"]
mod handles;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/property.rs"]
mod property;
#[path = "../model/rt/single.rs"]
mod rt;
#[path = "../model/sequence.rs"]
mod sequence;
#[path = "../model/sys/mod.rs"]
mod sys;
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

#[cfg_attr(not(miri), link(name = "zsm_c", kind = "static"))]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;
