// SPDX-License-Identifier: GPL-2.0

//! Memory other than pages, with the checks of a debugging slab allocator.

use super::{context, mutex::grab, world::world};
use crate::rt;
use std::{alloc::Layout, collections::BTreeMap, ptr::NonNull};

/// What memory holds that nobody has written yet, and what after it has been freed: as pointers,
/// neither is an address that exists.
const FRESH: u8 = 0xa5;
const FREED: u8 = 0x6b;

/// All that is allocated or, as [`rt::QUARANTINE`] has it, was.
#[derive(Default)]
pub(crate) struct Heap {
    blocks: BTreeMap<usize, Block>,
}

struct Block {
    layout: Layout,
    owner: &'static str,
    live: bool,
}

impl Heap {
    /// Panics if the address is in memory that has been freed.
    pub(crate) fn assert_not_freed(&self, address: usize) {
        if let Some((_, block)) = self.find(address) {
            assert!(block.live, "use after free: memory of {}", block.owner);
        }
    }

    /// Whether the address is in memory from here.
    pub(crate) fn contains(&self, address: usize) -> bool {
        self.find(address).is_some()
    }

    /// How many blocks `owner` has.
    pub(crate) fn live(&self, owner: &str) -> usize {
        self.blocks
            .values()
            .filter(|block| block.live && block.owner == owner)
            .count()
    }

    /// Panics if anything is left, and gives back the quarantine.
    pub(crate) fn assert_free(&mut self) {
        let left: Vec<_> = self
            .blocks
            .values()
            .filter(|block| block.live)
            .map(|block| (block.owner, block.layout.size()))
            .collect();
        assert!(left.is_empty(), "leaked: {left:?}");
        self.release();
    }

    fn release(&mut self) {
        for (address, block) in std::mem::take(&mut self.blocks) {
            if !block.live {
                // SAFETY: Allocated with this layout, and kept since it was freed.
                unsafe { std::alloc::dealloc(address as *mut u8, block.layout) };
            }
        }
    }

    fn find(&self, address: usize) -> Option<(usize, &Block)> {
        let (&start, block) = self.blocks.range(..=address).next_back()?;
        (address < start + block.layout.size()).then_some((start, block))
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.release();
    }
}

/// Memory that nobody has written. `None` where the test wants it.
pub(crate) fn alloc(owner: &'static str, layout: Layout) -> Option<NonNull<u8>> {
    context::assert_no_spinlock("allocation");
    assert!(!world().rcu.reading(), "allocation in an RCU read section");
    alloc_nowait(owner, layout)
}

/// The same in any context (`GFP_NOWAIT`).
pub(crate) fn alloc_nowait(owner: &'static str, layout: Layout) -> Option<NonNull<u8>> {
    assert!(layout.size() > 0, "no size");
    if world().faults.strike() {
        return None;
    }
    Some(take(owner, layout))
}

/// As [`alloc`], in any context and without failure.
pub(crate) fn take(owner: &'static str, layout: Layout) -> NonNull<u8> {
    // SAFETY: The layout has a size.
    let memory =
        NonNull::new(unsafe { std::alloc::alloc(layout) }).expect("the host has no memory");
    // SAFETY: Just allocated.
    unsafe { memory.write_bytes(FRESH, layout.size()) };
    let block = Block {
        layout,
        owner,
        live: true,
    };
    let old = grab(&world().heap)
        .blocks
        .insert(memory.as_ptr() as usize, block);
    assert!(old.is_none(), "the host's allocator gave out memory twice");
    memory
}

/// Gives memory back. Panics unless `owner` has it.
///
/// # Safety
///
/// The memory is not used any more, which in a model is only checked later.
pub(crate) unsafe fn free(owner: &'static str, memory: NonNull<u8>) {
    let world = world();
    let mut heap = grab(&world.heap);
    let address = memory.as_ptr() as usize;
    let block = heap
        .blocks
        .get_mut(&address)
        .unwrap_or_else(|| panic!("{owner}: freeing what was never allocated, or twice"));
    assert!(block.live, "{owner}: freed twice");
    assert_eq!(block.owner, owner, "freed by somebody else");
    let layout = block.layout;
    block.live = false;
    // SAFETY: It is allocated.
    unsafe { memory.write_bytes(FREED, layout.size()) };
    if !rt::QUARANTINE {
        heap.blocks.remove(&address);
        // SAFETY: Allocated with this layout.
        unsafe { std::alloc::dealloc(memory.as_ptr(), layout) };
    }
}
