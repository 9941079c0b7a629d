"""From nothing to all listening, doing nothing, and to all stopped."""
import time

import table
from lab import Gone, Report, all_pids, cpu_ns, folder, kernel_kib, program, pss_kib, quiet_moment, until, wakeups

# What the engine and its launcher may take, by the number of services.
MOST_MIB = {50: 15, 1000: 30}
START_SECONDS, STOP_SECONDS = 90, 30
# A stop that comes while a tool is still starting is another question.
SETTLE_SECONDS = 1.0


def run(tools, sizes, rounds, idle_seconds, programs, keep):
    for size in sizes:
        for turn in range(rounds):
            for tool in table.in_turn(tools, turn):
                keep(once(tool, size, turn, idle_seconds if turn == 0 else 0, programs))


def once(tool, size, turn, idle_seconds, programs):
    row = {"bench": "start", "tool": tool.name, "size": size, "round": turn}
    with folder() as place:
        report = Report(f"{place}/report", size)
        service = str(programs / "service")
        commands = [(f"s{slot}", [service, report.path, str(slot), "0"]) for slot in range(size)]
        row["busy_before"] = quiet_moment()
        kernel_before = kernel_kib()
        started = tool.start(place, commands)
        try:
            row["kernel_before"] = kernel_before
            measure(tool, started, report, place, idle_seconds, row, service)
        finally:
            started.sweep()
    return row


def measure(tool, started, report, place, idle_seconds, row, service):
    if tool.waits:
        ready, _ = Gone([started.pid]).wait(START_SECONDS)
        if started.ended() and started.exit == 0:
            row["ready_ms"] = (ready - started.begun) / 1e6
        else:
            row["problem"] = f"`{' '.join(tool.options)}` ended with {started.exit}: {started.said()}"
    if not until(report.complete, START_SECONDS):
        row["problem"] = f"only {len(report.pids)} listened: {started.said()}"
        return
    # By the program: a service in a pod knows only the number that it has there.
    services = {pid for pid in all_pids() - started.before if program(pid) == service}
    own = started.family(without=services)
    row["cpu_ms"] = (sum(map(cpu_ns, own)) + (started.used_ns if started.ended() else 0)) / 1e6
    row["listening_ms"] = (max(report.times) - started.begun) / 1e6
    time.sleep(SETTLE_SECONDS)
    own = started.family(without=services)
    clients = [pid for pid in own if tool.is_client and pid == started.pid]
    row["pss_mib"] = sum(pss_kib(pid) for pid in own if pid not in clients) / 1024
    row["client_mib"] = sum(map(pss_kib, clients)) / 1024 if clients else None
    row["processes"] = len(own)
    row["kernel_mib"] = (kernel_kib() - row.pop("kernel_before")) / 1024
    if idle_seconds:
        idle(own, idle_seconds, row)
    stop(tool, started, services, own, place, row)


def idle(own, seconds, row):
    cpu, woken, begun = sum(map(cpu_ns, own)), sum(map(wakeups, own)), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    row["idle_cpu_percent"] = (sum(map(cpu_ns, own)) - cpu) / 1e7 / took
    row["idle_wakeups"] = (sum(map(wakeups, own)) - woken) / took


def stop(tool, started, services, own, place, row):
    services_gone, tool_gone = Gone(services), Gone(own)
    begun = time.monotonic_ns()
    client = tool.stop(started, place)
    last, left = services_gone.wait(STOP_SECONDS)
    row["stopped_ms"] = (last - begun) / 1e6
    last, tools_left = tool_gone.wait(STOP_SECONDS)
    row["gone_ms"] = max((last - begun) / 1e6, row["stopped_ms"])
    row["left"] = left + tools_left
    if client:
        until(client.ended, STOP_SECONDS)
        client.sweep()
    if not row["left"]:
        row["left"] = len(started.family())


def tables(rows):
    head = [
        "services", "tool", "rounds", "all listening ms", "÷ floor", "all ready ms", "tool's CPU ms", "all stopped ms",
        "÷ floor", "tool gone ms", "PSS MiB", "client's PSS MiB", "kernel MiB", "idle CPU %", "idle wake-ups/s", "left",
    ]
    lines = []
    for size in table.distinct(rows, "size"):
        floor = table.select(rows, size=size, tool="floor-c-pipes")
        for tool in table.distinct(table.select(rows, size=size), "tool"):
            mine = table.select(rows, size=size, tool=tool)
            show = lambda key: table.spread(table.values(mine, key))
            over = lambda key: table.spread(table.ratios(mine, floor, key))
            lines.append([
                size, tool, len(mine), show("listening_ms"), over("listening_ms"), show("ready_ms"), show("cpu_ms"),
                show("stopped_ms"), over("stopped_ms"), show("gone_ms"), show("pss_mib"), show("client_mib"), show("kernel_mib"),
                show("idle_cpu_percent"), show("idle_wakeups"), sum(row.get("left", 0) for row in mine),
            ])
    return table.markdown(head, lines)


def targets(rows):
    for size in table.distinct(rows, "size"):
        floor = table.select(rows, size=size, tool="floor-c-pipes")
        for tool in ("nagaya up", "nagaya up -d"):
            mine = table.select(rows, size=size, tool=tool)
            name = f"{tool}, {size} services"
            middle = lambda key: table.middle(table.values(mine, key))
            over = lambda key: table.middle(table.ratios(mine, floor, key))
            yield table.verdict(f"{name}: listening ÷ floor", 1.5, over("listening_ms"))
            yield table.verdict(f"{name}: stopped ÷ floor", 3, over("stopped_ms"))
            if most := MOST_MIB.get(size):
                yield table.verdict(f"{name}: engine and launcher, PSS MiB", most, middle("pss_mib"))
            if tool.endswith("-d"):
                yield table.verdict(f"{name}: wake-ups/s while idle", 0, middle("idle_wakeups"))
