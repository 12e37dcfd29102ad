// SPDX-License-Identifier: GPL-2.0

//! Where compaction moves the objects of a zspage to.
//!
//! As few zspages as possible, since each has to have origins from then on: one of the fullest that have
//! room for all objects or, if none has, up to [`MAX_TARGETS`] of those that have the most room.

use super::{
    class::{ClassGuard, ListedZspage},
    origins::{origins_bytes, OriginsRef},
};
use crate::sys::alloc::{Memory, NoMemory};

/// Zspages that the objects of one may go to.
pub(super) const MAX_TARGETS: usize = 8;

/// One of them.
struct Target<'g> {
    zspage: ListedZspage<'g>,
    /// Bytes that its origins have to have, if they have no room as they are; 0 otherwise.
    needed: usize,
}

impl<'g> Target<'g> {
    /// `zspage`, which takes `share` objects.
    fn new(zspage: ListedZspage<'g>, share: usize) -> Self {
        let spec = zspage.zspage().spec();
        let needed = match zspage.parts().origins() {
            Some(origins) if origins.room() >= share => 0,
            Some(origins) => origins_bytes(spec, origins.count().saturating_add(share)),
            None => origins_bytes(spec, share),
        };
        Self { zspage, needed }
    }

    /// Bytes of its origins, if they are replaced.
    fn replaced(&self) -> usize {
        match self.zspage.parts().origins() {
            Some(origins) if self.needed > 0 => origins.bytes(),
            _ => 0,
        }
    }

    /// Gives it origins with more room.
    fn give_origins(&self, memory: Memory) {
        let parts = self.zspage.parts();
        let class = self.zspage.guard().class();
        let old = parts.origins();
        let new = OriginsRef::init(memory, class.spec());
        parts.set_origins(Some(new));
        let stats = &class.stats().origins_bytes;
        if let Some(new) = parts.origins() {
            stats.add(new.bytes());
            if let Some(old) = old {
                new.take_from(old);
            }
        }
        if let Some(old) = old {
            stats.sub(old.bytes());
            // SAFETY: The zspage has others.
            unsafe { old.free() };
        }
    }
}

/// The zspages that objects are moved to.
pub(super) struct Targets<'g>([Option<Target<'g>>; MAX_TARGETS]);

impl<'g> Targets<'g> {
    /// Picks zspages that together have room for all objects of `source`. `None` if so few have not.
    pub(super) fn pick(guard: &'g ClassGuard<'_>, source: &ListedZspage<'_>) -> Option<Self> {
        let mut left = usize::from(source.slots().inuse());
        let other = |zspage: &ListedZspage<'_>| !zspage.zspage().is(source.zspage());
        let mut targets = Self([const { None }; MAX_TARGETS]);

        let mut fullest = guard.fullest_of_each_group(left).filter(other);
        if let Some(zspage) = fullest.find(|zspage| zspage.free_slots() >= left) {
            if let Some(first) = targets.0.first_mut() {
                *first = Some(Target::new(zspage, left));
            }
            return Some(targets);
        }
        for (target, zspage) in targets.0.iter_mut().zip(guard.emptiest().filter(other)) {
            let share = left.min(zspage.free_slots());
            left = left.saturating_sub(share);
            *target = Some(Target::new(zspage, share));
            if left == 0 {
                return Some(targets);
            }
        }
        None
    }

    /// Those that there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ListedZspage<'g>> {
        self.0.iter().flatten().map(|target| &target.zspage)
    }

    /// By how much their origins have to grow, in bytes, to have room for all names.
    pub(super) fn names_bytes(&self) -> usize {
        let targets = self.0.iter().flatten();
        targets.fold(0, |bytes, target| {
            bytes
                .saturating_add(target.needed)
                .saturating_sub(target.replaced())
        })
    }

    /// Gives each the origins that it needs, or none of them any.
    pub(super) fn make_room(&self) -> Result<(), NoMemory> {
        let mut origins = [const { None }; MAX_TARGETS];
        for (memory, target) in origins.iter_mut().zip(self.0.iter().flatten()) {
            *memory = Memory::alloc_some(target.needed)?;
        }
        for (memory, target) in origins.into_iter().zip(self.0.iter().flatten()) {
            if let Some(memory) = memory {
                target.give_origins(memory);
            }
        }
        Ok(())
    }

    /// Puts each on the list that its fullness asks for now.
    pub(super) fn fix_fullness(self) {
        for target in self.0.into_iter().flatten() {
            target.zspage.fix_fullness();
        }
    }
}
