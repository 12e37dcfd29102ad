#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""scripts/report: nothing that failed or was skipped looks as if it had passed."""

import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ET

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
MIXED = """\
TAP version 13
# --- host
ok 1 - first & <best>
# line 7: false
# expected 3
not ok 2 - second
  not ok 1 nested
ok 3 third # SKIP no KASAN here\r
noise of a program
ok
1..4
"""


class Report(unittest.TestCase):
    def report(self, **parts):
        with tempfile.TemporaryDirectory(prefix="zsm-report.") as d:
            for name, text in parts.items():
                if text is not None:
                    with open(f"{d}/{name}.tap", "w", encoding="utf-8", newline="") as f:
                        f.write(text)
            subprocess.run([f"{TOP}/scripts/report", f"{d}/out.xml", d, *parts], check=True)
            return ET.parse(f"{d}/out.xml").getroot()

    def test_results(self):
        [suite] = self.report(host=MIXED)
        self.assertEqual([c.get("name") for c in suite][:3], ["first & <best>", "second", "third"])
        self.assertEqual({k: suite.get(k) for k in ("name", "tests", "failures", "skipped")},
                         {"name": "host", "tests": "4", "failures": "1", "skipped": "1"})
        self.assertIn("# expected 3", suite[1].find("failure").text)
        self.assertEqual(suite[2].find("skipped").get("message"), "no KASAN here")

    def test_part_without_result(self):
        for text in (None, "", "make: no such thing\n"):
            root = self.report(vm="ok 1 - boots\n", guest=text)
            self.assertEqual(root.get("failures"), "1")
            self.assertEqual(root[1][0].find("failure").get("message"), "gave no result")


if __name__ == "__main__":
    unittest.main()
