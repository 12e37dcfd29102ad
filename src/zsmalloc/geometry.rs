// SPDX-License-Identifier: GPL-2.0

//! How sizes become classes, and classes zspages: the arithmetic of `mm/zsmalloc.c`, to the letter,
//! so that a set of sizes needs no more pages here than there. Only the way from a request to its class
//! differs: C adds a header of 8 bytes to each object but the huge ones, we add nothing.
//!
//! The numbers of a class have types of 16 and 32 bits: products of two of them cannot overflow a
//! `usize`, which the compiler sees, so that no overflow check is left on the way of an allocation.

use super::fullness::{Fullness, Thresholds};
use core::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};

/// Size of the smallest class (`ZS_MIN_ALLOC_SIZE`, which is 32 wherever a long has 64 bits).
const MIN_CLASS_SIZE: NonZeroU32 = match NonZeroU32::new(32) {
    Some(size) => size,
    None => panic!(),
};

/// log2 of the number of classes, less the one or two more that rounding adds (`CLASS_BITS`).
const CLASS_BITS: u32 = 8;

/// Most pages of a zspage (`CONFIG_ZSMALLOC_CHAIN_SIZE` at its highest).
const MAX_CHAIN_SIZE: usize = 16;

/// Most objects that a zspage can have, with pages of that size: those of the smallest class whose
/// zspages have more than one page or, in one page, of the smallest.
pub(crate) const fn most_objects(page_size: usize) -> usize {
    let smallest = MIN_CLASS_SIZE.get() as usize;
    let second = smallest + (page_size >> CLASS_BITS);
    let (of_one, of_many) = (page_size / smallest, MAX_CHAIN_SIZE * page_size / second);
    if of_one > of_many {
        of_one
    } else {
        of_many
    }
}

/// Most classes before merging, at any page size: 255 at 4K, 257 at 16K and 64K.
pub(crate) const MAX_CLASSES: usize = (1 << CLASS_BITS) + 1;

/// Bits in a word of the bitmap of a zspage.
pub(crate) const WORD_BITS: usize = usize::BITS as usize;

/// What a class is: fixed when the pool is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassSpec {
    index: u16,
    pages: u16,
    bitmap_words: u16,
    size: NonZeroU32,
    objects: NonZeroU16,
    thresholds: Thresholds,
}

impl ClassSpec {
    /// Index before merging (`size_class->index`); merged classes have the largest of theirs.
    pub(crate) fn index(&self) -> usize {
        usize::from(self.index)
    }

    /// Bytes of an object (`size_class->size`).
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size.get() as usize
    }

    /// Pages of a zspage (`pages_per_zspage`).
    #[inline]
    pub(crate) fn pages(&self) -> usize {
        usize::from(self.pages)
    }

    /// Objects of a zspage (`objs_per_zspage`).
    #[inline]
    pub(crate) fn objects(&self) -> usize {
        usize::from(self.objects.get())
    }

    /// The group of a zspage with `inuse` objects; `None` without any. Its group was `last`.
    #[inline]
    pub(crate) fn fullness(&self, inuse: u16, last: Fullness) -> Option<Fullness> {
        self.thresholds.group(inuse, last)
    }

    /// How many zspages `objects` objects fill.
    pub(crate) fn zspages_filled_by(&self, objects: usize) -> usize {
        objects / NonZeroUsize::from(self.objects)
    }

    /// Words of a zspage's bitmap.
    #[inline]
    pub(crate) fn bitmap_words(&self) -> usize {
        usize::from(self.bitmap_words)
    }

    /// Whether this class shares the zspages of the next `larger` one (`can_merge()`).
    pub(crate) fn can_merge(&self, larger: &ClassSpec) -> bool {
        larger.pages == self.pages && larger.objects == self.objects
    }
}

/// The arithmetic for one page size and one chain size.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    page_size: u32,
    chain_size: u16,
}

impl Geometry {
    /// Geometry for zspages of at most `chain_size` pages of `page_size` bytes, a power of two of at
    /// least 4K and at most 64K.
    pub(crate) const fn new(page_size: usize, chain_size: usize) -> Self {
        Self {
            page_size: page_size as u32,
            chain_size: chain_size as u16,
        }
    }

    /// log2 of the bytes between the sizes of two classes (of `ZS_SIZE_CLASS_DELTA`).
    #[inline]
    const fn delta_shift(&self) -> u32 {
        self.page_size.trailing_zeros().saturating_sub(CLASS_BITS)
    }

    /// `bytes / ZS_SIZE_CLASS_DELTA`, rounded up.
    #[inline]
    const fn deltas(&self, bytes: usize) -> usize {
        let delta = 1usize.wrapping_shl(self.delta_shift());
        bytes
            .saturating_add(delta.wrapping_sub(1))
            .wrapping_shr(self.delta_shift())
    }

    /// Number of classes before merging (`ZS_SIZE_CLASSES`).
    #[inline]
    pub(crate) const fn classes(&self) -> usize {
        let span = self.page_size.saturating_sub(MIN_CLASS_SIZE.get());
        self.deltas(span as usize).saturating_add(1)
    }

    /// Index, before merging, of the class for objects of `size` bytes
    /// (`get_size_class_index()`). Less than `classes()`, whatever the size.
    #[inline]
    pub(crate) fn class_index(&self, size: usize) -> usize {
        let above = size.saturating_sub(MIN_CLASS_SIZE.get() as usize);
        self.deltas(above).min(self.classes().saturating_sub(1))
    }

    /// All classes before merging, the largest first.
    pub(crate) fn all_classes(self) -> impl Iterator<Item = ClassSpec> {
        (0..self.classes())
            .rev()
            .map(move |index| self.class(index))
    }

    /// Number of classes after merging.
    pub(crate) fn distinct_classes(self) -> usize {
        let mut larger = None;
        let mut distinct: usize = 0;
        for class in self.all_classes() {
            if !larger.is_some_and(|larger| class.can_merge(&larger)) {
                distinct = distinct.saturating_add(1);
                larger = Some(class);
            }
        }
        distinct
    }

    /// The class of that index, before merging.
    pub(crate) fn class(&self, index: usize) -> ClassSpec {
        let index = index.min(MAX_CLASSES) as u16;
        let above = u32::from(index).wrapping_shl(self.delta_shift());
        // The largest class is that of a page.
        let above = above.min(self.page_size.saturating_sub(MIN_CLASS_SIZE.get()));
        let size = MIN_CLASS_SIZE.saturating_add(above);
        let pages = self.pages_per_zspage(size);
        let objects = self.bytes(pages) / NonZeroU64::from(size);
        let objects = NonZeroU16::new(objects as u16).unwrap_or(NonZeroU16::MIN);
        ClassSpec {
            index,
            pages,
            bitmap_words: objects.get().div_ceil(WORD_BITS as u16),
            size,
            objects,
            thresholds: Thresholds::new(objects.get()),
        }
    }

    /// Bytes of so many pages.
    fn bytes(&self, pages: u16) -> u64 {
        u64::from(pages) * u64::from(self.page_size)
    }

    /// How many pages waste least at their end (`calculate_zspage_chain_size()`).
    fn pages_per_zspage(&self, size: NonZeroU32) -> u16 {
        if size.is_power_of_two() {
            return 1;
        }

        let mut best = 1;
        let mut least = u64::MAX;
        for pages in 1..=self.chain_size {
            let waste = self.bytes(pages) % NonZeroU64::from(size);
            if waste < least {
                least = waste;
                best = pages;
            }
        }
        best
    }

    /// Smallest size that takes a page by itself (`zs_huge_class_size()`): it is derived from the
    /// largest class that has more than one page and more than one object.
    pub(crate) fn huge_class_size(&self) -> usize {
        self.all_classes()
            .find(|class| class.pages() != 1 && class.objects() != 1)
            .map_or(0, |class| class.size().saturating_add(1))
    }
}
