// SPDX-License-Identifier: GPL-2.0

//! Faults that are put into a copy of the sources, each behind a switch, to see that the models find
//! them. Used by `build.rs`, which makes the copy, and by `tests/mutants.rs`, which runs it.

/// A fault.
pub struct Mutant {
    /// Its name, and that of its switch.
    pub name: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
    /// Whether it is one. Otherwise it is said in `what` why it makes no difference, and that the
    /// models find none is what is tested.
    pub harmful: bool,
    /// The models (`model/pairs.rs`) that have to find it.
    pub models: &'static [&'static str],
    /// What has to find it on a debug kernel, a command below `tests/`; or why nothing there can.
    pub guest: Result<&'static str, &'static str>,
    pub edits: &'static [Edit],
}

/// A change of a place in the sources, whose text occurs once.
pub struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// Everything at once, with delays that widen the races.
const TORTURE: &str = "torture/run --rounds 6 --length 15 --seed 1";

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "clear-mapping",
        what: "the mapping is cleared on free, without the page lock",
        harmful: true,
        models: &["free_of_the_last_object_against_migrate"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[Edit {
            file: "sys/page.c",
            from: "	raced = !page_ref_freeze(page, 1);\n",
            to: "	if (host_mutant(\"clear-mapping\")) {\n\
                     		WRITE_ONCE(page->mapping, 0);\n\
                     		put_page(page);\n\
                     		return false;\n\
                     	}\n\
                     	raced = !page_ref_freeze(page, 1);\n",
        }],
    },
    Mutant {
        name: "only-synchronize-rcu",
        what: "teardown does not wait for queued callbacks",
        harmful: true,
        models: &["two_frees_that_empty_a_zspage"],
        guest: Ok("guest/run zpool-stress"),
        edits: &[Edit {
            file: "sys/shim.c",
            from: "	rcu_barrier();\n",
            to: "	if (!host_mutant(\"only-synchronize-rcu\"))\n		rcu_barrier();\n",
        }],
    },
    Mutant {
        name: "only-rcu-barrier",
        what: "teardown does not wait for readers: as the allocator is, every reader that holds a \
               zspage holds up the callback of that zspage, and so rcu_barrier()",
        harmful: false,
        models: &["teardown_against_migrate", "unload_against_migrate"],
        guest: Err("makes no difference, see above"),
        edits: &[Edit {
            file: "sys/shim.c",
            from: "	synchronize_rcu();\n",
            to: "	if (!host_mutant(\"only-rcu-barrier\"))\n		synchronize_rcu();\n",
        }],
    },
    Mutant {
        name: "no-unlisted-check",
        what: "pages of a zspage that is being freed are migrated",
        harmful: true,
        models: &["free_of_the_last_object_against_migrate"],
        guest: Ok(TORTURE),
        edits: &[Edit {
            file: "zsmalloc/class.rs",
            from: "if parts.slots().membership.get() == Membership::Unlisted {",
            to: "if !crate::mutant(\"no-unlisted-check\") \
                     && parts.slots().membership.get() == Membership::Unlisted {",
        }],
    },
    Mutant {
        name: "no-second-look",
        what: "map believes the anchor that it read before it had the lock of the zspage",
        harmful: true,
        models: &["map_against_compact"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/pin.rs",
                from: "if anchor.is_still(seen) {",
                to: "if crate::mutant(\"no-second-look\") || anchor.is_still(seen) {",
        }],
    },
    Mutant {
        name: "no-second-look-at-entry",
        what: "map believes the entry of a table that it read before it had the lock of the zspage",
        harmful: true,
        models: &["map_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/anchor.rs",
                from: "Some((entry, raw)) => entry.load(Ordering::Acquire) == raw,",
                to: "Some((entry, raw)) => {
                    crate::mutant(\"no-second-look-at-entry\") || entry.load(Ordering::Acquire) == raw
                }",
        }],
    },
    Mutant {
        name: "no-second-look-at-anchor",
        what: "map looks a second time at the entry only, which may be that of a table that has \
               been replaced",
        harmful: true,
        models: &["map_against_repack_and_second_move"],
        guest: Err(
            "a table would have to be replaced, and the object moved, while one map waits for a \
             lock",
        ),
        edits: &[Edit {
                file: "zsmalloc/anchor.rs",
                from: "self.word.load(Ordering::Acquire) == seen.word",
                to: "(crate::mutant(\"no-second-look-at-anchor\") && seen.entry.is_some()
            || self.word.load(Ordering::Acquire) == seen.word)",
        }],
    },
    Mutant {
        name: "entry-before-anchor",
        what: "the second look begins with the entry: with the lock of the zspage held no object \
               leaves it, so that what is true at the first load still is at the second; a table \
               that an anchor leads to at the second was not replaced before the first",
        harmful: false,
        models: &["map_against_repack_and_second_move", "map_against_second_move"],
        guest: Err("makes no difference, see above"),
        edits: &[Edit {
                file: "zsmalloc/anchor.rs",
                from: "    pub(super) fn is_still(&self, seen: &Seen<'_>) -> bool {
",
                to: "    pub(super) fn is_still(&self, seen: &Seen<'_>) -> bool {
        if crate::mutant(\"entry-before-anchor\") {
            if let Some((entry, raw)) = seen.entry {
                return entry.load(Ordering::Acquire) == raw
                    && seen.word == self.word.load(Ordering::Acquire);
            }
        }
",
        }],
    },
    Mutant {
        name: "map-outside-rcu",
        what: "the buffer's lock, under which map looks for the object, is no RCU read section",
        harmful: true,
        models: &["map_against_compact"],
        guest: Err("a grace period would have to end between two instructions"),
        edits: &[
            Edit {
                file: "front/map.rs",
                from: "    let pinned = pool.pin(handle, area.reading())?;
",
                to: "    let reading = area.reading();
    if crate::mutant(\"map-outside-rcu\") {
        crate::host::world().rcu.read_unlock();
    }
    let pinned = pool.pin(handle, reading);
    if crate::mutant(\"map-outside-rcu\") {
        crate::host::world().rcu.read_lock();
    }
    let pinned = pinned?;
",
            },
        ],
    },
    Mutant {
        name: "second-move-not-recorded",
        what: "the table of an object that moves again is left as it is",
        harmful: true,
        models: &["map_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "source.point_at(name, place);",
                to: "if !crate::mutant(\"second-move-not-recorded\") {
                    source.point_at(name, place);
                }",
        }],
    },
    Mutant {
        name: "second-move-of-the-slot",
        what: "an object that moves again is taken for the one named like its slot",
        harmful: true,
        models: &["map_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "source.point_at(name, place);",
                to: "let name = if crate::mutant(\"second-move-of-the-slot\") {
                    Name::new(name.anchor_address(), index)
                } else {
                    name
                };
                source.point_at(name, place);",
        }],
    },
    Mutant {
        name: "table-freed-at-once",
        what: "a table that is replaced is freed without a grace period",
        harmful: true,
        models: &["map_against_repack"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "unsafe { table.free_deferred() };",
                to: "if crate::mutant(\"table-freed-at-once\") {
            unsafe { table.free() };
        } else {
            unsafe { table.free_deferred() };
        }",
        }],
    },
    Mutant {
        name: "table-empty-when-published",
        what: "a table is filled when its anchor leads to it already",
        harmful: true,
        models: &["map_against_repack"],
        guest: Err("map would have to look within a few instructions"),
        edits: &[
            Edit {
                file: "zsmalloc/moved.rs",
                from: "new.push(place);",
                to: "if !crate::mutant(\"table-empty-when-published\") {
                    new.push(place);
                }",
            },
            Edit {
                file: "zsmalloc/moved.rs",
                from: "anchor.set_table(new.into_raw());",
                to: "let raw = new.into_raw();
            anchor.set_table(raw);
            if crate::mutant(\"table-empty-when-published\") {
                for (index, place) in table.live_names() {
                    unsafe { TableRef::new(raw) }.set(index, place);
                }
            }",
            },
        ],
    },
    Mutant {
        name: "freed-table-listed",
        what: "a table that is freed with its last name stays on the list of sparse ones",
        harmful: true,
        models: &["free_of_the_last_name_against_repack"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "guard.unlist_table(table);",
                to: "if !crate::mutant(\"freed-table-listed\") {
                    guard.unlist_table(table);
                }",
        }],
    },
    Mutant {
        name: "anchor-left-behind",
        what: "a zspage that is emptied keeps its anchor, which dies with it",
        harmful: true,
        models: &["map_against_compact_of_two"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "self.parts().take_anchor();",
                to: "if !crate::mutant(\"anchor-left-behind\") {
            self.parts().take_anchor();
        }",
        }],
    },
    Mutant {
        name: "anchor-lost-with-origins",
        what: "origins that go take the anchor of the zspage with them",
        harmful: true,
        models: &["free_against_compact"],
        guest: Ok(TORTURE),
        edits: &[Edit {
            file: "zsmalloc/zspage.rs",
            from: "let address = anchor.map_or(0, |anchor| anchor.as_ptr() as usize);",
            to: "let address = anchor
                    .filter(|_| !crate::mutant(\"anchor-lost-with-origins\"))
                    .map_or(0, |anchor| anchor.as_ptr() as usize);",
        }],
    },
    Mutant {
        name: "anchor-freed-early",
        what: "one name too few is counted when the objects of an anchor move: it is freed while \
               a name is out",
        harmful: true,
        models: &["two_frees_of_the_last_names"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "anchor.live().set(natives);",
                to: "anchor.live().set(natives);
        if crate::mutant(\"anchor-freed-early\") {
            anchor.live().set(natives - 1);
        }",
        }],
    },
    Mutant {
        name: "anchor-leaked",
        what: "one name too many is counted: the anchor outlives its last name",
        harmful: true,
        models: &["free_of_the_last_name_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "anchor.live().set(natives);",
                to: "anchor.live().set(natives);
        if crate::mutant(\"anchor-leaked\") {
            anchor.live().set(natives + 1);
        }",
        }],
    },
    Mutant {
        name: "natives-counted-late",
        what: "the objects that were born in a zspage are counted while those that have left it \
               are still in its origins",
        harmful: true,
        models: &["map_against_compact_of_a_mixed_zspage"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "let natives = homes.count;",
            to: "let natives = if crate::mutant(\"natives-counted-late\") {
                         self.natives() as u16
                     } else {
                         homes.count
                     };",
        }],
    },
    Mutant {
        name: "origin-kept",
        what: "the name of an object that was moved stays in the origins when the object is freed",
        harmful: true,
        models: &["free_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "self.forget_origin(index);",
                to: "if !crate::mutant(\"origin-kept\") {
            self.forget_origin(index);
        }",
        }],
    },
    Mutant {
        name: "empty-origins-kept",
        what: "origins without a name are kept, and lost with their zspage",
        harmful: true,
        models: &["free_of_the_last_name_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/moved.rs",
                from: "if origins.is_some_and(|origins| origins.count() == 0) {",
                to: "if !crate::mutant(\"empty-origins-kept\")
                    && origins.is_some_and(|origins| origins.count() == 0)
                {",
        }],
    },
    Mutant {
        name: "names-not-closed-up",
        what: "the name of an object that was moved stays where it is when one before it is forgotten",
        harmful: true,
        models: &["free_against_second_move"],
        guest: Ok(TORTURE),
        edits: &[Edit {
                file: "zsmalloc/origins.rs",
                from: "for cell in self.names().get(rank..count)?.iter().rev() {",
                to: "let rank = if crate::mutant(\"names-not-closed-up\") { count } else { rank };
        for cell in self.names().get(rank..count)?.iter().rev() {",
        }],
    },
    Mutant {
        name: "foreign-slot-freed",
        what: "a name that is freed twice frees the object that was moved to its slot",
        harmful: true,
        models: &["free_of_what_is_free_and_taken"],
        guest: Err("only a user that frees twice comes there"),
        edits: &[Edit {
                file: "zsmalloc/class.rs",
                from: "if !moved && zspage.is_foreign(index) {",
                to: "if !crate::mutant(\"foreign-slot-freed\") && !moved && zspage.is_foreign(index) {",
        }],
    },
    Mutant {
        name: "moves-without-memory",
        what: "compaction moves objects without the memory for their names",
        harmful: true,
        models: &["compaction_without_memory"],
        guest: Ok("guest/run zpool-nomem"),
        edits: &[Edit {
                file: "zsmalloc/compact.rs",
                from: "let table = Memory::alloc_some(table)?;",
                to: "let mut table = Memory::alloc_some(table);
        if crate::mutant(\"moves-without-memory\") {
            table = table.or(Ok(None));
        }
        let table = table?;",
        }],
    },
    Mutant {
        name: "source-not-locked",
        what: "compaction does not lock the zspage that it empties",
        harmful: true,
        models: &["map_against_compact"],
        guest: Ok(TORTURE),
        edits: &[
            Edit {
                file: "zsmalloc/class.rs",
                from: "    writer: WriteGuard<'g>,
",
                to: "    writer: Option<WriteGuard<'g>>,
",
            },
            Edit {
                file: "zsmalloc/class.rs",
                from: "writer: self.zspage().lock().try_write()?,",
                to: "writer: Some(self.zspage().lock().try_write()?),",
            },
            Edit {
                file: "zsmalloc/class.rs",
                from: "    /// Gives the zspage's lock back.
",
                to: "    pub(crate) fn without_lock(listed: ListedZspage<'g>) -> Self {
        Self {
            listed,
            writer: None,
        }
    }

    /// Gives the zspage's lock back.
",
            },
            Edit {
                file: "zsmalloc/compact.rs",
                from: "if let Some(source) = zspage.try_write() {",
                to: "let locked = if crate::mutant(\"source-not-locked\") {
                Some(WriteLockedZspage::without_lock(zspage))
            } else {
                zspage.try_write()
            };
            if let Some(source) = locked {",
            },
        ],
    },
    Mutant {
        name: "free-without-rcu",
        what: "a zspage is freed at once",
        harmful: true,
        models: &["free_of_the_last_object_against_migrate"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[Edit {
            file: "zsmalloc/owned.rs",
            from: "unsafe { rcu::free_deferred(self.0 .0) };",
            to: "if crate::mutant(\"free-without-rcu\") {
                         unsafe { <Zspage as rcu::Deferred>::free(self.0 .0) };
                     } else {
                         unsafe { rcu::free_deferred(self.0 .0) };
                     }",
        }],
    },
    Mutant {
        name: "publish-before-init",
        what: "a page names a zspage that has not been initialized",
        harmful: true,
        models: &["malloc_against_migrate"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[
            Edit {
                file: "zsmalloc/owned.rs",
                from: "let memory = class.cache().alloc(gfp)?;",
                to: "let memory = class.cache().alloc(gfp)?;
                     let early = PageSlot::default();
                     if crate::mutant(\"publish-before-init\") {
                         unsafe {
                             PageSlot::fill(core::slice::from_ref(&early), gfp)?;
                             early.publish(memory.cast());
                             if let Some(page) = early.take() {
                                 page.publish(memory.cast());
                                 early.replace(page);
                             }
                         }
                         delay(Point::Publish);
                     }",
            },
            Edit {
                file: "zsmalloc/owned.rs",
                from: "        unsafe { PageSlot::fill(pages, gfp)? };",
                to: "        unsafe { PageSlot::fill(pages, gfp)? };
                     for slot in pages.iter().take(1) {
                         unsafe {
                             if let Some(old) = early.take().and_then(|page| slot.replace(page)) {
                                 old.discard();
                             }
                         }
                     }",
            },
        ],
    },
    Mutant {
        name: "target-before-checks",
        what: "the target page of a migration is made ours before it is certain that it will be",
        harmful: true,
        models: &["free_of_the_last_object_against_migrate"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[
            Edit {
                file: "zsmalloc/migration.rs",
                from: "    let rcu = rcu::read_lock();\n",
                to: "let (mut new, mut early) = (Some(new), None);
                     if crate::mutant(\"target-before-checks\") {
                         let new = new.take().map(|new| new.adopt(old));
                         early = new.map(core::mem::ManuallyDrop::new);
                     }
                     let rcu = rcu::read_lock();\n",
            },
            Edit {
                file: "zsmalloc/migration.rs",
                from: "let adopted = new.adopt(old);",
                to: "let early = early.map(core::mem::ManuallyDrop::into_inner);
                     let Some(adopted) = early.or_else(|| Some(new.take()?.adopt(old))) else {
                         return Err(Refused::Freed);
                     };",
            },
        ],
    },
    Mutant {
        name: "migrate-leaves-rcu-early",
        what: "migrate leaves the RCU section before it locks the class",
        harmful: true,
        models: &["free_of_the_last_object_against_migrate"],
        guest: Err("a grace period would have to end between two instructions"),
        edits: &[
            Edit {
                file: "zsmalloc/migration.rs",
                from: "ZspageRef::of_page(old, &rcu)",
                to: "ZspageRef::of_page(old, unsafe { &*core::ptr::from_ref(&rcu) })",
            },
            Edit {
                file: "zsmalloc/migration.rs",
                from: "let guard = zspage.class().lock();",
                to: "if crate::mutant(\"migrate-leaves-rcu-early\") {
                         drop(rcu);
                     }
                     let guard = zspage.class().lock();",
            },
        ],
    },
    Mutant {
        name: "zspage-lock-first",
        what: "migrate takes the lock of the zspage before that of the class",
        harmful: true,
        models: &["free_against_migrate"],
        guest: Err(
            "both locks are tried, so that it cannot dead-lock: nothing but the rule is broken",
        ),
        edits: &[
            Edit {
                file: "zsmalloc/migration.rs",
                from: "    let stats = zspage.class().pool_stats();\n",
                to: "    let stats = zspage.class().pool_stats();
                     let mut first = None;
                     if crate::mutant(\"zspage-lock-first\") {
                         first = zspage.lock().try_write();
                     }\n",
            },
            Edit {
                file: "zsmalloc/migration.rs",
                from: "let Some(locked) = listed.try_write() else {",
                to: "drop(first.take());
                     let Some(locked) = listed.try_write() else {",
            },
        ],
    },
    Mutant {
        name: "map-without-lock",
        what: "map gives the lock of the zspage back, and unmap takes it again",
        harmful: true,
        models: &["map_against_compact"],
        guest: Ok(TORTURE),
        edits: &[
            Edit {
                file: "zsmalloc/pin.rs",
                from: "            mem::forget(reader);",
                to: "                if crate::mutant(\"map-without-lock\") {
                         drop(reader);
                     } else {
                         mem::forget(reader);
                     }",
            },
            Edit {
                file: "zsmalloc/pin.rs",
                from: "        mem::forget(self.reader);",
                to: "        if crate::mutant(\"map-without-lock\") {
                         drop(self.reader);
                     } else {
                         mem::forget(self.reader);
                     }",
            },
            Edit {
                file: "zsmalloc/pin.rs",
                from: "reader: ReadGuard::resume(location.zspage.lock()),",
                to: "reader: if crate::mutant(\"map-without-lock\") {
                         location.zspage.lock().read()
                     } else {
                         ReadGuard::resume(location.zspage.lock())
                     },",
            },
        ],
    },
    Mutant {
        name: "page-counter",
        what: "a page is counted that could not be allocated",
        harmful: true,
        models: &["malloc_that_fails"],
        guest: Ok("guest/run zpool-nomem"),
        edits: &[
            Edit {
                file: "zsmalloc/owned.rs",
                from: "let pages = new.0.parts().pages();",
                to: "let pages = new.0.parts().pages();
                     if crate::mutant(\"page-counter\") {
                         class.pool_stats().add_pages(pages.len());
                     }",
            },
            Edit {
                file: "zsmalloc/owned.rs",
                from: "        stats.add_pages(parts.pages().len());",
                to: "        if !crate::mutant(\"page-counter\") {
                         stats.add_pages(parts.pages().len());
                     }",
            },
        ],
    },
    Mutant {
        name: "new-zspage-through-rcu",
        what: "a zspage that nobody has seen waits for a grace period",
        harmful: true,
        models: &["malloc_that_fails"],
        guest: Err("only takes longer"),
        edits: &[Edit {
            file: "zsmalloc/owned.rs",
            from: "        unsafe { Zspage::free_memory(self.0 .0) };",
            to: "        if crate::mutant(\"new-zspage-through-rcu\") {
                         unsafe { rcu::free_deferred(self.0 .0) };
                     } else {
                         unsafe { Zspage::free_memory(self.0 .0) };
                     }",
        }],
    },
    Mutant {
        name: "pages-freed-under-lock",
        what: "free gives the pages of a zspage back under the class lock",
        harmful: true,
        models: &["two_frees_that_empty_a_zspage"],
        guest: Err("legal in a kernel: it only makes others wait for the lock"),
        edits: &[Edit {
            file: "zsmalloc/class.rs",
            from: "        let earlier = self.emptied.replace(",
            to: "        if crate::mutant(\"pages-freed-under-lock\") {
                         let _preempt = PreemptOff::new();
                         drop(zspage);
                         return;
                     }
                     let earlier = self.emptied.replace(",
        }],
    },
    Mutant {
        name: "preempted-death",
        what: "whoever frees a zspage may be preempted after it has unlisted it",
        harmful: true,
        models: &["two_frees_that_empty_a_zspage"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[
            Edit {
                file: "zsmalloc/class.rs",
                from: "    _preempt: PreemptOff,",
                to: "    _preempt: Option<PreemptOff>,",
            },
            Edit {
                file: "zsmalloc/class.rs",
                from: "            _preempt: PreemptOff::new(),",
                to: "            _preempt: (!crate::mutant(\"preempted-death\")).then(PreemptOff::new),",
            },
        ],
    },
    Mutant {
        name: "free-slot-freed",
        what: "a free of what is not allocated is not noticed",
        harmful: true,
        models: &["free_of_what_is_free"],
        guest: Err("what it does to the slab allocator's memory is up to chance"),
        edits: &[Edit {
            file: "zsmalloc/pool.rs",
            from: "if !zspage.free_object(index) {",
            to: "if !zspage.free_object(index) && !crate::mutant(\"free-slot-freed\") {",
        }],
    },
    Mutant {
        name: "any-class-opens",
        what: "the lock of one class opens the zspages of another",
        harmful: true,
        models: &["lock_of_another_class"],
        guest: Err("nothing in the allocator uses a wrong lock"),
        edits: &[Edit {
            file: "zsmalloc/class.rs",
            from: "        if !ptr::eq(zspage.class(), self.class) {",
            to: "        if !crate::mutant(\"any-class-opens\") && !ptr::eq(zspage.class(), self.class) {",
        }],
    },
    Mutant {
        name: "private-kept",
        what: "a freed page still names its zspage",
        harmful: true,
        models: &["two_frees_that_empty_a_zspage"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[Edit {
            file: "sys/page.c",
            from: "	WRITE_ONCE(page->private, 0);\n	zs_rs_delay(",
            to: "	if (!host_mutant(\"private-kept\"))\n\
                     		WRITE_ONCE(page->private, 0);\n\
                     	zs_rs_delay(",
        }],
    },
    Mutant {
        name: "raced-frees-forgotten",
        what: "the module does not know that pages that carry its operations are left",
        harmful: true,
        models: &["unload_against_put_back"],
        guest: Ok("guest/run zpool-refusals"),
        edits: &[Edit {
            file: "sys/page.c",
            from: "	return raced;\n",
            to: "	return raced && !host_mutant(\"raced-frees-forgotten\");\n",
        }],
    },
    Mutant {
        name: "disown-without-lock",
        what: "pages are disowned without the page lock, while a hook may be running",
        harmful: true,
        models: &["unload_against_migrate"],
        guest: Err("a hook would have to run at the instant at which the module is unloaded"),
        edits: &[Edit {
            file: "sys/page.c",
            from: "		lock_page(page);\n",
            to: "		if (host_mutant(\"disown-without-lock\")) {\n\
                     			WRITE_ONCE(page->mapping, PAGE_MAPPING_MOVABLE);\n\
                     			put_page(page);\n\
                     			return true;\n\
                     		}\n\
                     		lock_page(page);\n",
        }],
    },
];
