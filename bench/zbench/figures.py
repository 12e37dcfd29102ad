# SPDX-License-Identifier: GPL-2.0
"""From results to figures: medians, ratios by round, geometric means."""

import statistics
from dataclasses import dataclass, field


def spread(values):
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


@dataclass
class Figure:
    """One line of the table. ratio is ours / C's of the same round; aa is C's / C's; old is that
    of another commit, and ratio_old ours / old."""

    row: object
    name: str
    unit: str
    ours: dict
    c: dict
    ratio: dict
    aa: dict | None = None
    old: dict | None = None
    ratio_old: dict | None = None
    values: dict = field(default_factory=dict)  # of each round, by variant
    notes: dict = field(default_factory=dict)

    @property
    def mean(self):
        return self.row.mean

    def significant(self, ratio=None):
        """Do all rounds but one in eight agree on who is better, and the median by more than what
        C against C gave?"""
        ratio = ratio or self.ratio
        if self.aa is None:
            return ratio["median"] != 1
        agree, rounds = ratio["agree"], ratio["rounds"]
        noise = abs(self.aa["median"] - 1)
        return agree >= rounds - rounds // 8 and abs(ratio["median"] - 1) > noise


def _ratios(over, under):
    ratios = [a / b if b else 1.0 for a, b in zip(over, under)]
    less, more = (sum(r < 1 for r in ratios), sum(r > 1 for r in ratios))
    return spread(ratios) | {"rounds": len(ratios), "agree": max(less, more)}


def _figure(row, name, unit, by_variant):
    c, ours, again, old = (by_variant.get(v) for v in "crao")
    return Figure(row, name, unit, spread(ours), spread(c), _ratios(ours, c),
                  _ratios(again, c) if again else None,
                  spread(old) if old else None, _ratios(ours, old) if old else None, by_variant)


def _time(row, results):
    unit = "instructions" if row.machine == "icount" else "ns"
    values = {v: [r["ns"] / max(r["ops"], 1) for r in rounds] for v, rounds in results.items()}
    figure = _figure(row, row.name, f"{unit}/{row.per}", values)
    # what the work came to, where the allocators may differ in it
    figure.notes = {v: {k: n for k, n in rounds[-1].items() if k != "ns"}
                    for v, rounds in results.items()}
    yield figure


def _latency(row, results):
    """The longest of all is told in instructions only: on a host that is not ours alone it is
    somebody else's time."""
    unit, keys = "ns", [("p999", "99.9th percentile")]
    if row.machine == "icount":
        unit, keys = "instructions", keys + [("max", "the longest")]
    for key, name in keys:
        values = {v: [r[key] for r in rounds] for v, rounds in results.items()}
        yield _figure(row, f"{row.name.removeprefix('longest ')}, {name}", unit, values)


def _memory(row, results):
    for when in ("fresh", "half", "cycled"):
        for what in ("pages", "total"):
            values = {}
            for v in results:
                values[v] = [r[f"{when}_pages"] + (r[f"{when}_slab"] if what == "total" else 0)
                             for r in results[v]]
            name = {"fresh": "full", "half": "half freed", "cycled": "after 25 cycles"}[when]
            yield _figure(row, f"{row.name}: {name}, {'pages' if what == 'pages' else 'pages and slab'}",
                          "pages", values)


def _pressure(row, results):
    """What the allocator took for what was in it: that differs a little from run to run."""
    for what in ("pages", "pages and slab"):
        values = {v: [1000 * 4096 * (r["pages"] + (r["slab"] if "slab" in what else 0)) / r["data"]
                      for r in rounds] for v, rounds in results.items()}
        figure = _figure(row, f"{row.name}: {what}", "bytes/1000 of data", values)
        figure.notes = {v: rounds[-1] for v, rounds in results.items()}
        yield figure


def figures(results):
    """All lines of the table, in the order of the rows."""
    make = {"time": _time, "latency": _latency, "memory": _memory, "pressure": _pressure}
    for row, by_variant in results.items():
        yield from make[row.kind](row, by_variant)


def geometric_mean(some):
    """Of these ratios' medians; None without any."""
    ratios = [ratio["median"] for ratio in some]
    return statistics.geometric_mean(ratios) if ratios else None
