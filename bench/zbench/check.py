# SPDX-License-Identifier: GPL-2.0
"""What make test asks of the benchmark: TAP.

It builds, one short round of every quick row of one CPU gets to its end, and no pool has more pages
than C's, but for chance (SLACK). Times are not looked at: they belong on a quiet machine. So this is
QEMU with the kernel that the tests have, and no kernel has to be built for it.
"""

from dataclasses import replace

from .plan import FAILED

# Of each of a hundred size classes and more, one zspage is not full, and how full it is, is chance.
# By that the two differ with data that every machine makes anew: half a page a class is allowed.
SLACK = 60


def short(row):
    """The same row with less to do."""
    row = replace(row, machine="smp1")
    if row.command.startswith("swap "):
        return replace(row, command=row.command + " mb=32")
    if row.kind != "memory" and row.command.startswith("row ") and "objects=" not in row.command:
        return replace(row, command=row.command + " objects=2000")
    return row


def tap(collect):
    """Prints TAP; collect() gives the figures. True if all is well."""
    try:
        figures, about = collect()
    except OSError as error:
        print(f"not ok - bench: {error}")
        return False
    if FAILED in about:
        print(f"not ok - bench: {about[FAILED]}")
        return False
    print(f"ok - bench: one short round of {len({f.row for f in figures})} rows")
    print(f"# measuring took {about['measuring took']}")
    good = True
    for f in figures:
        if f.row.kind == "memory" and f.name.endswith(", pages"):
            fine = f.ours["max"] <= f.c["min"] + SLACK
            good &= fine
            print(f"{'ok' if fine else 'not ok'} - bench: {f.name}: "
                  f"{f.ours['median']:.0f} of C's {f.c['median']:.0f}")
    return good
