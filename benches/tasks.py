"""Tasks: what keys, kept results and lists cost beside git and cp."""
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import table
from lab import quiet_moment

INPUTS, OUTPUTS, OUTPUT_SIZE = 10_000, 1_000, 100 << 10
PROJECTS, FILES = 1_000, 100_000
SETTLED = 4
MANIFEST = """tasks:
  keyed: { command: 'true', inputs: [src], outputs: [] }
  made: { command: 'cp -r kept out', inputs: [], outputs: [out] }
"""


def measured(command, folder, variables):
    """Wall and processor time of a command, in seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True, shell=isinstance(command, str))
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def fill(folder):
    (folder / "nagaya.yaml").write_text(MANIFEST)
    for place in range(INPUTS):
        path = folder / "src" / f"{place // 100}" / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{place}\n".encode() * 600)
    (folder / "kept").mkdir()
    for place in range(OUTPUTS):
        (folder / "kept" / str(place)).write_bytes(os.urandom(OUTPUT_SIZE))
    tree = folder / "tree"
    for place in range(PROJECTS):
        project = tree / f"group{place // 50}" / f"project{place}"
        (project / "src").mkdir(parents=True)
        (project / "package.json").write_text('{"scripts": {"build": "tsc", "test": "npm run build"}}')
        for file in range(FILES // PROJECTS - 1):
            (project / "src" / f"{file}.ts").touch()
    subprocess.run(["git", "init", "-q", tree], check=True)


def run(nagaya, rounds, keep):
    with tempfile.TemporaryDirectory(prefix="nb-tasks-") as folder:
        folder = Path(folder)
        variables = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CACHE", "STATE")}
        fill(folder)
        measured([nagaya, "run", "made"], folder, variables)
        remove = lambda: shutil.rmtree(folder / "out", ignore_errors=True)
        nothing = lambda: None
        forget = lambda: shutil.rmtree(folder / "cache" / "nagaya" / "trees", ignore_errors=True)
        cases = [
            ("key", "git hash-object", "find src -type f | git hash-object --stdin-paths", nothing),
            ("key", "nagaya", [nagaya, "run", "--dry-run", "keyed"], nothing),
            ("restore", "cp", ["cp", "-r", "kept", "out"], remove),
            ("restore", "nagaya", [nagaya, "run", "made"], remove),
            ("list", "git ls-files", "cd tree && git ls-files -co --exclude-standard", nothing),
            ("list", "nagaya", [nagaya, "tasks", "tree", "--json"], forget),
            ("list again", "nagaya", [nagaya, "tasks", "tree", "--json"], nothing),
        ]
        # What has just been made is not remembered yet.
        time.sleep(SETTLED)
        for turn in range(rounds):
            measured([nagaya, "tasks", "tree"], folder, variables)
            for what, tool, command, prepare in table.in_turn(cases, turn):
                prepare()
                busy = quiet_moment()
                row = measured(command, folder, variables)
                keep({"bench": "tasks", "what": what, "tool": tool, "round": turn, "busy_before": busy, **row})


def floor(rows, what):
    return [row for row in table.select(rows, what=what) if row["tool"] != "nagaya"]


def tables(rows):
    lines = []
    for what in table.distinct(rows, "what"):
        for tool in table.distinct(table.select(rows, what=what), "tool"):
            mine = table.select(rows, what=what, tool=tool)
            over = table.spread(table.ratios(mine, floor(rows, what.split()[0]), "s"))
            lines.append([what, tool, len(mine), table.spread(table.values(mine, "s")),
                          table.spread(table.values(mine, "cpu_s")), over])
    return table.markdown(["what", "tool", "rounds", "s", "CPU s", "÷ floor"], lines)


def targets(rows):
    limits = {"key": (2, f"a key over {INPUTS:,} inputs ÷ git hash-object"),
              "restore": (1, f"{OUTPUTS:,} outputs of 100 KiB put back ÷ cp"),
              "list": (1.5, f"tasks among {FILES:,} files ÷ git ls-files")}
    verdicts = []
    for what, (limit, words) in limits.items():
        mine = table.select(rows, what=what, tool="nagaya")
        verdicts.append(table.verdict(words, limit, table.middle(table.ratios(mine, floor(rows, what), "s"))))
    again = table.values(table.select(rows, what="list again"), "cpu_s")
    verdicts.append(table.verdict("the same list again, ms of CPU", 30, table.middle([1000 * value for value in again])))
    return verdicts
