# SPDX-License-Identifier: GPL-2.0
"""
Run by drgn, on a dump of a guest in which tests/trace/dump-guest ran: what
tools/drgn/zsmalloc_rs.py finds is what the test module put there.  TAP.
"""

import sys
from pathlib import Path

from drgn import get_default_prog

sys.path.insert(0, str(Path(__file__).parents[2] / "tools/drgn"))
import zsmalloc_rs as tool  # noqa: E402

prog = get_default_prog()
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def word(x):
    """zt_word() of tests/module/store.c."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def content(store, number):
    """zt_content(): the bytes that belong into an object."""
    obj = store.objs[number]
    size, x = int(obj.size), word(int(store.seed) + number * GOLDEN & MASK)
    data = bytearray()
    while len(data) < size:
        x = x + GOLDEN & MASK
        data += word(x).to_bytes(8, "little")
    data = data[:size]
    for at in (0, size // 2, size - 1):
        data[at] ^= int(obj.gen)
    return bytes(data)


def objects(slot):
    """Numbers and handles of the objects in a slot of the test module."""
    store = prog["zt_sessions"][slot].store
    for number in range(int(store.nr)):
        if store.objs[number].size:
            yield store, number, int(store.objs[number].handle)


def check_objects(slot, name, compacted):
    found, moved, places = 0, 0, set()
    for store, number, handle in objects(slot):
        zspage, index, was_moved = tool.locate(handle)
        class_ = zspage.class_
        assert class_.pool_name() == name, f"{handle:#x} is in {class_.pool_name()}"
        assert zspage.is_used(index), f"{handle:#x} is not in use"
        data = zspage.read(index)
        assert data.startswith(content(store, number)), f"{handle:#x}: other bytes than were stored"
        moved += was_moved
        places.add((zspage.address, index))
        found += 1
    assert bool(moved) == compacted, f"{moved} objects were moved"
    assert found == len(places) > 500, f"{found} objects in {len(places)} places"
    assert tool.find_pool(name).objects == found, f"{found} objects, not {tool.find_pool(name).objects}"


def check_pools():
    names = sorted(pool.name for pool in tool.pools())
    assert names == ["zt-moved", "zt-session"], names


def check_zspages():
    for pool in tool.pools():
        zspages = [zspage for class_ in pool.classes for zspage in class_.zspages()]
        for zspage in zspages:
            wrong = zspage.check()
            assert not wrong, f"{zspage.address:#x}: {wrong}"
            assert zspage.class_.pool_stats() == pool.stats.address_
        assert len(zspages) == pool.zspages > 0
        assert sum(zspage.inuse for zspage in zspages) == pool.objects
        assert sum(zspage.class_.pages for zspage in zspages) == pool.pages


def check_others():
    for _, _, handle in objects(2):  # of C zsmalloc
        try:
            tool.locate(handle)
        except (tool.Damaged, tool.FaultError):
            continue
        raise AssertionError(f"{handle:#x} is taken for a handle of ours")


def main():
    cases = [
        ("drgn lists the pools, ours only", check_pools),
        ("all zspages, and what is in them, agree", check_zspages),
        ("handles lead to the bytes that were stored", lambda: check_objects(0, "zt-session", False)),
        ("so they do after compaction", lambda: check_objects(1, "zt-moved", True)),
        ("a handle that is not ours is refused", check_others),
    ]
    failed = 0
    for number, (what, check) in enumerate(cases, 1):
        try:
            check()
            print(f"ok {number} - {what}")
        except Exception as error:  # whatever it is, it is a failure of that case
            print(f"# {type(error).__name__}: {error}")
            print(f"not ok {number} - {what}")
            failed += 1
    print(f"1..{len(cases)}")
    sys.exit(bool(failed))


main()
