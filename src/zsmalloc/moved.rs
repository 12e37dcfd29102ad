// SPDX-License-Identifier: GPL-2.0

//! Objects that compaction has moved: moving them, freeing them, and keeping small what is remembered of
//! them.
//!
//! For each of them there is the name, in the origins of the zspage that it is in, and the place, in the
//! table of the name's anchor (or in the anchor itself): as it is written here, each leads to the other
//! whenever the class lock is free.

use super::{
    anchor::State,
    bitmap::set_bits,
    class::{ClassGuard, ListedZspage, WriteLockedZspage},
    handle::{Name, ObjIndex, Place},
    stats::Event,
    table::{table_bytes, NewTable, TableRef},
    targets::Targets,
};
use crate::sys::{
    alloc::{Memory, NoMemory},
    warn::warn_once,
};

impl ListedZspage<'_> {
    /// The object `name`, which had been moved to the slot `index` of this zspage, has been freed: with
    /// it the name goes and, if it was the last, the anchor.
    #[cold]
    pub(super) fn forget_moved(&self, index: ObjIndex, name: Name) {
        self.forget_origin(index);
        // SAFETY: The owner of the name has just given it to us.
        let anchor = unsafe { name.anchor() };
        let guard = self.guard();
        let stats = guard.class().stats();
        stats.names_moved.sub(1);
        guard.class().pool_stats().add(Event::MovedFreed, 1);
        let live = anchor.live().get().saturating_sub(1);
        anchor.live().set(live);

        // SAFETY: We hold the class lock as long as `self` is there.
        let state = unsafe { anchor.state() };
        if let State::Moved(table) = state {
            table.clear(name.index());
            if live == 0 {
                guard.unlist_table(table);
                stats.tables_bytes.sub(table.bytes());
                // SAFETY: Only owners of names look into it, and no name is in use.
                unsafe { table.free() };
            } else if usize::from(live).saturating_mul(2) <= table.names() {
                guard.list_sparse(table);
            }
        }
        if live == 0 {
            stats.anchors_moved.sub(1);
            // SAFETY: None of its names is in use, and the zspage that it had is gone.
            unsafe { guard.class().anchors().free(name.anchor_address()) };
        }
    }

    /// Forgets the name of the object in a slot that is given back.
    fn forget_origin(&self, index: ObjIndex) {
        let origins = self.parts().origins();
        if origins.and_then(|origins| origins.remove(index)).is_none() {
            warn_once!(c"an object that was moved here without a name");
        }
        if origins.is_some_and(|origins| origins.count() == 0) {
            self.drop_origins();
        }
    }

    /// Frees the origins of the zspage, if it has any.
    fn drop_origins(&self) {
        if let Some(origins) = self.parts().origins() {
            self.parts().set_origins(None);
            let stats = self.guard().class().stats();
            stats.origins_bytes.sub(origins.bytes());
            // SAFETY: The zspage does not lead to them any more.
            unsafe { origins.free() };
        }
    }

    /// Forgets the names of objects that have left, of which some are still here.
    #[cold]
    fn drop_stale_origins(&self) {
        let Some(origins) = self.parts().origins() else {
            return;
        };
        for (number, used) in (0..).zip(self.parts().bitmap()) {
            for bit in set_bits(origins.bits(number) & !used.get()) {
                origins.remove(ObjIndex::of_bit(number, bit));
            }
        }
        if origins.count() == 0 {
            self.drop_origins();
        }
    }

    /// Objects in use that were born here.
    pub(super) fn natives(&self) -> usize {
        let foreign = self.parts().origins().map_or(0, |origins| origins.count());
        usize::from(self.slots().inuse()).saturating_sub(foreign)
    }

    /// The same, if the bitmap, the origins and the anchor agree on it: unless memory has been
    /// overwritten, they do.
    pub(super) fn checked_natives(&self) -> Option<usize> {
        let natives = self.natives();
        let words = 0..self.parts().bitmap().len();
        let bits = words.map(|number| self.native_bits(number).count_ones() as usize);
        let agree = bits.fold(0, usize::saturating_add) == natives
            && (natives == 0 || self.parts().anchor().is_some());
        if !agree {
            warn_once!(c"a zspage whose objects are not those that it counts");
        }
        agree.then_some(natives)
    }

    /// The bits of word `number` of a bitmap of the objects in use that were born here.
    fn native_bits(&self, number: usize) -> usize {
        let used = self
            .parts()
            .bitmap()
            .get(number)
            .map_or(0, |bits| bits.get());
        let origins = self.parts().origins();
        used & !origins.map_or(0, |origins| origins.bits(number))
    }

    /// The name of the object in a slot that is in use, and whether it was moved there.
    pub(super) fn name_of(&self, index: ObjIndex) -> Option<(Name, bool)> {
        match self
            .parts()
            .origins()
            .and_then(|origins| origins.get(index))
        {
            Some(name) => Some((name, true)),
            None => Some((Name::new(self.parts().anchor()?, index), false)),
        }
    }
}

impl WriteLockedZspage<'_> {
    /// Moves all objects to `targets`, which together have room for them, and for their names. `table`
    /// has the size that [`table_bytes`] says for [`ListedZspage::checked_natives`]. Returns how many
    /// objects were moved.
    ///
    /// No object is mapped; whoever wants to map one waits for our lock, and finds its new place after
    /// it. Nothing fails, unless memory has been overwritten, so that targets have less room than they
    /// count: then the objects that were born here stay, and the slots that some of them had been copied
    /// to are lost.
    pub(super) fn move_all(&self, table: Option<Memory>, targets: &Targets<'_>) -> usize {
        let source = self.listed();
        let anchor = source.parts().anchor();
        let words = 0..source.parts().bitmap().len();
        let native_bits = words.map(|number| source.native_bits(number));
        let table = table
            .zip(anchor)
            .and_then(|(memory, anchor)| NewTable::new(memory, anchor, native_bits));
        let mut homes = Homes {
            table,
            only: None,
            count: 0,
        };

        let mut moved: usize = 0;
        for index in source.used_slots() {
            let copied = source.name_of(index).and_then(|(name, again)| {
                let place = source.copy_to_one_of(targets, index, name)?;
                Some((name, again, place))
            });
            let Some((name, again, place)) = copied else {
                warn_once!(c"no room for an object that is moved");
                homes.discard();
                source.drop_stale_origins();
                return moved;
            };
            if again {
                source.point_at(name, place);
                source.put_slot(index);
            } else {
                homes.push(index, place);
            }
            moved = moved.saturating_add(1);
        }
        source.leave(homes);
        source.drop_origins();
        moved
    }
}

/// Where the objects that were born in a zspage have been copied to.
struct Homes<'a> {
    table: Option<NewTable<'a>>,
    only: Option<(ObjIndex, Place)>,
    /// How many they are.
    count: u16,
}

impl Homes<'_> {
    /// The next object is at `place`, the lowest first.
    fn push(&mut self, index: ObjIndex, place: Place) {
        self.count = self.count.wrapping_add(1);
        match &self.table {
            Some(table) => table.push(place),
            None => self.only = Some((index, place)),
        }
    }

    fn discard(self) {
        if let Some(table) = self.table {
            table.discard();
        }
    }
}

impl ListedZspage<'_> {
    /// Copies the object `name`, which is in slot `index`, to a free slot of one of `targets`, and
    /// records its name there (`zs_object_copy()`).
    fn copy_to_one_of(&self, targets: &Targets<'_>, index: ObjIndex, name: Name) -> Option<Place> {
        let from = self.object(index)?;
        targets.iter().find_map(|target| {
            let origins = target.parts().origins().filter(|names| names.room() > 0)?;
            let free = target.take_slot()?;
            let Some(to) = target.object(free).filter(|_| origins.insert(free, name)) else {
                target.put_slot(free);
                return None;
            };
            // SAFETY: Nobody has the one object mapped, and nobody knows of the other, which is in a
            // slot that was free. So they are different, and do not overlap.
            unsafe { to.copy_from(&from) };
            Some(Place::new(target.zspage(), free))
        })
    }

    /// An object that had been moved before is at `place` now. Its zspage is locked alone.
    fn point_at(&self, name: Name, place: Place) {
        // SAFETY: The object is in use, and is not freed without the class lock, which we hold.
        let (anchor, state) = unsafe { (name.anchor(), name.anchor().state()) };
        match state {
            State::Moved(table) => table.set(name.index(), place),
            State::MovedOne(_) if anchor.is_only(name.index()) => {
                anchor.set_only(name.index(), place);
            }
            _ => warn_once!(c"an object that was moved has an anchor that says it was not"),
        }
        self.guard().class().pool_stats().add(Event::MovedAgain, 1);
    }

    /// The objects that were born here are where `homes` says. Their anchor goes with them.
    fn leave(&self, homes: Homes<'_>) {
        let natives = homes.count;
        let Some(anchor) = self.parts().anchor().filter(|_| natives > 0) else {
            homes.discard();
            return;
        };
        let stats = self.guard().class().stats();
        // SAFETY: The zspage has it, and we have the zspage.
        let anchor = unsafe { anchor.as_ref() };
        anchor.live().set(natives);
        match (homes.table, homes.only) {
            (Some(table), _) => {
                stats.tables_bytes.add(table.bytes());
                anchor.set_table(table.into_raw());
            }
            (None, Some((index, place))) => anchor.set_only(index, place),
            (None, None) => return,
        }
        self.parts().take_anchor();
        anchor.leave_to_names();
        stats.anchors_moved.add(1);
        stats.names_moved.add(usize::from(natives));
        self.put_all_slots();
    }

    /// Whether the object in a slot was moved there.
    #[inline]
    pub(super) fn is_foreign(&self, index: ObjIndex) -> bool {
        let origins = self.parts().origins();
        origins.is_some_and(|origins| origins.is_foreign(index))
    }
}

impl ClassGuard<'_> {
    /// Makes one table smaller, if there is one of which at most half is in use; whether there was.
    pub(super) fn repack(&self) -> Result<bool, NoMemory> {
        let Some(table) = self.sparse_tables().first() else {
            return Ok(false);
        };
        // SAFETY: What is listed is alive, and we hold the class lock.
        let (table, anchor) = unsafe {
            let table = TableRef::new(table);
            (table, table.anchor().as_ref())
        };
        let live = usize::from(anchor.live().get());
        let bytes = table_bytes(self.class().spec(), live);
        let stats = self.class().stats();
        if bytes == 0 {
            let mut names = table.live_names();
            let (Some((index, place)), None) = (names.next(), names.next()) else {
                warn_once!(c"a table whose names are not those that are counted");
                return Ok(false);
            };
            anchor.set_only(index, place);
        } else {
            let memory = Memory::alloc(bytes)?;
            let Some(new) = NewTable::new(memory, table.anchor(), table.live_bitmap()) else {
                warn_once!(c"no room for the names of a table");
                return Ok(false);
            };
            for (_, place) in table.live_names() {
                new.push(place);
            }
            stats.tables_bytes.add(new.bytes());
            anchor.set_table(new.into_raw());
        }
        self.unlist_table(table);
        stats.tables_bytes.sub(table.bytes());
        self.class().pool_stats().add(Event::TablesRepacked, 1);
        // SAFETY: The anchor leads elsewhere. Map may be looking into the table.
        unsafe { table.free_deferred() };
        Ok(true)
    }

    /// Puts a table on the list of those of which at most half is in use, if it is not there.
    fn list_sparse(&self, table: TableRef<'_>) {
        if !table.listed().replace(true) {
            // SAFETY: It was on no list; whoever frees it removes it first.
            unsafe { self.sparse_tables().push(table.as_non_null()) };
        }
    }

    /// Takes a table off that list, if it is there.
    fn unlist_table(&self, table: TableRef<'_>) {
        if table.listed().replace(false) {
            // SAFETY: It was on the list.
            unsafe { self.sparse_tables().remove(table.as_non_null()) };
        }
    }
}
