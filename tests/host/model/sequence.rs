// SPDX-License-Identifier: GPL-2.0

//! Sequences of operations on a pool, against a reference that is a list of objects.

use crate::{
    front::map::{self, MapMode},
    host::{
        frame,
        mm::{self, Isolated, Moved},
        mutex::grab,
        world::world,
    },
    rt,
    sys::{
        alloc::Box,
        page::{self, Gfp, PAGE_SIZE},
    },
    zsmalloc::{Error, Event, Handle, Pool},
};
use std::{ptr::NonNull, sync::atomic::Ordering};

#[path = "names.rs"]
mod names;

/// Objects that may be mapped at a time: one on each of so many other CPUs.
const CPUS: usize = 3;

/// The CPU that is an RCU reader.
const READER: rt::TaskId = 9;

/// Most objects at a time, to bound the time that a sequence takes.
const MOST_OBJECTS: usize = 400;

/// One operation. Numbers that choose among what there is are taken modulo how much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Allocates objects of one size.
    Malloc { size: usize, count: usize },
    /// Allocates an object while allocation number `fail` fails.
    MallocFails { size: usize, fail: usize },
    /// Frees an object.
    Free { object: usize },
    /// Frees every n-th object.
    FreeEvery { n: usize },
    /// Maps an object, checks it, and writes it anew as the mode says.
    Map { object: usize, mode: usize },
    /// Maps an object on another CPU and leaves it mapped.
    Hold { object: usize, cpu: usize },
    /// Ends that.
    LetGo { cpu: usize },
    /// Compacts the pool.
    Compact,
    /// The same while allocation number `fail` fails.
    CompactFails { fail: usize },
    /// Isolates the page in a frame.
    Isolate { frame: usize },
    /// Tries to migrate an isolated page.
    Migrate { isolated: usize },
    /// Tries that while there is no page to migrate it to.
    MigrateFails { isolated: usize },
    /// Puts an isolated page back.
    PutBack { isolated: usize },
    /// Migrates what can be migrated of all pages.
    MigrateAll,
    /// Another CPU enters an RCU read section, or leaves it.
    Reader,
    /// Callbacks run whose grace period is over.
    Softirq,
}

/// An object as it should be.
struct Object {
    handle: Handle,
    size: usize,
    seed: usize,
    /// The CPU that has it mapped.
    held: Option<usize>,
}

/// A pool, and what should be in it.
pub(crate) struct Machine {
    pool: Option<Box<Pool>>,
    objects: Vec<Object>,
    /// For each CPU what it has mapped.
    holds: [Option<(NonNull<u8>, usize)>; CPUS],
    isolated: Vec<Isolated>,
    reading: bool,
    seed: usize,
}

fn byte(seed: usize, index: usize) -> u8 {
    (seed.wrapping_mul(0x9e37_79b9) ^ index.wrapping_mul(0x85eb_ca6b)).to_le_bytes()[2]
}

/// Panics unless the object is what was written.
fn verify(at: NonNull<u8>, seed: usize, size: usize) {
    // SAFETY: Mapped, and the object has that size.
    let bytes = unsafe { std::slice::from_raw_parts(at.as_ptr(), size) };
    for (index, &found) in bytes.iter().enumerate() {
        assert_eq!(found, byte(seed, index), "byte {index} of {size}");
    }
}

fn fill(at: NonNull<u8>, seed: usize, size: usize) {
    // SAFETY: Mapped for writing, and the object has that size.
    let bytes = unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), size) };
    for (index, to) in bytes.iter_mut().enumerate() {
        *to = byte(seed, index);
    }
}

impl Machine {
    /// A machine with an empty pool.
    pub(crate) fn new(chain_size: usize) -> Self {
        Self {
            pool: Some(Pool::new(c"host", chain_size).expect("no memory for a pool")),
            objects: Vec::new(),
            holds: [None; CPUS],
            isolated: Vec::new(),
            reading: false,
            seed: 1,
        }
    }

    /// The pool.
    pub(crate) fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("the pool is gone")
    }

    /// Does all of it, with an integrity check after each operation, and takes the machine down.
    pub(crate) fn run(mut self, ops: &[Op]) {
        for op in ops {
            self.apply(op);
            self.check();
        }
        self.finish();
    }

    /// Does one operation.
    pub(crate) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Malloc { size, count } => {
                for _ in 0..count.min(MOST_OBJECTS - self.objects.len()) {
                    self.malloc(size).expect("no memory");
                }
            }
            Op::MallocFails { size, fail } => self.malloc_fails(size, fail),
            Op::Free { object } => self.free(object),
            Op::FreeEvery { n } => {
                for object in (0..self.objects.len()).rev().step_by(n.max(1)) {
                    self.free(object);
                }
            }
            Op::Map { object, mode } => self.map(object, mode),
            Op::Hold { object, cpu } => self.hold(object, cpu % CPUS),
            Op::LetGo { cpu } => self.let_go(cpu % CPUS),
            Op::Compact => self.compact(),
            Op::CompactFails { fail } => self.compact_fails(fail),
            Op::Isolate { frame } => self.isolate(frame),
            Op::Migrate { isolated } => self.migrate(isolated, false),
            Op::MigrateFails { isolated } => self.migrate(isolated, true),
            Op::PutBack { isolated } => {
                if !self.isolated.is_empty() {
                    mm::put_back(self.isolated.swap_remove(isolated % self.isolated.len()));
                }
            }
            Op::MigrateAll => {
                for number in 0..frame::frames() {
                    if let Some(page) = frame::frame(number) {
                        mm::isolate_and_migrate(page, 2);
                    }
                }
            }
            Op::Reader => self.read(),
            Op::Softirq => world().rcu.run_ripe(),
        }
    }

    pub(crate) fn malloc(&mut self, size: usize) -> Result<(), Error> {
        if self.objects.len() >= MOST_OBJECTS {
            return Err(Error::NoMemory);
        }
        match self.pool().malloc(size, Gfp::from_raw(0)) {
            Ok(handle) => {
                assert!((1..=PAGE_SIZE).contains(&size), "an object of {size} bytes");
                self.seed += 1;
                self.objects.push(Object {
                    handle,
                    size,
                    seed: self.seed,
                    held: None,
                });
                self.map(self.objects.len() - 1, MapMode::WriteOnly as usize);
                Ok(())
            }
            Err(Error::Empty) => {
                assert_eq!(size, 0);
                Ok(())
            }
            Err(Error::TooLarge) => {
                assert!(size > PAGE_SIZE);
                Ok(())
            }
            Err(Error::NoMemory) => Err(Error::NoMemory),
        }
    }

    /// A failure leaves all as it was.
    fn malloc_fails(&mut self, size: usize, fail: usize) {
        if self.objects.len() == MOST_OBJECTS {
            return;
        }
        let pages = self.pool().total_pages();
        world().faults.at(Some(fail));
        let before = world().faults.count();
        let result = self.malloc(size);
        let allocations = world().faults.count() - before;
        world().faults.at(None);
        match result {
            Ok(()) => assert!(allocations <= fail, "a failure that nobody noticed"),
            Err(_) => assert_eq!(
                self.pool().total_pages(),
                pages,
                "pages of a failed attempt"
            ),
        }
    }

    fn free(&mut self, object: usize) {
        let len = self.objects.len();
        if len == 0 || self.objects[object % len].held.is_some() {
            return;
        }
        let object = self.objects.swap_remove(object % len);
        self.pool().free(object.handle);
    }

    fn map(&mut self, object: usize, mode: usize) {
        let len = self.objects.len();
        if len == 0 || self.objects[object % len].held.is_some() {
            return;
        }
        let fresh = self.seed + 1;
        self.seed = fresh;
        let Self { pool, objects, .. } = self;
        let pool = pool.as_ref().expect("the pool is gone");
        let object = &mut objects[object % len];
        if names::has_moved(&object.handle) {
            world().note("moved object mapped");
        }
        let mode = match mode % 3 {
            0 => MapMode::ReadWrite,
            1 => MapMode::ReadOnly,
            _ => MapMode::WriteOnly,
        };
        // SAFETY: We are the only one who uses the object.
        let at =
            unsafe { map::map(pool, &object.handle, mode) }.expect("an object without a place");
        match mode {
            MapMode::ReadOnly => verify(at, object.seed, object.size),
            // The first mapping of an object is of this mode.
            MapMode::WriteOnly => {
                object.seed = fresh;
                fill(at, fresh, object.size);
            }
            MapMode::ReadWrite => {
                verify(at, object.seed, object.size);
                object.seed = fresh;
                fill(at, fresh, object.size);
            }
        }
        // SAFETY: Just mapped.
        unsafe { map::unmap(&object.handle) };
    }

    fn hold(&mut self, object: usize, cpu: usize) {
        let len = self.objects.len();
        if self.holds[cpu].is_some() || len == 0 || self.objects[object % len].held.is_some() {
            return;
        }
        let index = object % len;
        // SAFETY: As above.
        let at = rt::on(1 + cpu as rt::TaskId, || unsafe {
            map::map(self.pool(), &self.objects[index].handle, MapMode::ReadWrite)
        })
        .expect("an object without a place");
        let object = &mut self.objects[index];
        verify(at, object.seed, object.size);
        object.held = Some(cpu);
        self.holds[cpu] = Some((at, object.size));
    }

    /// What is mapped stays where it is and as it is, whatever was done meanwhile.
    fn let_go(&mut self, cpu: usize) {
        let Some((at, size)) = self.holds[cpu].take() else {
            return;
        };
        let fresh = self.seed + 1;
        self.seed = fresh;
        let object = self
            .objects
            .iter_mut()
            .find(|object| object.held == Some(cpu))
            .expect("what is mapped was freed");
        verify(at, object.seed, size);
        object.seed = fresh;
        fill(at, fresh, size);
        object.held = None;
        // SAFETY: Mapped in `hold()`.
        rt::on(1 + cpu as rt::TaskId, || unsafe {
            map::unmap(&object.handle)
        });
    }

    fn compact(&mut self) {
        let before = self.pool().total_pages();
        let freed = self.pool().compact();
        assert_eq!(self.pool().total_pages() + freed, before, "pages compacted");
        if self.holds.iter().all(Option::is_none) {
            let again = self.pool().compact();
            assert_eq!(again, 0, "compaction left something to gain");
        }
    }

    /// Whatever fails, nothing is half moved: see [`Self::check`].
    fn compact_fails(&mut self, fail: usize) {
        let before = self.pool().total_pages();
        let failures = self.pool().stats().get(Event::CompactNoMemory);
        let allocations = world().faults.count();
        world().faults.at(Some(fail));
        let freed = self.pool().compact();
        world().faults.at(None);
        assert_eq!(self.pool().total_pages() + freed, before, "pages compacted");
        let failed = world().faults.count() - allocations > fail;
        let counted = self.pool().stats().get(Event::CompactNoMemory) - failures;
        assert_eq!(counted, usize::from(failed), "failures that were counted");
    }

    fn isolate(&mut self, number: usize) {
        let frames = frame::frames();
        if frames == 0 || self.isolated.len() >= 8 {
            return;
        }
        let page = frame::frame(number % frames).expect("no such frame");
        self.isolated.extend(mm::isolate(page));
    }

    fn migrate(&mut self, number: usize, fail: bool) {
        if self.isolated.is_empty() {
            return;
        }
        let isolated = self.isolated.swap_remove(number % self.isolated.len());
        let owned = isolated.page().is_owned();
        if fail {
            world().faults.at(Some(0));
        }
        let moved = mm::migrate(isolated);
        world().faults.at(None);
        match moved {
            Moved::Done => (),
            Moved::Again(isolated) => {
                assert!(
                    self.holds.iter().any(Option::is_some),
                    "busy, though nothing is mapped"
                );
                self.isolated.push(isolated);
            }
            Moved::Never(isolated) => {
                assert!(fail || !owned, "a page that is in use was refused for good");
                self.isolated.push(isolated);
            }
        }
    }

    fn read(&mut self) {
        self.reading = !self.reading;
        rt::on(READER, || {
            if self.reading {
                world().rcu.read_lock();
            } else {
                world().rcu.read_unlock();
            }
        });
    }

    /// All figures agree with each other and with the reference.
    pub(crate) fn check(&self) {
        let pool = self.pool();
        if let Err(bad) = pool.check() {
            panic!("integrity: class {}: {}", bad.class, bad.what);
        }
        let world = world();
        let pages = pool.total_pages();
        assert_eq!(pool.objects(), self.objects.len(), "number of objects");
        let zone = world.zone_pages.load(Ordering::Relaxed);
        assert_eq!(zone, pages as isize, "NR_ZSPAGES and the pool's pages");
        let freed = self
            .isolated
            .iter()
            .filter(|isolated| !isolated.page().is_owned())
            .count();
        assert_eq!(
            grab(&world.frames).used(),
            pages + freed,
            "page frames in use and the pool's pages"
        );
        let anchors = grab(&world.heap).live("zs_rs_anchor");
        assert_eq!(anchors, pool.anchors(), "number of anchors");
    }

    /// Ends everything: afterwards nothing is left.
    pub(crate) fn finish(mut self) {
        if self.reading {
            self.read();
        }
        for cpu in 0..CPUS {
            self.let_go(cpu);
        }
        for object in 0..self.objects.len() {
            self.map(object, MapMode::ReadOnly as usize);
        }
        while !self.objects.is_empty() {
            self.free(0);
        }
        self.check();
        for isolated in self.isolated.drain(..) {
            mm::put_back(isolated);
        }
        let pool = self.pool.take().expect("the pool is gone");
        for (event, what) in [
            (Event::CompactSkippedMapped, "compaction skipped"),
            (Event::ObjectsCompacted, "compacted"),
            (Event::CompactNoMemory, "compaction without memory"),
            (Event::MovedAgain, "moved again"),
            (Event::MovedFreed, "moved object freed"),
            (Event::TablesRepacked, "table repacked"),
        ] {
            if pool.stats().get(event) > 0 {
                world().note(what);
            }
        }
        if page::raced_frees() > 0 {
            world().note("raced free");
        }
        assert_eq!(pool.total_pages(), 0, "pages of an empty pool");
        assert!(Pool::destroy(pool, ()).is_ok(), "objects in an empty pool");
    }
}

/// Sizes near which something changes.
pub(crate) const SIZES: [usize; 12] = [
    1,
    24,
    25,
    PAGE_SIZE / 64,
    PAGE_SIZE / 8 - 8,
    PAGE_SIZE / 3,
    PAGE_SIZE / 2 - 8,
    PAGE_SIZE / 2 + 8,
    PAGE_SIZE * 5 / 8,
    PAGE_SIZE * 3 / 4 + 100,
    PAGE_SIZE - 8,
    PAGE_SIZE,
];

/// Operations out of a byte string, of any contents.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Op> {
    let mut ops = Vec::new();
    for chunk in bytes.chunks_exact(4) {
        let (code, small, number) = (
            chunk[0],
            usize::from(chunk[1]),
            usize::from(u16::from_le_bytes([chunk[2], chunk[3]])),
        );
        let size = if code & 0x80 == 0 {
            SIZES[number % SIZES.len()]
        } else {
            number % (PAGE_SIZE + 2)
        };
        ops.push(match code & 0x0f {
            0 | 1 => Op::Malloc {
                size,
                count: small % 24,
            },
            2 => Op::MallocFails {
                size,
                fail: small % 20,
            },
            3 | 4 => Op::Free { object: number },
            5 => Op::FreeEvery { n: 1 + small % 8 },
            6 => Op::Map {
                object: number,
                mode: small,
            },
            7 => Op::Hold {
                object: number,
                cpu: small,
            },
            8 => Op::LetGo { cpu: small },
            9 if code & 0x40 != 0 => Op::CompactFails { fail: small % 6 },
            9 => Op::Compact,
            10 => Op::Isolate { frame: number },
            11 => Op::Migrate { isolated: number },
            12 if code & 0x40 != 0 => Op::MigrateFails { isolated: number },
            12 => Op::PutBack { isolated: number },
            13 => Op::MigrateAll,
            14 => Op::Reader,
            _ => Op::Softirq,
        });
    }
    ops
}
