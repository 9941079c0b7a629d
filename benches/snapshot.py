"""Snapshots: the data of a PostgreSQL that runs, saved and put back, beside pg_dump and pg_restore."""
import os
import shutil
import subprocess
import time
from pathlib import Path

import table
from lab import folder, quiet_moment

MIB = 1 << 20
# Of a row with its entry in an index; the database is measured afterwards.
ROW_BYTES = 290
MOST_OF_PG_RESTORE = 0.1

MANIFEST = """name: snapshot
services:
  db: { template: postgres }
  app: { command: [sleep, infinity], depends_on: [db] }
"""


class Workspace:
    """A database of about so many MiB, and a service that may call it."""

    def __init__(self, nagaya, place, mebibytes):
        self.nagaya, self.place = str(nagaya), Path(place)
        self.variables = {f"XDG_{name}": f"{place}/{name.lower()}" for name in ("STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")}
        for path in self.variables.values():
            os.makedirs(path, mode=0o700, exist_ok=True)
        (self.place / "nagaya.yaml").write_text(MANIFEST)
        self.tell("up", "-d", "--wait")
        rows = mebibytes * MIB // ROW_BYTES
        self.say("CREATE TABLE items (id bigint PRIMARY KEY, name text, body text)",
                 f"INSERT INTO items SELECT n, md5(n::text), repeat(md5((n * 7)::text), 6) FROM generate_series(1, {rows}) n",
                 "CREATE INDEX ON items (name)", "CHECKPOINT")

    def tell(self, *words):
        return subprocess.run([self.nagaya, *words], cwd=self.place, env={**os.environ, **self.variables},
                              capture_output=True, text=True, check=True).stdout

    def say(self, *lines):
        words = [word for line in lines for word in ("-c", line)]
        return self.tell("exec", "app", "--", "sh", "-c", 'exec psql -qtA "$DATABASE_URL" "$@"', "psql", *words).strip()

    def shell(self, line):
        return self.tell("exec", "app", "--", "sh", "-ec", line)

    def state(self):
        """What the database has, short enough to compare."""
        return self.say("SELECT count(*), sum(hashtext(name)) FROM items")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        state = next(self.place.glob("state_home/nagaya/*/engine.json")).parent
        self.tell("down")
        # Where root's databases are, which run as other accounts.
        shutil.rmtree(Path("/var/lib/nagaya") / state.name, ignore_errors=True)


def seconds(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def measured(workspace, place):
    """Each of the two ways, there and back; the data is spoilt in between, and has to be whole again."""
    whole = workspace.state()
    spoil = lambda: workspace.say("DELETE FROM items WHERE id % 3 = 0", "UPDATE items SET name = 'x' WHERE id % 7 = 0")
    dump = f"pg_dump -Fc -f {place}/dump \"$DATABASE_URL\""
    again = f"pg_restore --clean --if-exists -d \"$DATABASE_URL\" {place}/dump"
    out = {"dump_s": seconds(lambda: workspace.shell(dump))}
    out["save_s"] = seconds(lambda: workspace.tell("snapshot", "save", "bench"))
    spoil()
    out["restore_s"] = seconds(lambda: workspace.tell("snapshot", "restore", "bench"))
    if workspace.state() != whole:
        out["problem"] = "what was restored is not what was saved"
    # Before a second copy can lie ready again.
    workspace.say("UPDATE items SET name = 'x' WHERE id = 1")
    out["at_once_s"] = seconds(lambda: workspace.tell("snapshot", "restore", "bench"))
    if workspace.state() != whole:
        out["problem"] = "what was restored at once is not what was saved"
    out["resave_s"] = seconds(lambda: workspace.tell("snapshot", "save", "again"))
    spoil()
    out["pg_restore_s"] = seconds(lambda: workspace.shell(again))
    if workspace.state() != whole:
        out["problem"] = "what pg_restore put back is not what was dumped"
    return out


def run(nagaya, mebibytes, rounds, keep):
    if not shutil.which("pg_dump"):
        return keep({"bench": "snapshot", "tool": "nagaya", "problem": "there is no pg_dump"})
    for turn in range(rounds):
        with folder() as place, Workspace(nagaya, place, mebibytes) as workspace:
            busy = quiet_moment()
            size = int(workspace.say("SELECT pg_database_size(current_database())")) / MIB
            keep({"bench": "snapshot", "tool": "nagaya", "round": turn, "busy_before": busy, "mib": size,
                  **measured(workspace, place)})


COLUMNS = {"dump_s": "pg_dump -Fc", "save_s": "snapshot save", "pg_restore_s": "pg_restore",
           "restore_s": "snapshot restore", "at_once_s": "one more at once", "resave_s": "save after a restore"}


def tables(rows):
    middle = lambda key: f"{table.middle(table.values(rows, key)):.2f} s"
    size = table.middle(table.values(rows, "mib"))
    lines = [[f"{size:.0f} MiB", len(rows), *map(middle, COLUMNS)]]
    return table.markdown(["database", "rounds", *COLUMNS.values()], lines)


def targets(rows):
    """A restored snapshot over pg_restore, in the same round."""
    ratios = [row["restore_s"] / row["pg_restore_s"] for row in rows if "restore_s" in row]
    size = table.middle(table.values(rows, "mib")) if ratios else 0
    return [table.verdict(f"snapshot restore ÷ pg_restore, {size:.0f} MiB", MOST_OF_PG_RESTORE, table.middle(ratios) if ratios else None)]
