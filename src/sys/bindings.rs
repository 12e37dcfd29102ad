// SPDX-License-Identifier: GPL-2.0

//! What bindgen makes of `bindings.h`: the tables the kernel wants and the functions of our shim.
//!
//! (`improper_ctypes`: a lock may be an empty struct, without SMP. `unnecessary_transmutes`: bit-fields as
//! bindgen 0.71 writes them; older compilers do not know that lint.)

#![allow(
    clippy::all,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    improper_ctypes,
    unknown_lints,
    unnecessary_transmutes,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks
)]

include!("bindings_generated.rs");
