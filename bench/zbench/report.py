# SPDX-License-Identifier: GPL-2.0
"""report.json, report.md, and the table on the terminal."""

import json

from .figures import geometric_mean
from .machines import MACHINES

SECTIONS = (
    ("um", "time", "One allocator, one CPU"),
    ("um", "latency", "Nearly the longest calls"),
    ("um", "memory", "Memory"),
    ("smp2", "time", "Two CPUs"),
    ("smp4", "time", "Four CPUs"),
    ("icount", "time", "Instructions"),
    ("icount", "latency", "Instructions of the longest calls"),
)


def number(value):
    """With as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def spread(ratio):
    """Median, least and greatest."""
    if ratio["min"] == ratio["max"]:
        return f"{ratio['median']:.3f}"
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"


def section(figures, machine, kind):
    """The figures of one table."""
    return [f for f in figures if f.row.machine == machine and f.row.kind == kind]


def as_dict(figures, about):
    """What report.json has."""
    rows = [
        {"name": f.name, "machine": f.row.machine, "kind": f.row.kind, "unit": f.unit,
         "command": f.row.command, "source": "bench/" + f.row.source, "ours": f.ours, "c": f.c,
         "ratio": f.ratio, "aa": f.aa, "significant": f.significant(), "in_mean": f.mean,
         "rounds": f.values, "notes": f.notes}
        for f in figures
    ]
    return {"about": about, "geometric_means": means(figures), "rows": rows}


def means(figures):
    """Geometric means by section; of User Mode Linux also that of the allocator's own rows."""
    result = {}
    for machine, kind, title in SECTIONS:
        some = section(figures, machine, kind)
        if kind == "time" and machine == "um":
            some = [f for f in some if f.mean]
        if kind == "time" and some:
            result[title] = geometric_mean(some)
    return result


def _table(figures):
    yield "| row | unit | ours | C | ours / C: median (min–max) | C / C: median (min–max) |"
    yield "|---|---|--:|--:|--:|--:|"
    for f in figures:
        mark = "" if f.significant() else " ="
        yield (f"| {f.name} | {f.unit} | {number(f.ours['median'])} | {number(f.c['median'])} | "
               f"{spread(f.ratio)}{mark} | {spread(f.aa) if f.aa else ''} |")


def markdown(figures, about):
    """report.md."""
    yield "<!-- SPDX-License-Identifier: GPL-2.0 -->"
    yield "# zsmalloc_rs beside C zsmalloc"
    yield ""
    for key, value in about.items():
        yield f"- {key}: {value}"
    yield ""
    yield ("Less than 1 is better than C. `=`: no difference; the rounds do not agree on one, or C "
           "against itself gave as much.")
    for machine, kind, title in SECTIONS:
        some = section(figures, machine, kind)
        if some:
            yield from ("", f"## {title}", "", f"Where: {MACHINES[machine]}.", "")
            yield from _table(some)
    yield from ("", "## Geometric means", "")
    for title, mean in means(figures).items():
        yield f"- {title}: {mean:.3f}"


def write(figures, about, directory):
    """Both files; the Markdown is also what make bench prints."""
    text = "\n".join(markdown(figures, about)) + "\n"
    (directory / "report.md").write_text(text)
    (directory / "report.json").write_text(
        json.dumps(as_dict(figures, about), indent=1, ensure_ascii=False) + "\n")
    return text
