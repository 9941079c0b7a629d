"""Lives: reloads under load, lazy starts, a thousand probed services, boots along a graph."""
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import table
from lab import Started, cpu_ns, folder, kernel_kib, program, pss_kib, quiet_moment, read, until

RELOADS, RATE, CALLERS = 50, 200, 8
LAZY, AT_ONCE = 10, 100
PROBED, PROBE_SECONDS, WATCHED_SECONDS = 1000, 10, 30
DELAY_MS = 20
BOOT_SECONDS = 300
# What pods, names and logs may add to starting the same programs apart, each as soon as it may.
MOST_OVER_FLOOR = {"chain of 50": 1.25, "fan of 500": 1.5, "diamond of 10x10": 1.5}


# --------------------------------------------------------------------------------------------------- a workspace
class Workspace:
    """Services of one manifest; each notes its starts."""

    def __init__(self, nagaya, place, services):
        self.nagaya, self.place = str(nagaya), Path(place)
        self.variables = {f"XDG_{name}": f"{place}/{name.lower()}" for name in ("STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")}
        for path in self.variables.values():
            os.makedirs(path, mode=0o700, exist_ok=True)
        (self.place / "nagaya.yaml").write_text(json.dumps({"name": "life", "services": services}))
        self.begun = time.monotonic_ns()
        self.started = Started([self.nagaya, "up", "-d", "--wait", "--wait-timeout", f"{BOOT_SECONDS}s"], place, self.variables)
        if not until(self.started.ended, BOOT_SECONDS) or self.started.exit:
            raise RuntimeError(f"up ended with {self.started.exit}: {self.started.said()}")

    def tell(self, *words):
        return subprocess.run([self.nagaya, *words], cwd=self.place, env={**os.environ, **self.variables},
                              capture_output=True, text=True, check=True).stdout

    def door(self):
        note = next(self.place.glob("state_home/nagaya/*/engine.json"))
        return json.loads(note.read_text())["front_door"]

    def starts(self):
        """(name, pid, begun, listening, word) of each start so far."""
        lines = (line.split() for line in read(self.place / "starts").decode().splitlines())
        return [(name, int(pid), int(begun), int(listening), word) for name, pid, begun, listening, word in lines]

    def own(self):
        """The engine and its launcher; and the first processes of pods, which are in a namespace of their own."""
        all_own = [pid for pid in self.started.family() if program(pid) == os.path.realpath(self.nagaya)]
        levels = {pid: len(next((line.split() for line in read(f"/proc/{pid}/status").splitlines()
                                 if line.startswith(b"NSpid:")), [])) - 1 for pid in all_own}
        return [pid for pid in all_own if levels[pid] <= 1], [pid for pid in all_own if levels[pid] > 1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.tell("down")
        finally:
            self.started.sweep()


class Caller:
    """One connection to the front door, kept where it can be."""

    def __init__(self, door, service):
        self.door, self.host, self.line = door, f"{service}.life.localhost:{door}", None

    def ask(self):
        """(status, body); a status of 0 is no answer."""
        try:
            self.line = self.line or http.client.HTTPConnection("127.0.0.1", self.door, timeout=30)
            self.line.request("GET", "/", headers={"Host": self.host})
            answer = self.line.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            self.line = None
            return 0, str(error)
        except http.client.HTTPException as error:
            self.line = None
            return 0, repr(error)


def run(nagaya, rounds, programs, keep):
    for turn in range(rounds):
        for measure in (reload, lazy, graph):
            for row in measure(nagaya, programs / "answers"):
                keep({"bench": "life", "tool": "nagaya", "round": turn, **row})
    for row in probed(nagaya, programs / "answers"):
        keep({"bench": "life", "tool": "nagaya", "round": 0, **row})


# -------------------------------------------------------------------------------------------------------- reloads
def load(door, seconds):
    """RATE requests a second from a process of its own; prints how many there were and what failed."""
    failed, count, lock = [], [0], threading.Lock()
    begun = time.monotonic()

    def call(number):
        caller, due = Caller(door, "web"), begun + number / RATE
        while due < begun + seconds:
            time.sleep(max(0, due - time.monotonic()))
            status, body = caller.ask()
            with lock:
                count[0] += 1
                if status != 200:
                    failed.append(f"{status} {body[:80]}")
            due += CALLERS / RATE

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(json.dumps({"requests": count[0], "failed": failed}))


def reload(nagaya, answers):
    with folder() as place:
        source = Path(place) / "src"
        source.mkdir()
        (source / "word").write_text("0")
        web = {"command": [str(answers), f"{place}/starts", "web", f"{place}/src/word"], "ports": {"http": 8080}, "watch": ["src"]}
        busy = quiet_moment()
        with Workspace(nagaya, place, {"web": web}) as world:
            door = world.door()
            period = 0.5
            caller = subprocess.Popen([sys.executable, __file__, str(door), str(period * (RELOADS + 2))],
                                      stdout=subprocess.PIPE, text=True)
            watcher, above, failed = Caller(door, "web"), [], []
            for word in range(1, RELOADS + 1):
                time.sleep(period)
                # Made aside: on a busy machine the two steps may be further apart than one save's are.
                Path(place, "new").write_text(str(word))
                saved = time.monotonic_ns()
                os.rename(f"{place}/new", source / "word")
                while True:
                    status, body = watcher.ask()
                    if status != 200:
                        failed.append(f"{status} {body[:80]}")
                    if status == 200 and body == str(word) or time.monotonic_ns() - saved > 30e9:
                        break
                    time.sleep(0.0005)
                answered = time.monotonic_ns()
                own = next((listening - begun for _, _, begun, listening, it in world.starts() if it == str(word)), 0)
                above.append((answered - saved - own) / 1e6)
            told = json.loads(caller.communicate(timeout=120)[0])
            failed += told["failed"]
            starts = len(world.starts())
    row = {"what": "reload", "busy_before": busy, "requests": told["requests"], "failed": len(failed), "starts": starts,
           "above_ms": table.middle(above), "most_above_ms": max(above)}
    if failed or starts != RELOADS + 1:
        row["problem"] = f"{len(failed)} requests failed, as with `{failed[:1]}`, and {starts} starts"
    yield row


# ----------------------------------------------------------------------------------------------------------- lazy
def lazy(nagaya, answers):
    with folder() as place:
        services = {
            f"l{number}": {"command": [str(answers), f"{place}/starts", f"l{number}"], "ports": {"http": 8080}, "lazy": True}
            for number in range(LAZY + 1)
        }
        busy, above = quiet_moment(), []
        with Workspace(nagaya, place, services) as world:
            door = world.door()
            for number in range(LAZY):
                caller = Caller(door, f"l{number}")
                begun = time.monotonic_ns()
                status, body = caller.ask()
                took = time.monotonic_ns() - begun
                if status != 200:
                    yield {"what": "lazy", "problem": f"{status} {body[:80]}"}
                own = next(listening - begun for name, _, begun, listening, _ in world.starts() if name == f"l{number}")
                above.append((took - own) / 1e6)
                time.sleep(0.1)
            answers_seen = []
            ask = lambda: answers_seen.append(Caller(door, f"l{LAZY}").ask()[0])
            threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            starts = sum(name == f"l{LAZY}" for name, *_ in world.starts())
    row = {"what": "lazy", "busy_before": busy, "above_ms": table.middle(above), "most_above_ms": max(above),
           "starts": starts, "answered": answers_seen.count(200)}
    if starts != 1 or answers_seen.count(200) != AT_ONCE:
        row["problem"] = f"{AT_ONCE} requests at once: {starts} starts, {answers_seen.count(200)} answered"
    yield row


# ---------------------------------------------------------------------------------------------------------- graph
def graphs():
    """Who needs whom, by name."""
    chain = {f"c{at}": [f"c{at - 1}"] if at else [] for at in range(50)}
    fan = {"root": []} | {f"f{at}": ["root"] for at in range(500)}
    layer = lambda number: [f"d{number}x{at}" for at in range(10)]
    diamond = {name: layer(number - 1) if number else [] for number in range(10) for name in layer(number)}
    return {"chain of 50": chain, "fan of 500": fan, "diamond of 10x10": diamond}


def graph(nagaya, answers):
    for what, needs in graphs().items():
        with folder() as place:
            command = lambda name: [str(answers), f"{place}/starts", name, "/dev/null", str(DELAY_MS)]
            busy, floor = quiet_moment(), order_floor(answers.parent / "order", place, needs, command)
            services = {
                name: {"command": command(name), "ports": {"http": 8080}, "depends_on": before}
                for name, before in needs.items()
            }
            with Workspace(nagaya, place, services) as world:
                starts = {name: (begun, listening) for name, _, begun, listening, _ in world.starts()}
                first, own = world.begun, world.own()
                cpu = sum(map(cpu_ns, own[0])) / 1e6
        wrong = [name for name, before in needs.items() if any(starts[it][1] > starts[name][0] for it in before)]
        ends = {}
        for name, before in needs.items():  # Each comes after what it needs.
            own = starts[name][1] - starts[name][0]
            ends[name] = own + max((ends[it] for it in before), default=0)
        critical, took = max(ends.values()) / 1e6, (max(end for _, end in starts.values()) - first) / 1e6
        row = {"what": what, "busy_before": busy, "boot_ms": took, "critical_ms": critical, "over_critical": took / critical,
               "floor_ms": floor, "over_floor": took / floor, "cpu_ms": cpu}
        if wrong or len(starts) != len(needs):
            row["problem"] = f"{len(starts)} of {len(needs)} started, {len(wrong)} before what they need"
        yield row


def order_floor(order, place, needs, command):
    """Milliseconds in which the floor boots the same programs in the same order."""
    numbers = {name: str(at) for at, name in enumerate(needs)}
    lines = [f"{name} {','.join(numbers[it] for it in before) or '-'} {' '.join(command(name))}"
             for name, before in needs.items()]
    starts = Path(place) / "starts"
    (Path(place) / "order").write_text("\n".join(lines) + "\n")
    floor = Started([str(order), "order", str(starts)], place, {"PORT": "8080"})
    try:
        listening = lambda: len(read(starts).splitlines())
        if not until(lambda: listening() == len(needs), BOOT_SECONDS):
            raise RuntimeError(f"the floor started {listening()} of {len(needs)}: {floor.said()}")
        return (max(int(line.split()[3]) for line in read(starts).splitlines()) - floor.begun) / 1e6
    finally:
        floor.sweep()
        starts.unlink()


# --------------------------------------------------------------------------------------------------------- probed
def probed(nagaya, answers):
    with folder() as place:
        services = {
            f"p{at}": {"command": [str(answers), f"{place}/starts", f"p{at}"], "ports": {"http": 8080},
                       "readiness": {"http": "/", "period": f"{PROBE_SECONDS}s"}}
            for at in range(PROBED)
        }
        busy, kernel = quiet_moment(), kernel_kib()
        with Workspace(nagaya, place, services) as world:
            time.sleep(PROBE_SECONDS)
            engine, inits = world.own()
            cpu, inits_cpu, begun = sum(map(cpu_ns, engine)), sum(map(cpu_ns, inits)), time.monotonic()
            time.sleep(WATCHED_SECONDS)
            took = time.monotonic() - begun
            yield {"what": "probed", "busy_before": busy, "services": PROBED,
                   "cpu_percent": (sum(map(cpu_ns, engine)) - cpu) / 1e7 / took,
                   "inits_cpu_percent": (sum(map(cpu_ns, inits)) - inits_cpu) / 1e7 / took,
                   "pss_mib": sum(map(pss_kib, engine)) / 1024, "inits_mib": sum(map(pss_kib, inits)) / 1024,
                   "inits": len(inits), "kernel_mib": (kernel_kib() - kernel) / 1024}


# --------------------------------------------------------------------------------------------------------- report
def tables(rows):
    lines = []
    for what in table.distinct(rows, "what"):
        mine = table.select(rows, what=what)
        keys = [key for key in mine[0] if key not in ("bench", "tool", "what", "round", "problem")]
        lines.append([what, len(mine), ", ".join(f"{key} {table.spread(table.values(mine, key))}" for key in keys)])
    return table.markdown(["what", "rounds", "measured"], lines)


def targets(rows):
    of = lambda what, key: table.middle(table.values(table.select(rows, what=what), key))
    worst = lambda what, key: max(filter(None.__ne__, table.values(table.select(rows, what=what), key)), default=None)
    return [
        table.verdict(f"requests that failed, {RATE}/s over {RELOADS} reloads", 0, worst("reload", "failed")),
        table.verdict("save to first answer above the program's own start, ms", 15, of("reload", "above_ms")),
        table.verdict("first request to a lazy service above its own start, ms", 10, of("lazy", "above_ms")),
        table.verdict(f"starts for {AT_ONCE} first requests at once", 1, worst("lazy", "starts")),
        *(table.verdict(f"boot of a {what} ÷ the floor's in the same order", most, of(what, "over_floor"))
          for what, most in MOST_OVER_FLOOR.items()),
        table.verdict(f"CPU with {PROBED:,} services probed every {PROBE_SECONDS} s, %", 2, of("probed", "cpu_percent")),
        table.verdict(f"PSS of engine and launcher with {PROBED:,} services, MiB", 30, of("probed", "pss_mib")),
    ]


if __name__ == "__main__":
    load(int(sys.argv[1]), float(sys.argv[2]))
