# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes these documents into pages: make html, make man."""

import pathlib
import re

kbuild = (pathlib.Path(__file__).parent.parent / "Kbuild").read_text(encoding="utf-8")

project = "zsmalloc_rs"
author = "zsmalloc_rs developers"
version = release = re.search(r"^zs-version := (\S+)$", kbuild, re.M).group(1)

master_doc = "index"
# performance.rst includes it
exclude_patterns = ["results/performance.rst"]
smartquotes = False
highlight_language = "none"
nitpicky = True

html_theme = "alabaster"
html_theme_options = {"description": "zsmalloc with RCU, in Rust", "page_width": "70em"}
html_copy_source = False
html_show_sphinx = False

# source file, name, one line, author, section
man_pages = [
    ("man/zsmalloc_rs.4", "zsmalloc_rs",
     "allocator for zswap and zram, in Rust", author, "4"),
    ("man/zsmalloc-rs.8", "zsmalloc-rs",
     "show and choose what keeps its pages in zsmalloc_rs", author, "8"),
]
man_show_urls = True
