# SPDX-License-Identifier: GPL-2.0
"""What is compressed for the memory rows: files, and a heap."""

import subprocess
import sys
from pathlib import Path

# A tree of every function of the standard library: small objects of many kinds,
# strings, dictionaries, as a program's heap has them. Then its writable memory.
HEAP = """
import ast, pathlib, sys, sysconfig
trees = []
for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
    source = path.read_text(errors="replace")
    trees.append((str(path), source, ast.parse(source), source.split()))
with open(sys.argv[1], "wb") as out, open("/proc/self/maps") as maps, \\
        open("/proc/self/mem", "rb", 0) as mem:
    for line in maps.read().splitlines():
        where, mode, _, _, inode, *name = line.split()
        if mode.startswith("rw") and inode == "0" and name in ([], ["[heap]"]):
            start, end = (int(word, 16) for word in where.split("-"))
            mem.seek(start)
            out.write(mem.read(end - start))
"""


def _files(path, source):
    """Text and object code in equal parts: the kernel's source, and libraries."""
    limit = 64 << 20
    trees = " ".join(f"{source}/{name}" for name in ("mm", "kernel", "lib", "fs", "include"))
    subprocess.run(
        f"{{ find {trees} -name '*.[ch]' -type f | LC_ALL=C sort | xargs cat 2>/dev/null | head -c {limit}; "
        f"find /usr/lib/x86_64-linux-gnu -maxdepth 1 -name '*.so*' -type f | LC_ALL=C sort | "
        f"xargs cat 2>/dev/null | head -c {limit}; }} >{path}", shell=True, check=True)


def make(directory, source):
    """The files by name, made if they are not there."""
    files, heap = directory / "files.data", directory / "heap.data"
    if not files.exists():
        _files(files, source)
    if not heap.exists():
        subprocess.run([sys.executable, "-c", HEAP, heap], check=True)
    return {"files": str(files), "heap": str(heap)}


def sizes(data):
    """In MiB, for the report."""
    return ", ".join(f"{name} {Path(path).stat().st_size >> 20} MiB" for name, path in data.items())
