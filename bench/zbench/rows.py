# SPDX-License-Identifier: GPL-2.0
"""The rows: what each does, where it runs, and the function that is timed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the report: the same command for each allocator."""

    name: str
    machine: str  # see machines.py: um, smp2, smp4, icount
    command: str  # of the guest, without id and type=
    source: str  # file:function below bench/, where the time goes
    per: str = "call"  # what an op is
    mean: bool = False  # counts in the geometric mean
    quick: bool = True  # part of make bench-quick
    scale: float = 1  # a result's unit times this is nanoseconds (or instructions)
    kind: str = "time"  # time, latency, memory, pressure


def um_rows():
    """One allocator, natively, on the one processor of User Mode Linux.

    40,000 objects unless said otherwise: 65 MB, and what is known of them in 1 to 2 MB.
    """
    alloc, look, move = "module/alloc.c", "module/map.c", "module/move.c"

    def row(name, command, source, **more):
        return Row(name, "um", "row " + command, source, **({"mean": True} | more))

    yield row("malloc", "malloc", f"{alloc}:time_malloc")
    yield row("malloc and write", "malloc-write", f"{alloc}:time_malloc_write")
    for mode, write in (("RO", ""), ("WO", " write=1")):
        for where, spanning in (("contained", ""), ("spanning", " spanning=1")):
            yield row(f"map {mode}, {where}", f"map{write}{spanning}", f"{look}:time_map")
    yield row("map RO, contained, in the caches", "map objects=2000", f"{look}:time_map",
              mean=False)
    yield row("random read", "read", f"{look}:time_read")
    yield row("free in order", "free-order", f"{alloc}:time_free_order")
    yield row("free at random", "free-random", f"{alloc}:time_free_random")
    yield row("free half at random", "free-half", f"{alloc}:time_free_half")
    yield row("refill", "refill", f"{alloc}:time_refill")
    yield row("fill, then free all", "fill-free", f"{alloc}:time_fill_free")
    yield row("churn", "churn", f"{alloc}:time_churn")
    yield row("compaction", "compact", f"{move}:time_compact", per="page freed")
    for size, objects in ((32, 170000), (512, 15000), (2048, 4000), (4096, 2000)):
        yield row(
            f"page migration, {'huge' if size == 4096 else f'{size} bytes'}",
            f"migrate size={size} objects={objects}",
            f"{move}:time_migrate",
            per="page",
        )
    # the same work on ten times as many objects, which no cache holds
    for name, command, source in (
        ("malloc", "malloc", f"{alloc}:time_malloc"),
        ("map RO, contained", "map", f"{look}:time_map"),
        ("random read", "read", f"{look}:time_read"),
        ("free at random", "free-random", f"{alloc}:time_free_random"),
        ("refill", "refill", f"{alloc}:time_refill"),
        ("churn", "churn", f"{alloc}:time_churn"),
    ):
        yield row(f"{name}, 400,000 objects", f"{command} objects=400000", source, quick=False)
    yield row("shrinker count", "shrinker-count shrinker_list=@shrinker_list",
              "module/threads.c:time_count", mean=False)
    for op in ("free", "map"):
        yield row(f"longest {op}", f"latency op={op}", "module/latency.c:time_each",
                  mean=False, kind="latency")


def memory_rows():
    """Pages, and pages with slab, for sizes that a compressor made of real data."""
    for data in ("files", "heap"):
        for alg in ("lzo", "lz4", "zstd"):
            yield Row(f"{data}, {alg}", "um", f"row memory sizes=loaded alg={alg} data={data}",
                      "module/memory.c:measure", kind="memory", per="pool",
                      quick=alg == "lz4")


def pressure_rows():
    """The same with more memory in use than there is."""
    for device in ("zram", "zswap"):
        yield Row(f"{device} under pressure", "um-small", f"pressure device={device}",
                  "guest/pressure.c:take", kind="pressure", per="pool", quick=False)


def end_to_end_rows():
    """A whole kernel's work: its CPU time, not that of processes, for a page."""
    def row(name, command, **more):
        source = f"guest/{command.split()[0]}.c:" + (
            "measure" if command.startswith("swap") else "do_fio")
        return Row(name, "um", command, source, **({"per": "page"} | more))

    for n in (1, 2, 4):
        yield row(f"munmap of zram swap, {n} process{'es' if n > 1 else ''}",
                  f"swap what=munmap processes={n}", quick=n == 1)
    yield row("exit of a killed process, zram", "swap what=kill")
    for device in ("zram", "zswap"):
        yield row(f"swap-out, {device}", f"swap what=out device={device}", quick=False)
        yield row(f"swap-in, verified, {device}", f"swap what=in device={device}", quick=False)
    for compress in (60, 0):
        what = "compressible" if compress else "not compressible"
        for rw in ("randread", "randwrite"):
            yield row(f"fio {rw} on zram, {what}", f"fio rw={rw} compress={compress}",
                      per="request", quick=False)


def smp_rows():
    """Several processors, emulated, a thread of the host each."""
    def row(name, command, source="module/crew.c:work_once", **more):
        return Row(name, f"smp{cpus}", "row " + command, source, **more)

    for cpus in (2, 4):
        for op in ("free", "map"):
            what = "free and malloc" if op == "free" else "map"
            for classes, size in (("one class", " size=1000"), ("many classes", "")):
                name, command = f"{what}, {classes}", f"threads threads={cpus} op={op}{size}"
                yield row(name, command)
                if cpus == 2:
                    yield row(f"{name}, under compaction", command + " moving=objects")
                    yield row(f"{name}, under migration", command + " moving=pages")
        if cpus == 2:
            yield row("page migration, under free and malloc", "live-migrate",
                      "module/threads.c:time_live_migrate", per="page")
            yield row("contiguous 8 MiB, under free and malloc", "live-contig",
                      "module/threads.c:time_live_contig", per="range")
            yield row("shrinker count, under free and malloc",
                      "shrinker-count threads=1 shrinker_list=@shrinker_list",
                      "module/threads.c:time_count")


def icount_rows():
    """Instructions of one call, as QEMU counts them."""
    for row in um_rows():
        if row.mean and row.quick:
            command = row.command if "objects=" in row.command else row.command + " objects=8000"
            yield Row(row.name, "icount", command, row.source, row.per)
    for op in ("free", "map"):
        yield Row(f"longest {op}", "icount", f"row latency op={op} objects=8000",
                  "module/latency.c:time_each", kind="latency")


def all_rows():
    """Every row, in the order of the report."""
    yield from um_rows()
    yield from memory_rows()
    yield from pressure_rows()
    yield from end_to_end_rows()
    yield from smp_rows()
    yield from icount_rows()
