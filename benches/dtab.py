"""Routes: what binding a name costs, by the number of entries."""
import json
import subprocess
from pathlib import Path

import table
from lab import quiet_moment

LARGEST, SMALLEST = 10_000, 10


def run(rounds, keep):
    """`dtab.rs`, once a round: it takes the least of many batches itself."""
    command = ["cargo", "bench", "--quiet", "--bench", "dtab"]
    folder = Path(__file__).resolve().parent.parent
    for turn in range(rounds):
        busy = quiet_moment()
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        for line in filter(lambda line: line.startswith("{"), told.splitlines()):
            row = json.loads(line)
            keep({"bench": "dtab", "tool": row["shape"], "round": turn, "busy_before": busy, **row})


def tables(rows):
    lines = []
    for shape in table.distinct(rows, "shape"):
        smallest = table.select(rows, shape=shape, entries=SMALLEST)
        for entries in table.distinct(table.select(rows, shape=shape), "entries"):
            mine = table.select(rows, shape=shape, entries=entries)
            over = table.spread(table.ratios(mine, smallest, "ns"))
            lines.append([shape, f"{entries:,}", len(mine), table.spread(table.values(mine, "ns")), over])
    return table.markdown(["table", "entries", "rounds", "ns/bind", f"÷ {SMALLEST} entries"], lines)


def targets(rows):
    """A bind in the largest table over one in the smallest, in the same round."""
    verdicts = []
    for shape in table.distinct(rows, "shape"):
        large, small = (table.select(rows, shape=shape, entries=entries) for entries in (LARGEST, SMALLEST))
        if large:
            what = f"a bind among {LARGEST:,} entries ÷ among {SMALLEST}, {shape}"
            verdicts.append(table.verdict(what, 2, table.middle(table.ratios(large, small, "ns"))))
    return verdicts
