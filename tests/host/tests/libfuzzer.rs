// SPDX-License-Identifier: GPL-2.0

//! The target of libFuzzer, which looks for byte strings that reach new code: see README.rst.
#![no_main]

#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/fuzz.rs"]
mod fuzz;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/rt/single.rs"]
mod rt;
#[path = "../model/sequence.rs"]
mod sequence;
#[path = "../model/sys/mod.rs"]
mod sys;
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

#[link(name = "zsm_c", kind = "static")]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(input));
