// SPDX-License-Identifier: GPL-2.0

//! Classes are those of C zsmalloc, which computes them itself: `geometry/main.c`. A request gets the
//! class that C gives to one of 8 bytes less, since C adds a header of 8 bytes, and we none.

use crate::{host::World, sys::page::PAGE_SIZE, zsmalloc::Pool, PAGE_SHIFT};
use std::process::Command;

/// What C adds to a request (`ZS_HANDLE_SIZE`).
const HEADER: usize = 8;

/// What C says: for each size from 1 its class, as (index, class size, pages, objects), and from
/// which size on a class is huge.
fn of_c(chain_size: usize) -> (Vec<[usize; 4]>, usize) {
    let program = std::env::temp_dir().join(format!(
        "zsm-geometry-{}-{PAGE_SHIFT}-{chain_size}",
        std::process::id()
    ));
    let compiled = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()))
        .arg("-o")
        .arg(&program)
        .arg(format!("-DPAGE_SHIFT={PAGE_SHIFT}"))
        .arg(format!("-DCONFIG_ZSMALLOC_CHAIN_SIZE={chain_size}"))
        .arg(concat!(
            "-DEXTRACT=\"",
            env!("OUT_DIR"),
            "/zsmalloc_extract.h\""
        ))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/geometry/main.c"))
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc failed");
    let output = Command::new(&program).output();
    let _ = std::fs::remove_file(&program);
    let output = output.expect("the program runs");
    assert!(output.status.success(), "the program failed");

    let mut classes = Vec::new();
    let mut class = [0; 4];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(huge) = line.strip_prefix("huge ") {
            classes.resize(PAGE_SIZE, class);
            return (classes, huge.parse().expect("a number"));
        }
        let numbers: Vec<usize> = line
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        classes.resize(numbers[0] - 1, class);
        class = numbers[1..].try_into().expect("five numbers");
    }
    panic!("output without an end");
}

/// What we have.
fn of_rust(pool: &Pool) -> (Vec<[usize; 4]>, usize) {
    let class_of = |size| {
        let index = pool.class_index(size);
        let mut classes = pool.classes().iter().map(|class| class.spec());
        let spec = classes
            .find(|spec| spec.index() == index)
            .expect("an index without a class");
        [spec.index(), spec.size(), spec.pages(), spec.objects()]
    };
    (
        (1..=PAGE_SIZE).map(class_of).collect(),
        pool.huge_class_size(),
    )
}

#[test]
#[cfg_attr(
    not(kernel_source),
    ignore = "no mm/zsmalloc.c: install linux-source-6.12 or set ZSM_KERNEL"
)]
fn geometry_is_that_of_c() {
    for chain_size in 4..=16 {
        let (classes, huge) = of_c(chain_size);
        World::run(|| {
            let pool = Pool::new(c"host", chain_size).expect("no memory for a pool");
            let (ours, our_huge) = of_rust(&pool);
            for (position, ours) in ours.iter().enumerate() {
                let theirs = classes[position.saturating_sub(HEADER)];
                let size = position + 1;
                assert_eq!(theirs, *ours, "size {size}, chain size {chain_size}");
                let [_, _, pages, objects] = classes[position];
                assert!(
                    ours[2] * objects <= pages * ours[3],
                    "size {size}, chain size {chain_size}: fewer objects a page than in C"
                );
            }
            assert_eq!(ours.len(), classes.len());
            assert_eq!(
                huge + HEADER,
                our_huge,
                "huge class size, chain size {chain_size}"
            );

            let mut distinct = classes;
            distinct.dedup();
            assert_eq!(pool.classes().len(), distinct.len(), "number of classes");
            assert!(Pool::destroy(pool, ()).is_ok());
        });
    }
}
