// SPDX-License-Identifier: GPL-2.0

//! `src/zsmalloc/handle.rs` by itself, with nothing behind the addresses: every name and every place can
//! be taken apart again, and no name is 0, or an error to the kernel.

use crate::sys::page::PAGE_SIZE;
use std::ptr::NonNull;

use self::{
    geometry::{ClassSpec, Geometry},
    handle::{Name, ObjIndex, Place, ANCHOR_ALIGN, MAX_OBJECTS, ZSPAGE_ALIGN},
    zspage::{Zspage, ZspageRef},
};

mod anchor {
    /// Has no size, so that there is one at every address.
    pub(crate) struct Anchor;
}

mod zspage {
    use std::{marker::PhantomData, ptr::NonNull};

    /// As above.
    pub(crate) struct Zspage;

    #[derive(Clone, Copy)]
    pub(crate) struct ZspageRef<'a>(NonNull<Zspage>, PhantomData<&'a Zspage>);

    impl ZspageRef<'_> {
        /// # Safety
        ///
        /// None: nothing is there.
        pub(super) unsafe fn new(zspage: NonNull<Zspage>) -> Self {
            Self(zspage, PhantomData)
        }

        pub(super) fn as_non_null(self) -> NonNull<Zspage> {
            self.0
        }
    }
}

#[path = "../../../src/zsmalloc/fullness.rs"]
mod fullness;
#[path = "../../../src/zsmalloc/geometry.rs"]
mod geometry;
#[path = "../../../src/zsmalloc/handle.rs"]
mod handle;

/// The least of the integers that are errors: `IS_ERR_VALUE()`.
const FIRST_ERROR: usize = 4095_usize.wrapping_neg();

/// The least address of memory of the kernel, for each size of its half of the address space: x86_64
/// has 47 and 56 bits of it, arm64 from 39 to 52.
fn lowest() -> impl Iterator<Item = usize> {
    (39..=56).map(|bits| (1_usize << bits).wrapping_neg())
}

/// Addresses of memory of the kernel: both ends of it, its middle, and what is next to them.
fn addresses(align: usize) -> impl Iterator<Item = usize> {
    lowest().flat_map(move |lowest| {
        let size = lowest.wrapping_neg();
        [0, size / 2, size - 4096 * align]
            .map(|at| lowest + at)
            .into_iter()
            .flat_map(move |at| [at, at + align, at + 5 * align, at + 4095 * align])
    })
}

/// A class that has as many objects as there may be.
fn largest() -> ClassSpec {
    Geometry::new(PAGE_SIZE, 16)
        .all_classes()
        .max_by_key(ClassSpec::objects)
        .expect("there are classes")
}

fn indices(spec: &ClassSpec) -> impl Iterator<Item = ObjIndex> + '_ {
    (0..spec.objects()).map(|index| ObjIndex::new(index, spec).expect("an object"))
}

#[test]
fn names_are_neither_nothing_nor_errors() {
    let spec = largest();
    let mut refused = 0;
    for address in addresses(ANCHOR_ALIGN) {
        if !Name::fits(address) {
            // Only at the very end, where errors are.
            assert!(address >= (2 * ANCHOR_ALIGN).wrapping_neg(), "{address:#x}");
            refused += 1;
            continue;
        }
        let anchor = NonNull::new(address as *mut anchor::Anchor).expect("an address");
        for index in indices(&spec) {
            let name = Name::new(anchor, index);
            let raw = name.into_raw();
            assert!(raw != 0 && raw < FIRST_ERROR, "{raw:#x}");
            assert_eq!(Name::from_raw(raw), Some(name));
            assert_eq!(name.index(), index);
            // SAFETY: There is nothing at the address that could be missing.
            let found = unsafe { name.anchor() };
            assert_eq!(std::ptr::from_ref(found) as usize, address);
        }
    }
    assert!(refused > 0, "the end of the address space was not tried");
}

/// What is no address of the kernel, or would make a name of 0 or an error.
#[test]
fn anchors_that_do_not_fit_are_refused() {
    let end = ANCHOR_ALIGN.wrapping_neg();
    let unaligned = (1..ANCHOR_ALIGN).map(|at| lowest().last().expect("one") + at);
    let foreign = (57..64).flat_map(|bit| [1 << bit, (1 << bit) - ANCHOR_ALIGN]);
    let bad = [0, end].into_iter().chain(unaligned).chain(foreign);
    for address in bad {
        // Below bit 56 an address of a process has a name as good as any.
        let as_if_of_the_kernel = address < 1 << 56;
        assert!(
            !Name::fits(address) || (as_if_of_the_kernel && address != 0),
            "{address:#x}"
        );
    }
}

#[test]
fn places_are_taken_apart_again() {
    let spec = largest();
    for address in addresses(ZSPAGE_ALIGN) {
        let zspage = NonNull::new(address as *mut Zspage).expect("an address");
        for index in indices(&spec) {
            // SAFETY: There is nothing at the address that could be missing.
            let place = Place::new(unsafe { ZspageRef::new(zspage) }, index);
            let raw = place.into_raw();
            assert_eq!(raw & 1, 1, "the tag");
            assert!(Place::from_raw(raw) == Some(place));
            assert!(Place::from_raw(raw - 1).is_none(), "without its tag");
            // SAFETY: As above.
            let location = unsafe { place.open() };
            assert_eq!(location.zspage.as_non_null(), zspage);
            assert_eq!(location.index, index);
            assert!(location.place() == place);
        }
    }
}

/// What a name has room for is what there are.
#[test]
fn every_object_has_an_index() {
    for chain_size in 4..=16 {
        for spec in Geometry::new(PAGE_SIZE, chain_size).all_classes() {
            assert!(spec.objects() <= MAX_OBJECTS);
            assert!(ObjIndex::new(spec.objects(), &spec).is_none());
        }
    }
}
