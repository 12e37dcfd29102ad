# SPDX-License-Identifier: GPL-2.0
"""SVG plots of a report: a dot for each row's median, a line from least to greatest."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams.update({
    "svg.hashsalt": "zsmalloc_rs",  # the same figures, the same file
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
})

OURS, SAME, C = "#1b6ca8", "#888888", "#d9d9d9"


def _ratios(axes, figures):
    """Ours / C's by row, on C / C's in grey."""
    for y, f in enumerate(figures):
        if f.aa:
            axes.plot([f.aa["min"], f.aa["max"]], [y, y], color=C, linewidth=7,
                      solid_capstyle="butt", zorder=1)
        colour = OURS if f.significant() else SAME
        axes.plot([f.ratio["min"], f.ratio["max"]], [y, y], color=colour, linewidth=1.2, zorder=2)
        axes.plot(f.ratio["median"], y, "o", color=colour, markersize=5, zorder=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(figures)), [f.name for f in figures])
    axes.invert_yaxis()
    axes.grid(axis="x", color="#eeeeee")


def _add_license(path):
    first, rest = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text(f"{first}\n<!-- SPDX-License-Identifier: GPL-2.0 -->\n{rest}", encoding="utf-8")


def plot(figures, title, path, what="time"):
    """One plot: a row a line."""
    fig, axes = plt.subplots(figsize=(7.2, 0.9 + 0.27 * len(figures)))
    _ratios(axes, figures)
    axes.set_xlabel(f"{what}, C zsmalloc = 1 (less is better); grey: C against itself")
    axes.set_title(title, loc="left", fontsize=10)
    if axes.get_xlim()[0] > 0.5 and what == "time":
        axes.set_xlim(left=0.5)
    fig.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(fig)
    _add_license(path)


def plot_all(figures, sections, directory):
    """A plot for each section that has rows."""
    for machine, kind, title in sections:
        some = [f for f in figures if f.row.machine == machine and f.row.kind == kind]
        if some:
            what = "memory" if kind in ("memory", "pressure") else (
                "instructions" if machine == "icount" else "time")
            plot(some, title, directory / f"{machine}-{kind}.svg", what)
