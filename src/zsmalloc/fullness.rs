// SPDX-License-Identifier: GPL-2.0

//! Fullness groups: zspages of a class, sorted by how much of them is in use, so that allocation
//! finds the fullest with room and compaction the emptiest.

/// Number of groups that a zspage with objects can be in.
pub(crate) const GROUPS: usize = Fullness::ALL.len();

/// How full a zspage is (`enum fullness_group`, less `ZS_INUSE_RATIO_0`, in which no zspage of ours
/// ever is).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fullness {
    Below10,
    Below20,
    Below30,
    Below40,
    Below50,
    Below60,
    Below70,
    Below80,
    Below90,
    Below100,
    Full,
}

impl Fullness {
    /// All groups, by the tenths that are in use, rounded down.
    pub(crate) const ALL: [Self; 11] = [
        Self::Below10,
        Self::Below20,
        Self::Below30,
        Self::Below40,
        Self::Below50,
        Self::Below60,
        Self::Below70,
        Self::Below80,
        Self::Below90,
        Self::Below100,
        Self::Full,
    ];

    /// Position in [`Self::ALL`].
    #[inline]
    pub(crate) fn slot(self) -> usize {
        self as usize
    }
}

/// From how many objects in use a zspage is in each group: `⌈group · objects / 10⌉`, so that no division
/// is left for the time that the class lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds([u16; GROUPS]);

impl Thresholds {
    /// Those of zspages of so many objects.
    pub(crate) fn new(objects: u16) -> Self {
        let mut thresholds = [0; GROUPS];
        for (tenths, threshold) in (0..).zip(&mut thresholds) {
            *threshold = u32::from(objects).wrapping_mul(tenths).div_ceil(10) as u16;
        }
        Self(thresholds)
    }

    /// The group of a zspage with so many objects in use (`get_fullness_group()`); `None` without any.
    /// Found at once if it is `last`, or the one beside it.
    #[inline]
    pub(crate) fn group(&self, inuse: u16, last: Fullness) -> Option<Fullness> {
        if inuse == 0 {
            return None;
        }
        let mut group = last.slot();
        while self.0.get(group).is_some_and(|&from| inuse < from) {
            group = group.saturating_sub(1);
        }
        while self
            .0
            .get(group.wrapping_add(1))
            .is_some_and(|&from| inuse >= from)
        {
            group = group.wrapping_add(1);
        }
        Fullness::ALL.get(group).copied()
    }
}

/// Which groups have zspages: a bit each, so that the fullest and the emptiest are found at once.
#[derive(Clone, Copy, Default)]
pub(crate) struct GroupMask(u16);

impl GroupMask {
    /// The bit of a group.
    #[inline]
    fn bit(group: Fullness) -> u16 {
        1 << group as u8
    }

    /// The same, with `group` having zspages, or not.
    #[inline]
    pub(crate) fn with(self, group: Fullness, occupied: bool) -> Self {
        if occupied {
            Self(self.0 | Self::bit(group))
        } else {
            Self(self.0 & !Self::bit(group))
        }
    }

    /// The groups with room for an object.
    #[inline]
    fn with_room(self) -> u16 {
        self.0 & !Self::bit(Fullness::Full)
    }

    /// The fullest group with zspages and room.
    #[inline]
    pub(crate) fn fullest_with_room(self) -> Option<Fullness> {
        let slot = self.with_room().checked_ilog2()?;
        Fullness::ALL.get(slot as usize).copied()
    }

    /// The groups with zspages and room, the emptiest first.
    pub(crate) fn emptiest_first(self) -> impl DoubleEndedIterator<Item = Fullness> {
        let occupied = self.with_room();
        Fullness::ALL
            .into_iter()
            .filter(move |&group| occupied & Self::bit(group) != 0)
    }

    /// The same as far as they are no fuller than `most`, the fullest first.
    pub(crate) fn fullest_first(self, most: Fullness) -> impl Iterator<Item = Fullness> {
        let groups = self.emptiest_first().rev();
        groups.filter(move |group| group.slot() <= most.slot())
    }
}
