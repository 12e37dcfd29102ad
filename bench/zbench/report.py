# SPDX-License-Identifier: GPL-2.0
"""report.json, report.md, and the table on the terminal."""

import json

from .figures import geometric_mean
from .machines import where

SECTIONS = (
    ("um", "time", "One allocator, one CPU"),
    ("um", "latency", "Nearly the longest calls"),
    ("um", "memory", "Memory"),
    ("um-small", "pressure", "Memory under pressure"),
    ("smp2", "time", "Two CPUs"),
    ("smp4", "time", "Four CPUs"),
    ("icount", "time", "Instructions"),
    ("icount", "latency", "Instructions of the longest calls"),
)


def number(value):
    """With as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def spread(ratio, places=2):
    """Median, least and greatest."""
    median, least, greatest = (f"{ratio[key]:.{places}f}" for key in ("median", "min", "max"))
    return median if ratio["min"] == ratio["max"] else f"{median} ({least}–{greatest})"


def digits(f):
    """Of memory a thousandth means something."""
    return 3 if f.row.kind in ("memory", "pressure") else 2


def section(figures, machine, kind):
    """The figures of one table."""
    return [f for f in figures if f.row.machine == machine and f.row.kind == kind]


def as_dict(figures, about):
    """What report.json has."""
    rows = [
        {"name": f.name, "machine": f.row.machine, "kind": f.row.kind, "unit": f.unit,
         "command": f.row.command, "source": "bench/" + f.row.source, "ours": f.ours, "c": f.c,
         "ratio": f.ratio, "aa": f.aa, "old": f.old, "ratio_old": f.ratio_old, "significant": f.significant(), "in_mean": f.mean,
         "rounds": f.values, "notes": f.notes}
        for f in figures
    ]
    return {"about": about, "geometric_means": means(figures), "rows": rows}


def means(figures):
    """Geometric means by section: ours / C, and ours / old if there is another commit. Of User Mode
    Linux only of the allocator's own rows."""
    result = {}
    for machine, kind, title in SECTIONS:
        some = section(figures, machine, kind)
        if kind == "time" and machine == "um":
            some = [f for f in some if f.mean]
        if kind == "time" and some:
            result[title] = {"ours / C": geometric_mean(f.ratio for f in some)}
            if all(f.ratio_old for f in some):
                result[title]["ours / old"] = geometric_mean(f.ratio_old for f in some)
    return result


def mark(f, ratio):
    """What stands behind a ratio that says nothing."""
    return "" if f.significant(ratio) else " ="


def _marked(f, ratio):
    return spread(ratio, digits(f)) + mark(f, ratio)


def table(figures):
    """The head and the lines of a table."""
    old = any(f.ratio_old for f in figures)
    yield ("row", "unit", "ours", "C", "ours / C", "C / C") + (("old", "ours / old") if old else ())
    for f in figures:
        cells = (f.name, f.unit, number(f.ours["median"]), number(f.c["median"]),
                 _marked(f, f.ratio), spread(f.aa, digits(f)) if f.aa else "-")
        if old:
            cells += (number(f.old["median"]), _marked(f, f.ratio_old)) if f.old else ("-", "-")
        yield cells


def legend(about):
    """What the tables' columns and marks mean."""
    text = ("Ratios: median (least and greatest) of all rounds. Less than 1 is better than C. =: no "
            "difference; the rounds do not agree on one, or C against itself (C / C) gave as much.")
    return text + (f" Old: ours of {about['old']}." if "old" in about else "")


def _markdown_table(figures):
    head, *lines = table(figures)
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|" + "--:|" * (len(head) - 2)
    yield from ("| " + " | ".join(cells) + " |" for cells in lines)


def markdown(figures, about):
    """report.md."""
    yield "<!-- SPDX-License-Identifier: GPL-2.0 -->"
    yield "# zsmalloc_rs beside C zsmalloc"
    yield ""
    for key, value in about.items():
        yield f"- {key}: {value}"
    yield ""
    yield legend(about)
    for machine, kind, title in SECTIONS:
        some = section(figures, machine, kind)
        if some:
            yield from ("", f"## {title}", "", f"Where: {where(machine)}.", "")
            yield from _markdown_table(some)
    yield from ("", "## Geometric means", "")
    for title, of in means(figures).items():
        yield f"- {title}: " + ", ".join(f"{what} {mean:.3f}" for what, mean in of.items())


def write(figures, about, directory):
    """Both files; the Markdown is also what make bench prints."""
    text = "\n".join(markdown(figures, about)) + "\n"
    (directory / "report.md").write_text(text)
    (directory / "report.json").write_text(
        json.dumps(as_dict(figures, about), indent=1, ensure_ascii=False) + "\n")
    return text
