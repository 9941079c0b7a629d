"""HTTP through the proxy, keep-alive: what a request costs, and a connection that waits."""
import os
import re
import resource
import socket
import subprocess

import proxies
import table
from lab import cpu_ns, field, folder, pss_kib, quiet_moment

SECONDS = 1
MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}
# HTTP/2: so many connections with so many requests going on each.
H2_CONNECTIONS, H2_STREAMS = 32, 10
H2 = f"{H2_CONNECTIONS}×{H2_STREAMS} h2c"
IDLE = 500


def run(nagaya, peers, connections, rounds, programs, keep):
    if not peers["wrk"]:
        return
    # Load, proxy and backend share one processor: what each takes, the others lack, and a busy machine disturbs least.
    cpu = max(os.sched_getaffinity(0))
    with folder() as place:
        started = []
        try:
            targets = list(proxies.start(nagaya, peers, programs, place, cpu, started))
            for target in targets:
                wrk(peers["wrk"], target, 32, cpu)  # Warms up; not counted.
            for target in targets:
                if target.started:
                    keep(idle(target))
            for count in connections:
                for turn in range(rounds):
                    for target in table.in_turn(targets, turn):
                        keep(once(lambda: wrk(peers["wrk"], target, count, cpu), target, count, turn))
            speaks = [target for target in targets if target.h2 and peers["h2load"]]
            for turn in range(rounds):
                for target in table.in_turn(speaks, turn):
                    keep(once(lambda: h2load(peers["h2load"], target, cpu), target, H2, turn))
        finally:
            for command in started:
                command.sweep()


def wrk(path, target, connections, cpu):
    host = ["-H", f"Host: {target.host}"] if target.host else []
    command = ["taskset", "-c", str(cpu), path, "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", *host]
    told = subprocess.run([*command, f"http://127.0.0.1:{target.port}/"], capture_output=True, text=True).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)(\w+)", told)
    seconds = float(done[2]) * MICROSECONDS[done[3]] / 1e6
    half, most = (re.search(rf"{share}%\s+([\d.]+)([a-z]+)", told) for share in (50, 99))
    latency = lambda match: float(match[1]) * MICROSECONDS[match[2]]
    return {
        "requests": int(done[1]),
        "requests_s": int(done[1]) / seconds,
        "median_us": latency(half),
        "p99_us": latency(most),
        "errors": sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:?) (\d+)", told))),
    }


def h2load(path, target, cpu):
    host = [f"--header=:authority: {target.host}"] if target.host else []
    command = ["taskset", "-c", str(cpu), path, "-t1", f"-c{H2_CONNECTIONS}", f"-m{H2_STREAMS}", f"-D{SECONDS}", *host]
    told = subprocess.run([*command, f"http://127.0.0.1:{target.h2}/"], capture_output=True, text=True).stdout
    good, failed, errored = map(int, re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", told).groups())
    bad = sum(map(int, re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", told).groups()))
    mean = re.search(r"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", told)
    return {
        "requests": good,
        "requests_s": good / SECONDS,
        "mean_us": float(mean[1]) * MICROSECONDS[mean[2]],
        "errors": failed + errored + bad,
    }


def once(load, target, connections, turn):
    row = {"bench": "proxy", "tool": target.name, "connections": connections, "round": turn}
    row["busy_before"] = quiet_moment()
    own = target.pids()
    before, threads = sum(map(cpu_ns, own)), sum(cpu_ns(pid, b"proxy") for pid in own)
    row |= load()
    requests = max(1, row.pop("requests"))
    if own:
        row["cpu_us_request"] = (sum(map(cpu_ns, own)) - before) / 1e3 / requests
        row["thread_us_request"] = (sum(cpu_ns(pid, b"proxy") for pid in own) - threads) / 1e3 / requests
        row["pss_mib"] = sum(map(pss_kib, own)) / 1024
    if row["errors"]:
        row["problem"] = f"{row['errors']} requests failed"
    return row


def idle(target):
    """Connections that have asked once and are kept: what each costs the proxy, the kernel's part left out."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, files - 100)
    size = lambda: sum(field(f"/proc/{pid}/status", b"VmRSS") for pid in target.pids())
    before, kept = size(), []
    host = target.host or f"127.0.0.1:{target.port}"
    try:
        for _ in range(count):
            kept.append(socket.create_connection(("127.0.0.1", target.port), 5))
            kept[-1].sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = b""
            while len(answer) < 1024:
                piece = kept[-1].recv(4096)
                if not piece:
                    raise RuntimeError(f"{target.name} closed an idle connection")
                answer += piece
        after = size()
    finally:
        for connection in kept:
            connection.close()
    return {"bench": "proxy", "tool": target.name, "connections": "idle", "round": 0,
            "idle_kib": (after - before) / count, "errors": 0}


def tables(rows):
    head = ["connections", "proxy", "rounds", "CPU µs/request", "÷ floor", "÷ haproxy", "requests/s", "median µs",
            "p99 µs", "PSS MiB", "errors"]
    lines = []
    measured = [row for row in rows if row["connections"] != "idle"]
    for count in table.distinct(measured, "connections"):
        floor, haproxy = (table.select(rows, connections=count, tool=tool) for tool in ("floor-relay", "haproxy"))
        for tool in table.distinct(table.select(rows, connections=count), "tool"):
            mine = table.select(rows, connections=count, tool=tool)
            show = lambda key: table.spread(table.values(mine, key))
            over = lambda other: table.spread(table.ratios(mine, other, "cpu_us_request"))
            lines.append([
                count, tool, len(mine), show("cpu_us_request"), over(floor), over(haproxy), show("requests_s"),
                show("median_us"), show("p99_us"), show("pss_mib"), sum(row["errors"] for row in mine),
            ])
    waiting = [[row["tool"], table.number(row["idle_kib"])] for row in rows if row["connections"] == "idle"]
    return f"{table.markdown(head, lines)}\n\n{table.markdown(['proxy', 'KiB an idle connection'], waiting)}"


def targets(rows):
    """CPU a request over the blind relay's, and over haproxy's for HTTP/2, in the same round."""
    verdicts = []
    tool = "nagaya, service to service"
    for count, limit in ((1, 1.5), (32, 2.2), (256, 2.3), (H2, 1.45)):
        other = "haproxy" if count == H2 else "floor-relay"
        mine, base = (table.select(rows, connections=count, tool=name) for name in (tool, other))
        if mine:
            what = f"CPU a request ÷ {other}'s, {count} connections"
            verdicts.append(table.verdict(what, limit, table.middle(table.ratios(mine, base, "cpu_us_request"))))
    return verdicts
