"""A dashboard that nobody touches: what it writes to its terminal and takes, first idle, then while calls pass that are logged."""
import http.client
import json
import os
import threading
import time
from pathlib import Path

import table
from lab import cpu_ns, folder, program, quiet_moment, until
from tools import DetachedNagaya

SERVICES, RATE, PORT = 50, 50, 20300
SIZE = (160, 50)
BOOT_SECONDS, SETTLE_SECONDS = 60, 5
# Ages are shown in seconds until they are minutes: what a screen does all day begins after that.
AGES_SECONDS = 60


class Dashboard(DetachedNagaya):
    """`nagaya ui` on a running engine; calls come by the front door."""

    options = ("up", "--detach", "--wait")
    waits = True
    extra = "    ports: {http: 9000}\n"

    def looked_at(self, started, place):
        return self.client(started, place, "ui", terminal=SIZE)

    def address(self, place, number):
        note = next(Path(place).glob("state/nagaya/*/engine.json"))
        port = json.loads(note.read_text())["front_door"]
        return port, f"s{number}.bench.localhost:{port}"


def tools(nagaya, booting):
    """Those that have a screen; the others only pass lines on."""
    return [Dashboard("nagaya ui", nagaya), *(tool for tool in booting if tool.is_peer and tool.terminal)]


def run(tools, rounds, seconds, programs, keep):
    for turn in range(rounds):
        for tool in table.in_turn(tools, turn):
            keep(once(tool, turn, seconds, programs))


def once(tool, turn, seconds, programs):
    row = {"bench": "screen", "tool": tool.name, "round": turn, "services": SERVICES}
    own = isinstance(tool, Dashboard)
    with folder() as place:
        answers = lambda number: [str(programs / "answers"), f"{place}/starts", f"s{number}"]
        at = lambda number: ["env", "ANSWERS_SAY=1", *([] if own else [f"PORT={PORT + number}"])]
        row["busy_before"] = quiet_moment()
        started = tool.start(place, [(f"s{number}", at(number) + answers(number)) for number in range(SERVICES)])
        looking = None
        try:
            began = lambda: len(started_services(place)) == SERVICES and (not own or started.ended())
            if not until(began, BOOT_SECONDS):
                row["problem"] = "not all services have begun"
                return row
            looking = tool.looked_at(started, place) if own else started
            watch(tool, started, looking, place, programs, seconds, row)
            tool.stop(started, place)
            until(started.ended, BOOT_SECONDS)
        finally:
            for command in filter(None, {looking, started}):
                command.sweep()
    return row


def started_services(place):
    try:
        with open(f"{place}/starts", encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []


def watch(tool, started, looking, place, programs, seconds, row):
    own = isinstance(tool, Dashboard)
    where = [tool.address(place, number) if own else (PORT + number, "localhost") for number in range(SERVICES)]
    # Of nagaya the screen by itself, as a peer has nothing that passes calls on and counts them; and all of it.
    is_tool = lambda pid: program(pid) not in (os.path.realpath(programs / "answers"), "")
    all_of_it = [pid for pid in started.family() if is_tool(pid)]
    watched = {"": [looking.pid], "all_": [*all_of_it, looking.pid]} if own else {"": all_of_it, "all_": all_of_it}
    time.sleep(AGES_SECONDS)
    row |= measured("idle", looking, watched, seconds)
    over, failed = threading.Event(), []
    caller = threading.Thread(target=call, args=(where, over, failed))
    caller.start()
    try:
        row |= measured("calls", looking, watched, seconds)
    finally:
        over.set()
        caller.join()
    if failed:
        row["problem"] = f"{len(failed)} calls failed: {failed[0]}"


def measured(what, looking, watched, seconds):
    time.sleep(SETTLE_SECONDS)  # The first frames are of another kind; a screen does not say when it is complete.
    used = lambda pids: sum(map(cpu_ns, pids))
    bytes_before, cpu_before = looking.drawn, {whose: used(pids) for whose, pids in watched.items()}
    since = time.monotonic()
    time.sleep(seconds)
    minutes = (time.monotonic() - since) / 60
    row = {f"{what}_kib_minute": (looking.drawn - bytes_before) / 1024 / minutes}
    for whose, pids in watched.items():
        # A thread that has ended has taken its time along.
        row[f"{what}_{whose}cpu_ms_minute"] = max(0, used(pids) - cpu_before[whose]) / 1e6 / minutes
    return row


def call(where, over, failed):
    """RATE calls a second in all, each service in turn, over connections that are kept."""
    lines, number, due = {}, 0, time.monotonic()
    while not over.is_set():
        port, host = where[number % SERVICES]
        try:
            line = lines.setdefault(number % SERVICES, http.client.HTTPConnection("127.0.0.1", port, timeout=10))
            line.request("GET", "/", headers={"Host": host})
            answer = line.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(str(answer.status))
        except (OSError, http.client.HTTPException) as error:
            lines.pop(number % SERVICES, None)
            failed.append(repr(error)[:80])
        number, due = number + 1, due + 1 / RATE
        over.wait(max(0, due - time.monotonic()))


def tables(rows):
    kinds = {
        "kib_minute": "KiB a minute to the terminal",
        "cpu_ms_minute": "CPU ms a minute",
        "all_cpu_ms_minute": "with its engine",
    }
    keys = [f"{what}_{kind}" for what in ("idle", "calls") for kind in kinds]
    head = ["tool", "rounds", *(f"{what}: {said}" for what in ("idle", "calls") for said in kinds.values())]
    lines = []
    for tool in table.distinct(rows, "tool"):
        mine = table.select(rows, tool=tool)
        lines.append([tool, len(mine), *(table.spread(table.values(mine, key)) for key in keys)])
    return table.markdown(head, lines)


def targets(rows):
    """None: each shows other things."""
    return []
