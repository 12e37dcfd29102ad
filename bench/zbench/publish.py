# SPDX-License-Identifier: GPL-2.0
"""What bench/run --publish puts into Documentation/, results and plots, and into README.md."""

from . import plots
from .figures import geometric_mean
from .machines import MACHINES, where
from .report import SECTIONS, digits, legend, mark, means, section, table

RESULTS = "results/performance.rst"
BEGIN, END = "<!-- Written by bench/run --publish: -->\n", "<!-- End of what it has written. -->\n"

# The rows that say most to somebody who looks for one minute.
SHORT = (
    "malloc and write", "random read", "free at random", "churn", "refill",
    "munmap of zram swap, 1 process", "swap-out, zswap",
    "files, lz4: full, pages and slab", "files, lz4: after 25 cycles, pages and slab",
    "zswap under pressure: pages and slab",
)


def _table(rows):
    """A simple table of reStructuredText; the first row is its head."""
    header, *rows = rows
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = "  ".join("=" * width for width in widths)
    line = lambda row: "  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()  # noqa: E731
    return [rule, line(header), rule, *map(line, rows), rule]


def _heading(text, mark):
    return ["", text, mark * len(text), ""]


def results(figures, about):
    """The file of results."""
    yield from (".. SPDX-License-Identifier: GPL-2.0", ".. Written by bench/run --publish.")
    yield from _heading("Results", "=")
    for key, value in about.items():
        yield f":{key}: {value}"
    yield ""
    yield legend(about)
    for machine, kind, title in SECTIONS:
        some = section(figures, machine, kind)
        if not some:
            continue
        yield from _heading(title, "-")
        yield from (f"{where(machine)}.", "", f".. image:: plots/{machine}-{kind}.svg", "")
        yield from _table(table(some))
    yield from _heading("Geometric means", "-")
    yield from _table([("rows", "", "mean"), *(
        (title, what, f"{mean:.3f}")
        for title, of in means(figures).items() for what, mean in of.items())])


def summary(some, figures, about):
    """A small table, for README.md."""
    yield from ("| what | ours / C zsmalloc |", "|---|--:|")
    for f in some:
        yield f"| {f.name} | {f.ratio['median']:.{digits(f)}f}{mark(f, f.ratio)} |"
    mean = geometric_mean(f.ratio for f in figures if f.mean)
    yield f"| geometric mean of the allocator's own rows | {mean:.2f} |"
    yield from ("", f"Less than 1 is better; =: no difference. {about['tree']}, {about['date']}, {MACHINES['um']}.")


def publish_readme(figures, about, documentation):
    """The table between the two marks, and its plot; only if every row of it has been measured."""
    some = [f for name in SHORT for f in figures
            if f.row.machine.startswith("um") and f.name == name]
    if len(some) != len(SHORT):
        return
    readme = documentation.parent / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    lines = "\n".join(summary(some, figures, about)) + "\n"
    readme.write_text(before + BEGIN + lines + END + after, encoding="utf-8")
    own = [f for f in figures if f.mean and "400,000" not in f.name]
    plots.plot(own, "zsmalloc_rs beside C zsmalloc, one CPU", documentation / "plots/summary.svg")


def publish(figures, about, documentation):
    """All of it."""
    directory = documentation / "plots"
    directory.mkdir(exist_ok=True)
    (documentation / RESULTS).write_text("\n".join(results(figures, about)) + "\n")
    plots.plot_all(figures, SECTIONS, directory)
    publish_readme(figures, about, documentation)
