# SPDX-License-Identifier: GPL-2.0
"""The guests that rows run in.

um: User Mode Linux, native speed, one processor; um-small: the same with little memory. smp1, smp2, smp4: QEMU that translates, a thread of the
host for each processor; smp1 is for "bench/run --check" only. icount: QEMU that counts instructions, one processor.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import plan

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "bench"
DISKS = ("/dev/vda", "/dev/vdb")  # of QEMU's guests, for data

MACHINES = {
    "um": "User Mode Linux, native, one CPU",
    "um-small": "User Mode Linux, native, one CPU, 256 MiB",
    "smp1": "QEMU, translated, one CPU",
    "smp2": "QEMU, translated, two CPUs, a thread each",
    "smp4": "QEMU, translated, four CPUs, a thread each",
    "icount": "QEMU, one CPU, instructions counted",
}


def where(name):
    """The machine, and what it lacks on this host."""
    cpus = int(name.removeprefix("smp")) if name.startswith("smp") else 1
    host = os.cpu_count()
    return MACHINES[name] + (f", on a host that has {host}: they take turns" if cpus > host else "")


@contextlib.contextmanager
def locked():
    """Nobody else of ours boots a guest meanwhile."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "zsmalloc_rs/lock"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "guest", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def script(name, *args, arch):
    """Run one of scripts/, give its output."""
    env = dict(os.environ, ARCH=arch, FLAVOR="release", PAGE_SIZE="4K")
    env.pop("KDIR", None)
    return subprocess.run([TOP / "scripts" / name, *args], env=env, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def guest_program():
    """bench/guest, compiled."""
    program = BUILD / "guest"
    sources = sorted((TOP / "bench" / "guest").glob("*.c"))
    subprocess.run(["gcc", "-O2", "-static", "-Wall", "-Wextra", "-o", program, *sources],
                   check=True)
    return program


def build_module(machine, tree):
    """zsmalloc_rs.ko of a tree that has Kbuild and src, for the machine's kernel."""
    cflags, rustflags = "-Wno-null-pointer-arithmetic", ""
    if machine.arch == "um":
        # older trees know neither what it can load nor that it has no sections of memory
        cflags += " -DPAGES_PER_SECTION=0x8000"
        rustflags = "-Crelocation-model=static -Ccode-model=large"
    done = subprocess.run(
        ["bash", "-c", f". {TOP}/scripts/env.sh && kmake -C {machine.kdir} M={tree} -j$JOBS "
         f"KCFLAGS='{cflags}' KRUSTFLAGS='{rustflags}' modules"],
        env=dict(os.environ, ARCH=machine.arch), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {tree} did not build\n{done.stdout[-3000:]}")
    return tree / "zsmalloc_rs.ko"


def build_commit(machine, commit):
    """The same of another commit of this repository, built once."""
    kernel = hashlib.sha256(str(machine.kdir).encode()).hexdigest()[:8]
    tree = BUILD / f"{machine.arch}-{kernel}-{commit}"
    if not (tree / ".built").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        subprocess.run(f"git archive {commit} Kbuild src | tar -x -C {tree}", shell=True, cwd=TOP,
                       check=True)
        build_module(machine, tree)
        (tree / ".built").touch()
    return tree / "zsmalloc_rs.ko"


class Machine:
    """A kernel and the modules for it, and how it is booted."""

    def __init__(self, name, against=None):
        self.name = name
        self.arch = "um" if name.startswith("um") else "x86_64"
        script("kernel", arch=self.arch)
        script("module", "--quiet", arch=self.arch)
        self.kdir = Path(script("kernel", "--print-kdir", arch=self.arch))
        modules = Path(script("module", "--print-dir", arch=self.arch))
        self.ours = modules / "zsmalloc_rs.ko"
        self.old = build_commit(self, against) if against else None
        self.modules = [modules / "bench/module/zpool_bench.ko",
                        self.kdir / "drivers/block/zram/zram.ko"]

    def version(self):
        """The kernel's own name for itself."""
        return (self.kdir / "include/config/kernel.release").read_text().strip()

    def run(self, rows, rounds, data, log):
        """Go through the plan of these rows, give the results."""
        where = data if self.arch == "um" else dict(zip(data, DISKS))
        commands = plan.commands(rows, rounds, where, bool(self.old))
        return plan.parse(self.boot(list(commands), log, data.values()), rows)

    def boot(self, commands, log, disks=()):
        """Boot, execute the commands, give the lines that they wrote. User Mode Linux sees all of
        the host's files; QEMU gets these as disks."""
        # not in /tmp, which is another one in the guest
        with tempfile.TemporaryDirectory(prefix="guest.", dir=BUILD) as directory:
            boot = _boot_um if self.arch == "um" else _boot_qemu
            return boot(self, commands, Path(directory), log, disks)


def _write_plan(machine, commands, directory):
    lines = [f"use {plan.OURS}"]
    lines += [f"load {module.name}" + (" num_devices=1" if "zram" in module.name else "")
              for module in machine.modules]
    (directory / "plan").write_text("\n".join(lines + commands) + "\n")
    for module in machine.modules:
        shutil.copy(module, directory)
    shutil.copy(machine.ours, directory / plan.OURS)
    if machine.old:
        shutil.copy(machine.old, directory / plan.OLD)


def _boot_um(machine, commands, directory, log, _):
    """The host's files are the guest's, by hostfs: programs, data, plan, results."""
    _write_plan(machine, commands, directory)
    swap = directory / "swap"
    with swap.open("wb") as file:
        file.truncate(1 << 30)
    # slab_nomerge: so that pressure.c can tell whose caches are whose. UML keeps its memory in a file below TMPDIR: one that is in memory
    env = dict(os.environ, TMPDIR="/dev/shm")
    with log.open("wb") as out:
        subprocess.run(
            [machine.kdir / "linux",
             "mem=256M" if machine.name == "um-small" else "mem=1800M", "slab_nomerge",
             "root=/dev/root", "rootfstype=hostfs",
             "rootflags=/", "rw", f"init={BUILD / 'guest'}", f"ZB_DIR={directory}",
             f"ubd0={swap}", "con=null", "con0=null,fd:1", "quiet", "panic=1"],
            env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=7200, check=False)
    results = directory / "results"
    return results.read_text().splitlines() if results.exists() else []


def _boot_qemu(machine, commands, directory, log, disks):
    """A user space of one program, which is the first and only thing in an initrd."""
    root = directory / "root"
    root.mkdir()
    _write_plan(machine, commands, root)
    shutil.copy(BUILD / "guest", root / "init")
    initrd = directory / "initrd"
    subprocess.run("find . | cpio --quiet -o -H newc | gzip -1 >../initrd", shell=True, cwd=root,
                   check=True)
    if machine.name == "icount":
        more = ["-accel", "tcg,thread=single", "-icount", "shift=0,align=off,sleep=off",
                "-smp", "1"]
    else:
        more = ["-accel", "tcg,thread=multi", "-smp", machine.name.removeprefix("smp")]
    for disk in disks:
        more += ["-drive", f"file={disk},format=raw,if=virtio,readonly=on"]
    with log.open("wb") as out:
        subprocess.run(
            ["qemu-system-x86_64", "-machine", "q35,usb=off", "-cpu", "max", *more, "-m", "1G",
             "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-serial", "stdio", "-kernel", machine.kdir / "arch/x86/boot/bzImage",
             "-initrd", initrd, "-append",
             "console=ttyS0 quiet panic=-1 oops=panic watchdog_thresh=60"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=7200, check=False)
    return log.read_text(errors="replace").splitlines()
