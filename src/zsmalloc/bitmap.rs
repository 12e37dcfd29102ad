// SPDX-License-Identifier: GPL-2.0

//! Bitmaps: a bit for each slot of a zspage, or for each name of its anchor.

use super::{
    geometry::WORD_BITS,
    handle::{ObjIndex, MAX_OBJECTS},
};
use core::mem;

/// Bytes of a word.
pub(super) const WORD: usize = mem::size_of::<usize>();

/// The bit of an object: which word, and its mask.
#[inline]
pub(super) fn bit(index: ObjIndex) -> (usize, usize) {
    (index.get() / WORD_BITS, 1 << (index.get() % WORD_BITS))
}

/// The bits that are set in a word, the lowest first.
#[inline]
pub(super) fn set_bits(word: usize) -> impl Iterator<Item = usize> {
    let rest = |&word: &usize| Some(word & word.wrapping_sub(1));
    core::iter::successors(Some(word), rest)
        .take_while(|&word| word != 0)
        .map(|word| word.trailing_zeros() as usize)
}

/// The objects whose bits are set, the lowest first.
#[inline]
pub(super) fn objects(bitmap: impl Iterator<Item = usize>) -> impl Iterator<Item = ObjIndex> {
    // By a range, which has a check for overflow nowhere: the iterator's own count has one.
    (0..MAX_OBJECTS / WORD_BITS)
        .zip(bitmap)
        .flat_map(|(word, bits)| set_bits(bits).map(move |bit| ObjIndex::of_bit(word, bit)))
}

/// How many bits are set before that of an object.
pub(super) fn rank(bitmap: impl Iterator<Item = usize>, index: ObjIndex) -> usize {
    let (word, mask) = bit(index);
    let before = |number: usize| match number == word {
        true => mask.wrapping_sub(1),
        false => usize::MAX,
    };
    let words = (0..=word).zip(bitmap);
    words.fold(0, |rank, (number, bits)| {
        rank.wrapping_add((bits & before(number)).count_ones() as usize)
    })
}
