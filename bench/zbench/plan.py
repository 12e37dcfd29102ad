# SPDX-License-Identifier: GPL-2.0
"""Plans for guests, and their results.

Each round has every row, and each row all its variants, one right after the other and in another
order in the next round: "c" C zsmalloc, "r" ours, "a" C zsmalloc again, "o" ours of another commit.
a against c says what a difference means that is none. A round before the first warms up, and is not
counted.
"""

TYPES = {"c": "zsmalloc", "r": "zsmalloc_rs", "a": "zsmalloc", "o": "zsmalloc_rs"}
# each comes as often in each place, and after each of the others
ORDERS = ("cra", "rac", "acr", "rca", "car", "arc")
ORDERS_AGAINST = ("croa", "raco", "aorc", "ocar")

# the module in the guest, and that of the other commit
OURS, OLD = "zsmalloc_rs.ko", "zsmalloc_rs-old.ko"

CORE = ("row core core isolate_movable_page=@isolate_movable_page "
        "putback_movable_pages=@putback_movable_pages migrate_pages=@migrate_pages")


def variants(row, number, against):
    """The order of the variants in a round; memory is not timed, and needs no A/A."""
    orders = ORDERS_AGAINST if against else ORDERS
    order = orders[number % len(orders)]
    return order.replace("a", "") if row.kind == "memory" else order


def _memory_options(row):
    return dict(word.split("=") for word in row.command.split() if "=" in word)


def commands(rows, rounds, data, against=False):
    """The plan's lines for these rows; data maps names to files in the guest."""
    yield CORE
    for number in range(-1 if rounds > 1 else 0, rounds):
        for index, row in enumerate(rows):
            if row.kind == "memory":
                # page counts are the same each time
                if number != 0:
                    continue
                options = _memory_options(row)
                yield (f"row {index}.sizes.0 sizes alg={options['alg']} "
                       f"file={data[options['data']]}")
            for v in variants(row, number, against):
                if against and v in "ro":
                    yield f"use {OLD if v == 'o' else OURS}"
                what, _, rest = row.command.partition(" ")
                if what == "row":
                    name, _, rest = rest.partition(" ")
                    rest = f"{name} type={TYPES[v]} {rest}"
                else:
                    rest = f"type={TYPES[v]} {rest}"
                yield f"{what} {index}.{v}.{number} {rest}".rstrip()


# what a report says of boots that have failed
FAILED = "failed, and so not here"


class Failed(Exception):
    """A guest that did not get to its end, or a command that failed in it."""


def parse(lines, rows):
    """Results by row and variant: a list of dicts, one a round."""
    results = {}
    finished = False
    for line in lines:
        ident, _, rest = line.strip().partition(" ")
        finished |= ident == "finished"
        if "fail" in rest.split()[:2]:
            index = ident.split(".")[0]
            name = rows[int(index)].name if index.isdigit() else ident
            raise Failed(f"{name}: {rest}")
        if not rest.startswith("ok ") or ident.count(".") != 2:
            continue
        index, variant, number = ident.split(".")
        if number == "-1" or variant not in TYPES:
            continue
        values = {key: int(value) for key, value in
                  (word.split("=") for word in rest.split()[1:])}
        results.setdefault(rows[int(index)], {}).setdefault(variant, []).append(values)
    if not finished:
        raise Failed("the guest ended before its plan did")
    return results
