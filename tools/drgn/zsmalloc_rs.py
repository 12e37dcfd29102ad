#!/usr/bin/env drgn
# SPDX-License-Identifier: GPL-2.0
"""
Look into the pools of zsmalloc_rs, in the running kernel or in a dump of its memory.

    drgn -k zsmalloc_rs.py COMMAND            the running kernel, as root
    drgn -c VMCORE zsmalloc_rs.py COMMAND     a dump; add -s vmlinux -s zsmalloc_rs.ko

    pools                 every pool: its name, what it is told by, what is in it
    classes POOL          size classes of a pool that have zspages
    zspages POOL [SIZE]   zspages of a pool, or of one class of it
    handle HANDLE...      where the object of a handle is
    dump HANDLE...        its bytes
    page ADDRESS...       to which zspage a struct page belongs

POOL is a name or the address in the second column.  drgn knows the layouts from the
DWARF of the module, so that this fits whatever the module was built from, as long as
the names are these.  In a kernel that runs, what is read may change meanwhile.
"""

import argparse
import functools
import signal
import sys

import drgn
from drgn import FaultError, Language, Object, TypeKind, get_default_prog
from drgn.helpers.linux.mm import page_to_pfn, page_to_virt, virt_to_page

CRATE = "zsmalloc_rs::"
ZSPAGE = "zsmalloc::zspage::Zspage"
POOL_ENTRY = f"sys::registry::Entry<{CRATE}zsmalloc::pool::Pool>"
WORD = 8

prog = get_default_prog()
# Rust's paths are looked up by the rules of C++.
prog.language = Language.CPP


class Damaged(Exception):
    """What was read is not what it should be."""


# --- Rust's types


def inner(obj):
    """What is in a value that has one thing in it: Cell, NonNull, Atomic, Arc, Box..."""
    while obj.type_.kind == TypeKind.STRUCT:
        parts = [m for m in obj.type_.members or () if drgn.sizeof(m.type)]
        if len(parts) != 1:
            break
        obj = obj.member_(parts[0].name)
    return obj


def number(obj):
    """A number, however many types are around it."""
    obj = inner(obj)
    if obj.type_.kind == TypeKind.STRUCT:  # Option<NonZero<_>> and the like
        return int.from_bytes(obj.to_bytes_(), "little")
    return int(obj.value_())


def pointee(type_):
    """T of what comes down to a pointer to T."""
    while type_.kind == TypeKind.STRUCT:
        type_ = next(m.type for m in type_.members if drgn.sizeof(m.type))
    return type_.type


def follow(obj, name=None):
    """
    What a pointer leads to, None if it is null.  drgn does not know the variants of Option, so
    that what is in one has to be named.
    """
    address = number(obj)
    if not address:
        return None
    return Object(prog, prog.type(CRATE + name) if name else pointee(obj.type_), address=address)


def slice_of(vector):
    """The elements of a Vec of the kernel's."""
    first = inner(vector.ptr)
    return [first[i] for i in range(int(vector.len))]


def words(address, count):
    return prog.read(address, count * WORD) if count else b""


def bits(data):
    return bin(int.from_bytes(data, "little")).count("1")


# --- the allocator


class Zspage:
    """A zspage: the struct, and the words behind it."""

    def __init__(self, obj):
        self.obj = obj
        self.address = obj.address_
        self.class_ = Class(follow(obj.member_("class")))
        self.inuse = number(obj.slots.inuse)

    def words(self, first, count):
        start = self.address + drgn.sizeof(self.obj.type_)
        return words(start + first * WORD, count)

    def pages(self):
        """Its pages, of which it has the addresses that they are mapped at."""
        data = self.words(0, self.class_.pages)
        addresses = (int.from_bytes(data[i : i + WORD], "little") for i in range(0, len(data), WORD))
        return [virt_to_page(prog, address) for address in addresses]

    def bitmap(self):
        return self.words(self.class_.pages, self.class_.bitmap_words)

    def is_used(self, index):
        bitmap = self.bitmap()
        return bool(bitmap[index // 8] >> (index % 8) & 1)

    def segments(self, index):
        """Where the bytes of an object are: (page, offset, length)."""
        size, page_size = self.class_.size, 1 << int(prog["PAGE_SHIFT"])
        start, end, pages = index * size, index * size + size, self.pages()
        while start < end:
            offset = start % page_size
            length = min(end - start, page_size - offset)
            yield pages[start // page_size], offset, length
            start += length

    def read(self, index):
        parts = [prog.read(int(page_to_virt(p)) + offset, length) for p, offset, length in self.segments(index)]
        return b"".join(parts)

    def check(self):
        """None, or what does not agree."""
        if bits(self.bitmap()) != self.inuse:
            return f"bitmap has {bits(self.bitmap())} objects, inuse is {self.inuse}"
        for page in self.pages():
            if int(page.private) != self.address:
                return f"page {int(page):#x} names {int(page.private):#x}"
        return None


class Class:
    """A size class."""

    def __init__(self, obj):
        self.obj = obj
        self.size = number(obj.spec.size)
        self.pages = number(obj.spec.pages)
        self.objects = number(obj.spec.objects)
        self.bitmap_words = number(obj.spec.bitmap_words)
        self.inuse = number(obj.stats.inuse)
        self.allocated = number(obj.stats.allocated)

    def zspages(self):
        for group in inner(self.obj.lists.data).groups:
            zspage = follow(group.first, ZSPAGE)
            while zspage is not None:
                yield Zspage(zspage)
                zspage = follow(zspage.link.next, ZSPAGE)

    def pool_stats(self):
        """The address by which trace events tell the pool."""
        return follow(self.obj.pool_stats).data.address_

    def pool_name(self):
        cache = number(follow(self.obj.cache).data)
        cache = Object(prog, "struct kmem_cache *", value=cache)
        # PREFIX-SIZE-POOL: zs_rs_cache_create()
        return cache.name.string_().decode().split("-", 2)[2]


class Pool:
    """A pool."""

    def __init__(self, obj):
        self.obj = obj
        self.stats = follow(obj.stats).data
        self.classes = [Class(c) for c in slice_of(inner(obj.classes))]
        self.name = self.classes[0].pool_name()

    @property
    def pages(self):
        return number(self.stats.pages)

    @property
    def zspages(self):
        return sum(number(n) for c in self.classes for n in c.obj.stats.zspages)

    @property
    def objects(self):
        return sum(c.inuse for c in self.classes)


def pools():
    entry = follow(prog.variable(CRATE + "front::report::POOLS").first, POOL_ENTRY)
    while entry is not None:
        yield Pool(follow(entry.value))
        entry = follow(entry.next, POOL_ENTRY)


@functools.lru_cache
def known_pools():
    return frozenset(pool.stats.address_ for pool in pools())


def find_pool(wanted):
    for pool in pools():
        if wanted in (pool.name, f"{pool.stats.address_:#x}"):
            return pool
    sys.exit(f"no pool {wanted}")


# --- handles: src/zsmalloc/handle.rs says how they are packed

HIGH_BITS = 7
PLACE, TABLE = 1, 2


def index_bits():
    return 11 if int(prog["PAGE_SHIFT"]) == 12 else 12


def unpack(word, align_bits):
    """The address in a name or a place: its highest bits are all the same."""
    signed = word - (1 << 64) if word >> 63 else word
    return signed >> align_bits + HIGH_BITS << align_bits & (1 << 64) - 1


def typed(name, address):
    return Object(prog, prog.type(CRATE + name), address=address)


def of_place(word):
    mask = (1 << index_bits()) - 1
    return Zspage(typed(ZSPAGE, unpack(word, index_bits() - HIGH_BITS + 1))), word >> 1 & mask


def table_entry(address, index):
    """The place that a table has for a name, or 0."""
    table = typed("zsmalloc::table::Table", address)
    at = address + drgn.sizeof(table.type_)
    bitmap = int.from_bytes(words(at, number(table.bitmap_words)), "little")
    if not bitmap >> index & 1:
        return 0
    rank = bin(bitmap & (1 << index) - 1).count("1")
    return prog.read_u64(at + (number(table.bitmap_words) + rank) * WORD)


def locate(handle):
    """The zspage and index of a handle's object, and whether compaction has moved it."""
    index = handle & (1 << index_bits()) - 1
    anchor = typed("zsmalloc::anchor::Anchor", unpack(handle, index_bits() - HIGH_BITS))
    word = number(anchor.word)
    place = table_entry(word & ~TABLE, index) if word & 3 == TABLE else word
    moved = word & (PLACE | TABLE) != 0
    if not word:
        raise Damaged("its anchor has been freed")
    if moved and not place & PLACE:
        raise Damaged("its anchor has no such name")
    if moved:
        zspage, index = of_place(place)
    else:
        zspage = Zspage(typed(ZSPAGE, word))
    if zspage.class_.pool_stats() not in known_pools():
        raise Damaged("it leads to no pool of ours")
    if index >= zspage.class_.objects:
        raise Damaged(f"its zspage has no object {index}")
    return zspage, index, moved


# --- commands


def show_pools(_args):
    print(f"{'NAME':16} {'TOLD BY':18} {'PAGES':>9} {'ZSPAGES':>9} {'OBJECTS':>9}")
    for p in pools():
        print(f"{p.name:16} {p.stats.address_:#18x} {p.pages:9} {p.zspages:9} {p.objects:9}")


def show_classes(args):
    print(f"{'SIZE':>6} {'PAGES':>6} {'HOLDS':>6} {'ZSPAGES':>9} {'OBJECTS':>9} {'ROOM':>9}")
    for c in find_pool(args.pool).classes:
        if c.allocated:
            zspages = c.allocated // c.objects
            print(f"{c.size:6} {c.pages:6} {c.objects:6} {zspages:9} {c.inuse:9} {c.allocated:9}")


def show_zspages(args):
    print(f"{'ZSPAGE':18} {'SIZE':>6} {'OBJECTS':>11} PAGE FRAMES")
    for c in find_pool(args.pool).classes:
        if args.size not in (None, c.size):
            continue
        for z in c.zspages():
            frames = " ".join(f"{int(page_to_pfn(p)):#x}" for p in z.pages())
            print(f"{z.address:#18x} {c.size:6} {z.inuse:5}/{c.objects:<5} {frames}")
            wrong = z.check()
            if wrong:
                print(f"    WRONG: {wrong}")


def show_handles(args):
    for handle in args.handles:
        try:
            zspage, index, moved = locate(handle)
            c = zspage.class_
            print(f"handle {handle:#x}: object {index} of zspage {zspage.address:#x}")
            print(f"    pool {c.pool_name()}, {c.size} bytes, {'in use' if zspage.is_used(index) else 'FREE'}"
                  f"{', moved by compaction' if moved else ''}")
            for page, offset, length in zspage.segments(index):
                where = f"frame {int(page_to_pfn(page)):#x}, address {int(page_to_virt(page)) + offset:#x}"
                print(f"    {length} bytes at {offset} in page {int(page):#x}, {where}")
        except (Damaged, FaultError) as error:
            print(f"handle {handle:#x}: names no object: {error}")


def show_bytes(args):
    for handle in args.handles:
        try:
            zspage, index, _moved = locate(handle)
            data = zspage.read(index)
        except (Damaged, FaultError) as error:
            print(f"handle {handle:#x}: names no object: {error}")
            continue
        print(f"handle {handle:#x}: {len(data)} bytes")
        for at in range(0, len(data), 16):
            print(f"{at:8x}  {data[at:at + 16].hex(' ')}")


def show_pages(args):
    ops = prog.variable(CRATE + "front::migrate::MOVABLE_OPERATIONS").address_
    for address in args.pages:
        page = Object(prog, "struct page *", value=address)
        if int(page.mapping) != ops | 2:  # PAGE_MAPPING_MOVABLE
            print(f"page {address:#x}: not of zsmalloc_rs")
        elif not page.private:
            print(f"page {address:#x}: freed, and held by page migration")
        else:
            zspage = Zspage(typed(ZSPAGE, int(page.private)))
            number_ = [int(p) for p in zspage.pages()].index(address)
            print(f"page {address:#x}: number {number_} of zspage {zspage.address:#x}, pool {zspage.class_.pool_name()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    integer = functools.partial(int, base=0)
    commands.add_parser("pools").set_defaults(run=show_pools)
    sub = commands.add_parser("classes")
    sub.add_argument("pool")
    sub.set_defaults(run=show_classes)
    sub = commands.add_parser("zspages")
    sub.add_argument("pool")
    sub.add_argument("size", nargs="?", type=int)
    sub.set_defaults(run=show_zspages)
    for name, run in (("handle", show_handles), ("dump", show_bytes)):
        sub = commands.add_parser(name)
        sub.add_argument("handles", nargs="+", type=integer, metavar="HANDLE")
        sub.set_defaults(run=run)
    sub = commands.add_parser("page")
    sub.add_argument("pages", nargs="+", type=integer, metavar="ADDRESS")
    sub.set_defaults(run=show_pages)
    args = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    args.run(args)


if __name__ == "__main__":
    main()
