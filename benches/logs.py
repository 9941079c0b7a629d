"""A burst of log lines from one service: lost, out of order, or only expensive?"""
import os
import re
import signal
import time

import table
from lab import Report, all_pids, cpu_ns, folder, forget_peak, peak_kib, program, quiet_moment, until
from tools import DetachedNagaya, Tool

WAITING, BEGUN, TAKEN = range(3)
START_SECONDS, BURST_SECONDS = 30, 120
# More would take the slow ones minutes, and tell nothing new.
MOST_LINES_FOR_PEERS = 100_000
NUMBERED = re.compile(rb"(\d{9}) x{89}")
DELETED = re.compile(rb"(\d+) lines were deleted")


class Cat(Tool):
    """The floor: whoever passes a service's output on reads it and writes it."""

    def version(self):
        return "cat"

    def configure(self, folder, commands):
        self.words = commands[0][1]

    def argv(self, folder):
        return ["sh", "-c", f"{' '.join(self.words)} | exec cat"]


class NobodyFollows(DetachedNagaya):
    """Keeps everything, so that every line can be looked for afterwards."""

    follower = None
    extra = "    logs: {max_size: 1GiB}\n"

    def follow(self, started, place):
        return None

    def written(self, started, follower, place):
        """What came out, as a file."""
        told = self.client(started, place, "logs", "lines")
        until(told.ended, BURST_SECONDS)
        return told.output


class LogsFollow(NobodyFollows):
    """Keeps as much as is kept by default, so that a follower has to keep up or say what it missed."""

    extra = ""

    def follow(self, started, place):
        follower = self.client(started, place, "logs", "-f", "lines")
        until(lambda: b"waiting" in follower.output.read_bytes(), START_SECONDS)
        return follower

    def written(self, started, follower, place):
        return follower.output


class Dashboard(NobodyFollows):
    def follow(self, started, place):
        follower = self.client(started, place, "ui", terminal=(160, 50))
        time.sleep(1)  # A screen does not say when it is complete.
        return follower


def tools(nagaya, booting):
    """The tools of this benchmark."""
    return [
        Cat("floor-cat", "/bin/cat"),
        NobodyFollows("nagaya, nobody follows", nagaya),
        LogsFollow("nagaya, logs -f", nagaya),
        Dashboard("nagaya, dashboard", nagaya),
        *(tool for tool in booting if tool.is_peer),
    ]


def run(tools, sizes, rounds, programs, keep):
    for size in sizes:
        for turn in range(rounds):
            for tool in table.in_turn(tools, turn):
                own = isinstance(tool, (Cat, NobodyFollows))
                if own or size <= MOST_LINES_FOR_PEERS:
                    keep(once(tool, size, turn, programs))


def once(tool, size, turn, programs):
    row = {"bench": "logs", "tool": tool.name, "lines": size, "round": turn}
    with folder() as place:
        report = Report(f"{place}/report", 3)
        row["busy_before"] = quiet_moment()
        lines = str(programs / "lines")
        started = tool.start(place, [("lines", [lines, report.path, str(size)])])
        follower = None
        try:
            if not until(lambda: report.times[WAITING], START_SECONDS):
                row["problem"] = "the service never ran"
                return row
            follower = tool.follow(started, place) if isinstance(tool, NobodyFollows) else None
            burst(tool, started, follower, report, row, lines)
            check(tool, started, follower, place, row)
            finish(tool, started, place)
        finally:
            for command in filter(None, (follower, started)):
                command.sweep()
    return row


def burst(tool, started, follower, report, row, lines):
    # By the program: in a pod it knows only the number that it has there.
    writer = next(pid for pid in all_pids() - started.before if program(pid) == lines)
    own = [pid for pid in started.family(without=[writer]) if not (tool.is_client and pid == started.pid)]
    watched = [follower.pid] if follower else []
    time.sleep(0.3)
    cpu, follower_cpu = sum(map(cpu_ns, own)), sum(map(cpu_ns, watched))
    sizes, follower_sizes = {pid: forget_peak(pid) for pid in own}, {pid: forget_peak(pid) for pid in watched}
    os.kill(writer, signal.SIGUSR1)
    if not until(lambda: report.times[TAKEN], BURST_SECONDS):
        row["problem"] = "the service could not write everything"
        return
    row["accepted_klines_s"] = row["lines"] / ((report.times[TAKEN] - report.times[BEGUN]) / 1e9) / 1e3
    settle(own + watched)
    row["cpu_us_line"] = (sum(map(cpu_ns, own)) - cpu) / 1e3 / row["lines"]
    row["grown_mib"] = grown(sizes)
    if watched:
        row["follower_cpu_us_line"] = (sum(map(cpu_ns, watched)) - follower_cpu) / 1e3 / row["lines"]
        row["follower_grown_mib"] = grown(follower_sizes)


def grown(sizes):
    return sum(peak_kib(pid) - before for pid, before in sizes.items()) / 1024


def settle(pids):
    """Waits until nobody works on the burst any more."""
    last, since = -1, time.monotonic()
    end = since + BURST_SECONDS
    while time.monotonic() - since < 0.5 and time.monotonic() < end:
        time.sleep(0.05)
        now = sum(map(cpu_ns, pids)) // 10_000_000  # A clock that ticks now and then is no work.
        if now != last:
            last, since = now, time.monotonic()


def check(tool, started, follower, place, row):
    """Looks for every line in what came out."""
    if tool.terminal:
        return  # A screen shows only the last lines.
    output = tool.written(started, follower, place) if isinstance(tool, NobodyFollows) else started.output
    expected, found, deleted, ordered = 0, 0, 0, True
    with open(output, "rb") as file:
        for line in file:
            if match := NUMBERED.search(line):
                number = int(match[1])
                ordered = ordered and number >= expected
                expected = number + 1
                found += 1
            elif match := DELETED.search(line):
                deleted += int(match[1])
    row["missing"], row["told_missing"], row["in_order"] = row["lines"] - found, deleted, ordered
    if not ordered:
        row["problem"] = "lines came out of order or twice"
    elif row["missing"] != deleted:
        row["problem"] = f"{row['missing']} lines are missing, {deleted} were said to be"


def finish(tool, started, place):
    client = tool.stop(started, place)
    if client:
        until(client.ended, START_SECONDS)
        client.sweep()
    elif not isinstance(tool, Cat):
        until(started.ended, START_SECONDS)


def tables(rows):
    head = ["lines", "tool", "rounds", "accepted klines/s", "CPU µs/line", "memory grown by MiB",
            "follower's CPU µs/line", "follower grown by MiB", "lines missing", "of which it told"]
    lines = []
    for size in table.distinct(rows, "lines"):
        for tool in table.distinct(table.select(rows, lines=size), "tool"):
            mine = table.select(rows, lines=size, tool=tool)
            show = lambda key: table.spread(table.values(mine, key))
            lines.append([size, tool, len(mine)] + [show(key) for key in (
                "accepted_klines_s", "cpu_us_line", "grown_mib", "follower_cpu_us_line", "follower_grown_mib",
                "missing", "told_missing",
            )])
    return table.markdown(head, lines)


def targets(rows):
    size = max(row["lines"] for row in rows)
    for tool in ("nagaya, nobody follows", "nagaya, logs -f", "nagaya, dashboard"):
        mine = table.select(rows, lines=size, tool=tool)
        middle = lambda key: table.middle(table.values(mine, key))
        yield table.verdict(f"{tool}, {size} lines: engine and launcher, CPU µs/line", 1, middle("cpu_us_line"))
        yield table.verdict(f"{tool}, {size} lines: engine and launcher grown by MiB", 32, middle("grown_mib"))
    missing = lambda tool, count: max(map(count, table.select(rows, tool=tool, in_order=True)), default=None)
    kept, followed = "nagaya, nobody follows", "nagaya, logs -f"
    yield table.verdict("lines missing in what is kept", 0, missing(kept, lambda row: row["missing"]))
    yield table.verdict("lines that `logs -f` missed", 0, missing(followed, lambda row: row["missing"]))
    unsaid = missing(followed, lambda row: row["missing"] - row["told_missing"])
    yield table.verdict("lines that `logs -f` missed without saying so", 0, unsaid)
