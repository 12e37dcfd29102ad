#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""tools/zsmalloc-rs, on trees that look like sysfs, procfs and debugfs.

Each test makes the files that a kernel of some kind would have, runs the tool with
--root, and looks at what it prints, writes and returns.  tests/guest/tool.sh has the
same commands meet a real kernel.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
TOOL = os.path.join(TOP, "tools/zsmalloc-rs")
PAGE = os.sysconf("SC_PAGE_SIZE")
RELEASE = "6.12.117"

STATS = "pages_used 100\nobjects 400\npages_migrated 7\npages_compacted 5\n" \
    "migrate_busy 3\nmigrate_refused_unlisted 2\nzspages_rcu_pending 1\n" \
    "names_moved 11\ntables_bytes 1024\norigins_bytes 512\n"
TOTALS = "pools 0\nraced_frees 4\npages_migrated 70\nmigrate_refused_freed 6\n" \
    "migrate_refused_unlisted 2\nisolate_refused_freed 9\ncompact_no_memory 8\nzspages_rcu_pending 1\n" \
    "zspages_rcu_pending_peak 33\n"
CLASSES = """\
 class  size       10%       99%      100% obj_allocated   obj_used pages_used pages_per_zspage freeable
   254  4096         0         0        20            20         20         20                1        0
    62  1024         0         1        19           320        300         80                1        4

 Total               0         1        39           340        320        100                         4
"""
UNUSED = {
    "proc/sys/kernel/osrelease": RELEASE + "\n",
    "proc/mounts": "debugfs /sys/kernel/debug debugfs rw 0 0\n",
    "proc/cmdline": "quiet\n",
    "proc/swaps": "Filename Type Size Used Priority\n/dev/vda partition 1 0 -2\n",
    "proc/meminfo": "MemTotal: 1000 kB\nZswap: 400 kB\nZswapped: 1600 kB\n",
    "sys/module/zswap/parameters/enabled": "N\n",
    "sys/module/zswap/parameters/zpool": "zsmalloc\n",
    "sys/module/zswap/parameters/compressor": "zstd\n",
    f"boot/config-{RELEASE}": "CONFIG_64BIT=y\nCONFIG_MODULES=y\nCONFIG_ZPOOL=y\nCONFIG_ZSWAP=y\n"
                              "CONFIG_RUST=y\n",
    f"lib/modules/{RELEASE}/modules.dep": "updates/zsmalloc_rs.ko.xz:\nkernel/a.ko: kernel/b.ko\n",
}
LOADED = {
    "sys/module/zsmalloc_rs/version": "0.2.0\n",
    "sys/module/zsmalloc_rs/srcversion": "ABCDEF\n",
    "sys/module/zsmalloc_rs/parameters/chain_size": "8\n",
    "sys/module/zsmalloc_rs/refcnt": "0\n",
    "sys/kernel/debug/zsmalloc_rs/stats": TOTALS,
}
IN_ZSWAP = {
    "sys/module/zswap/parameters/enabled": "Y\n",
    "sys/module/zswap/parameters/zpool": "zsmalloc_rs\n",
    "sys/kernel/debug/zsmalloc_rs/stats": TOTALS.replace("pools 0", "pools 1"),
    "sys/kernel/debug/zsmalloc_rs/zswap0/stats": STATS,
    "sys/kernel/debug/zsmalloc_rs/zswap0/classes": CLASSES,
}


def zram(nr, allocators="[zsmalloc] zsmalloc_rs", initialised=False, same=0):
    """The files of a device; `allocators` is None where zram has no choice."""
    d = f"sys/block/zram{nr}"
    files = {
        f"{d}/initstate": f"{int(initialised)}\n",
        f"{d}/disksize": f"{1 << 30 if initialised else 0}\n",
        f"{d}/comp_algorithm": "lzo [lz4]\n",
    }
    if allocators is not None:
        files[f"{d}/allocator"] = allocators + "\n"
    if initialised:
        files[f"{d}/mm_stat"] = f"{100 * PAGE} 999 {20 * PAGE} 0 {20 * PAGE} {same} 0 0 0\n"
    return files


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="zsm-tool.")
        self.addCleanup(self.dir.cleanup)

    def tree(self, *parts):
        for files in parts:
            for name, text in files.items():
                path = os.path.join(self.dir.name, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)

    def remove(self, name):
        os.remove(os.path.join(self.dir.name, name))

    def file(self, name):
        with open(os.path.join(self.dir.name, name), encoding="utf-8") as f:
            return f.read().strip()

    def run_tool(self, *args, code=0):
        done = subprocess.run([sys.executable, TOOL, "--root", self.dir.name, *args],
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout + done.stderr

    def json(self):
        return json.loads(self.run_tool("status", "--json"))


class Status(Case):
    def test_pool_of_zswap(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP)
        now = self.json()
        self.assertEqual(now["module"], {"loaded": True, "version": "0.2.0",
                                         "srcversion": "ABCDEF", "chain_size": 8})
        self.assertEqual(now["zswap"]["stored_bytes"], 1600 * 1024)
        [pool] = now["pools"]
        self.assertEqual((pool["name"], pool["user"], pool["objects"]), ("zswap0", "zswap", 400))
        self.assertEqual(pool["stored_bytes"], 400 * PAGE)
        self.assertEqual(pool["pool_bytes"], 100 * PAGE)
        self.assertEqual(pool["density"], 4)
        self.assertAlmostEqual(pool["fullness"], (20 * 4096 + 300 * 1024) / (100 * PAGE))
        self.assertAlmostEqual(pool["fragmentation"], 0.04)
        self.assertEqual(pool["counters"]["migrate_busy"], 3)
        self.assertEqual((pool["names_moved"], pool["names_bytes"]), (11, 1536))
        self.assertEqual(now["warnings"], [])

    def test_text_has_every_figure(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP)
        text = self.run_tool("status")
        self.assertIn(f"zsmalloc_rs 0.2.0 on Linux {RELEASE}, chain_size 8", text)
        self.assertRegex(text, r"zswap0 +400 .* 4\.00 .* 4\.0 % +7 +5 +11 +1\.5 KiB +3 +2 +1\n")
        self.assertIn("70 pages migrated; refused: 6 freed, 2 unlisted, 9 isolations; "
                      "compactions without memory: 8; waiting for RCU: 1 zspages, at most 33", text)

    def test_zram_without_pages_of_one_word(self):
        self.tree(UNUSED, LOADED, zram(0, "zsmalloc [zsmalloc_rs]", True, same=40))
        self.tree({"sys/kernel/debug/zsmalloc_rs/zram0/stats": "pages_used 20\nobjects 60\n"})
        [pool] = self.json()["pools"]
        self.assertEqual((pool["user"], pool["stored_bytes"]), ("zram", 60 * PAGE))
        self.assertEqual(pool["density"], 3)
        # without the table these are not known, and not 0
        self.assertIsNone(pool["fullness"])

    def test_zram_that_cannot_choose(self):
        self.tree(UNUSED, zram(0, None, True))
        [device] = self.json()["zram"]
        self.assertEqual((device["allocator"], device["can_choose"]), ("zsmalloc", False))

    def test_nothing_loaded(self):
        self.tree(UNUSED)
        now = self.json()
        self.assertEqual((now["module"], now["pools"]), ({"loaded": False}, []))
        self.assertIn("zsmalloc_rs is not loaded", self.run_tool("status"))

    def test_empty_tree(self):
        self.assertIsNone(self.json()["zswap"])
        self.run_tool("status")

    def test_empty_pool(self):
        self.tree(UNUSED, LOADED, {"sys/kernel/debug/zsmalloc_rs/zswap0/stats": "pages_used 0\n"})
        self.assertIsNone(self.json()["pools"][0]["density"])
        self.run_tool("status")

    def test_counters_that_do_not_exist_yet(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP)
        self.tree({"sys/kernel/debug/zsmalloc_rs/zswap0/stats": STATS + "new_one 5\nodd line\n"})
        self.assertEqual(self.json()["pools"][0]["counters"]["new_one"], 5)


class Debugfs(Case):
    def warning(self, *parts):
        self.tree(UNUSED, LOADED, *parts)
        self.remove("sys/kernel/debug/zsmalloc_rs/stats")
        [text] = self.json()["warnings"]
        self.assertIn(f"warning: {text}", self.run_tool("status"))
        return text

    def test_off(self):
        self.assertIn("debugfs=off", self.warning({"proc/cmdline": "quiet debugfs=off\n"}))

    def test_not_mounted(self):
        self.assertIn("not mounted", self.warning({"proc/mounts": "proc /proc proc rw 0 0\n"}))

    def test_locked_down(self):
        lockdown = {"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}
        self.assertIn("locked down", self.warning(lockdown))


class Check(Case):
    def check(self, code):
        return self.run_tool("check", code=code)

    def test_in_use(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP)
        self.assertIn("ok: zswap stores new pages in zsmalloc_rs", self.check(0))

    def test_zram_in_use(self):
        self.tree(UNUSED, LOADED, zram(0, "zsmalloc [zsmalloc_rs]", True))
        self.assertIn("ok: zram0 is on zsmalloc_rs", self.check(0))

    def test_no_swap(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP, {"proc/swaps": "Filename Type Size Used Priority\n"})
        self.assertIn("there is no swap", self.check(1))

    def test_installed_not_used(self):
        self.tree(UNUSED)
        text = self.check(1)
        self.assertIn("installed for this kernel: updates/zsmalloc_rs.ko.xz", text)
        self.assertIn("note: zswap is disabled", text)

    def test_not_installed(self):
        self.tree(UNUSED, {f"lib/modules/{RELEASE}/modules.dep": "kernel/a.ko:\n"})
        self.assertIn("missing: the module is not installed", self.check(2))

    def test_other_kernel(self):
        self.tree(UNUSED, {"proc/sys/kernel/osrelease": "6.18.1\n"})
        self.assertIn("zpool is gone since 6.18", self.check(2))
        self.tree({"proc/sys/kernel/osrelease": "6.120.1\n"})
        self.assertIn("no: Linux 6.120.1", self.check(2))

    def test_configuration(self):
        for option, words in (("64BIT", "64-bit"), ("MODULES", "loadable"), ("ZPOOL", "zpool")):
            config = UNUSED[f"boot/config-{RELEASE}"].replace(f"CONFIG_{option}=y\n", "")
            self.tree(UNUSED, {f"boot/config-{RELEASE}": config})
            self.assertRegex(self.check(2), rf"no: it .*{words}.*CONFIG_{option}")

    def test_configuration_unknown(self):
        self.tree(UNUSED)
        self.remove(f"boot/config-{RELEASE}")
        self.assertIn("unknown: this kernel's configuration cannot be found", self.check(1))
        self.tree({f"lib/modules/{RELEASE}/modules.dep": "kernel/a.ko:\n"})
        self.assertIn("missing: the module is not installed", self.check(3))

    def test_signature(self):
        self.tree(UNUSED, {"sys/module/module/parameters/sig_enforce": "Y\n"})
        self.assertIn("signed with a key", self.check(1))


class Enable(Case):
    def test_zswap_and_back(self):
        self.tree(UNUSED, LOADED)
        self.run_tool("enable", "zswap")
        self.assertEqual(self.file("sys/module/zswap/parameters/zpool"), "zsmalloc_rs")
        self.assertEqual(self.file("sys/module/zswap/parameters/enabled"), "Y")
        self.assertIn("modprobe -r zsmalloc_rs", self.run_tool("disable"))
        self.assertEqual(self.file("sys/module/zswap/parameters/zpool"), "zsmalloc")
        self.assertEqual(self.file("sys/module/zswap/parameters/enabled"), "Y")

    def test_zswap_without_swap(self):
        self.tree(UNUSED, LOADED, {"proc/swaps": "Filename Type Size Used Priority\n"})
        self.assertIn("warning: there is no swap", self.run_tool("enable", "zswap"))

    def test_no_zswap(self):
        self.tree(LOADED)
        self.assertIn("no zswap", self.run_tool("enable", "zswap", code=1))

    def test_disable_names_what_is_left(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP)
        self.assertIn("still in use: zswap0", self.run_tool("disable"))

    def test_leaked_pool(self):
        self.tree(UNUSED, LOADED, IN_ZSWAP,
                  {"sys/kernel/debug/zsmalloc_rs/stats": TOTALS.replace("pools 0", "pools 2")})
        self.assertIn("warning: pools without files: 1; leaked", self.run_tool("status"))

    def test_disable_knows_of_leaked_pools(self):
        self.tree(UNUSED, LOADED, {"sys/module/zsmalloc_rs/refcnt": "1\n"})
        text = self.run_tool("disable")
        self.assertIn("the module is in use, by what cannot be seen: its pool", text)
        self.assertNotIn("unloads the module", text)

    def test_disable_without_debugfs(self):
        self.tree(UNUSED, LOADED, {"sys/module/zsmalloc_rs/refcnt": "1\n"})
        self.remove("sys/kernel/debug/zsmalloc_rs/stats")
        text = self.run_tool("disable")
        self.assertIn("the module is in use, by what cannot be seen: debugfs has no", text)

    def test_disable_leaves_others_alone(self):
        self.tree(UNUSED, {"sys/module/zswap/parameters/zpool": "zbud\n"})
        self.run_tool("disable")
        self.assertEqual(self.file("sys/module/zswap/parameters/zpool"), "zbud")

    def test_zram_free_and_in_use(self):
        self.tree(UNUSED, LOADED, zram(0), zram(1, initialised=True))
        text = self.run_tool("enable", "zram", code=1)
        self.assertEqual(self.file("sys/block/zram0/allocator"), "zsmalloc_rs")
        self.assertEqual(self.file("sys/block/zram1/allocator"), "[zsmalloc] zsmalloc_rs")
        self.assertIn("not changed: zram1", text)

    def test_zram_by_name(self):
        self.tree(UNUSED, LOADED, zram(0), zram(1))
        self.run_tool("enable", "zram", "zram1")
        self.assertEqual(self.file("sys/block/zram0/allocator"), "[zsmalloc] zsmalloc_rs")
        self.assertEqual(self.file("sys/block/zram1/allocator"), "zsmalloc_rs")
        self.assertIn("no such device: zram9", self.run_tool("enable", "zram", "zram9", code=1))

    def test_zram_default(self):
        default = "sys/module/zram/parameters/allocator"
        self.tree(UNUSED, LOADED, {default: "zsmalloc\n"})
        self.run_tool("enable", "zram")
        self.assertEqual(self.file(default), "zsmalloc_rs")
        self.run_tool("disable")
        self.assertEqual(self.file(default), "zsmalloc")

    def test_zram_that_cannot_choose(self):
        self.tree(UNUSED, LOADED, zram(0, None))
        self.assertIn("lacks the patches", self.run_tool("enable", "zram", code=1))


class Version(unittest.TestCase):
    """One version in all places that name it."""

    @staticmethod
    def find(name, pattern):
        with open(os.path.join(TOP, name), encoding="utf-8") as f:
            found = re.search(pattern, f.read(), re.M)
        return found and found.group(1)

    def test_versions_agree(self):
        version = self.find("Kbuild", r"^zs-version := (\S+)$")
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.find("tools/zsmalloc-rs", r'^VERSION = "(.+)"$'), version)
        self.assertEqual(self.find("CHANGELOG.rst", r"^(\d+\.\d+\.\d+)\b"), version)
        self.assertEqual(self.find("packaging/arch/PKGBUILD", r"^pkgver=(.+)$"), version)
        self.assertEqual(self.find("packaging/rpm/zsmalloc-rs-dkms.spec", r"^Version:\s+(\S+)$"), version)
        said = self.find("Documentation/interfaces.rst", r"zsmalloc_rs: version (\S+) on Linux")
        self.assertEqual(said, version)


if __name__ == "__main__":
    unittest.main()
