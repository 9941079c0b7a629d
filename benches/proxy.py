"""HTTP through the proxy, keep-alive: what a request costs."""
import json
import os
import re
import socket
import subprocess

import table
from lab import Started, cpu_ns, folder, pss_kib, quiet_moment, until
from tools import DetachedNagaya, find

SECONDS = 1
MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}

NGINX = """
worker_processes 1; daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off; keepalive_requests 1000000000; tcp_nodelay on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fast; uwsgi_temp_path uw; scgi_temp_path s;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
    option forwardfor
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{backend} pool-max-conn 512
"""

NAGAYA = """
name: bench
services:
  web:
    command: {backend}
    ports: {{http: 80}}
  caller:
    command: [sleep, infinity]
    depends_on: [web]
"""


class Target:
    """Where requests are sent, and the processes whose work it is."""

    def __init__(self, name, port, started=None, without=(), host=None):
        self.name, self.port, self.started, self.without, self.host = name, port, started, without, host

    def pids(self):
        return self.started.family(without=self.without) if self.started else []


def peers(places):
    """The paths of the others and of the load; nothing can be measured without `wrk`."""
    return {name: find(name, places) for name in ("wrk", "nginx", "haproxy")}


def run(nagaya, peers, connections, rounds, programs, keep):
    if not peers["wrk"]:
        return
    # Load, proxy and backend share one processor: what each takes, the others lack, and a busy machine disturbs least.
    cpu = max(os.sched_getaffinity(0))
    with folder() as place:
        started = []
        try:
            targets = list(start(nagaya, peers, programs, place, cpu, started))
            for target in targets:
                load(peers["wrk"], target, 32, cpu)  # Warms up; not counted.
            for count in connections:
                for turn in range(rounds):
                    for target in table.in_turn(targets, turn):
                        keep(once(peers["wrk"], target, count, turn, cpu))
        finally:
            for command in started:
                command.sweep()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def start(nagaya, peers, programs, place, cpu, started):
    """Starts the backend and every proxy before it."""
    def launch(*argv):
        started.append(Started([str(word) for word in argv], place, cpu=cpu))
        return started[-1]

    backend = free_port()
    launch(programs / "backend", backend)
    answers(backend)
    yield Target("direct", backend)
    port = free_port()
    yield answering(Target("floor-relay", port, launch(programs / "relay", port, backend)))
    if peers["nginx"]:
        port = free_port()
        with open(f"{place}/nginx.conf", "w") as file:
            file.write(NGINX.format(port=port, backend=backend))
        yield answering(Target("nginx", port, launch(peers["nginx"], "-p", place, "-e", "stderr", "-c", "nginx.conf")))
    if peers["haproxy"]:
        port = free_port()
        with open(f"{place}/haproxy.cfg", "w") as file:
            file.write(HAPROXY.format(port=port, backend=backend))
        yield answering(Target("haproxy", port, launch(peers["haproxy"], "-db", "-f", "haproxy.cfg")))
    yield from start_nagaya(nagaya, programs, place, cpu, started)


def start_nagaya(nagaya, programs, place, cpu, started):
    """Its front door, and the door through which one service calls another."""
    tool = DetachedNagaya("nagaya", nagaya)
    with open(f"{place}/nagaya.yaml", "w") as file:
        file.write(NAGAYA.format(backend=json.dumps([str(programs / "backend")])))
    up = Started([str(nagaya), "up", "-d", "--wait"], place, tool.variables(place), cpu=cpu)
    started.append(up)
    until(up.ended, 20)
    services = [pid for pid in up.family() if os.path.realpath(f"/proc/{pid}/exe") != os.path.realpath(nagaya)]
    url = ask(tool, up, place, "url", "web")[0]["url"]
    host, port = re.match(r"http://([^:/]+):(\d+)", url).groups()
    yield Target("nagaya, front door", int(port), up, services, f"{host}:{port}")
    yield Target("nagaya, service to service", int(ask(tool, up, place, "env", "caller")["WEB_PORT"]), up, services)


def ask(tool, up, place, *words):
    told = tool.client(up, place, *words, "--json")
    until(told.ended, 10)
    return json.loads(told.output.read_bytes())


def answering(target):
    answers(target.port)
    return target


def answers(port):
    def try_it():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    if not until(try_it, 10):
        raise RuntimeError(f"nobody listens on port {port}")


def load(wrk, target, connections, cpu):
    host = ["-H", f"Host: {target.host}"] if target.host else []
    command = ["taskset", "-c", str(cpu), wrk, "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", *host]
    told = subprocess.run([*command, f"http://127.0.0.1:{target.port}/"], capture_output=True, text=True).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)(\w+)", told)
    half, most = (re.search(rf"{share}%\s+([\d.]+)([a-z]+)", told) for share in (50, 99))
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:?) (\d+)", told)))
    latency = lambda match: float(match[1]) * MICROSECONDS[match[2]]
    seconds = float(done[2]) * MICROSECONDS[done[3]] / 1e6
    return int(done[1]), seconds, latency(half), latency(most), errors


def once(wrk, target, connections, turn, cpu):
    row = {"bench": "proxy", "tool": target.name, "connections": connections, "round": turn}
    row["busy_before"] = quiet_moment()
    own = target.pids()
    before, threads = sum(map(cpu_ns, own)), sum(cpu_ns(pid, b"proxy") for pid in own)
    requests, seconds, row["median_us"], row["p99_us"], row["errors"] = load(wrk, target, connections, cpu)
    row["requests_s"] = requests / seconds
    if own:
        row["cpu_us_request"] = (sum(map(cpu_ns, own)) - before) / 1e3 / requests
        row["thread_us_request"] = (sum(cpu_ns(pid, b"proxy") for pid in own) - threads) / 1e3 / requests
        row["pss_mib"] = sum(map(pss_kib, own)) / 1024
    if row["errors"]:
        row["problem"] = f"{row['errors']} requests failed"
    return row


def tables(rows):
    head = ["connections", "proxy", "rounds", "CPU µs/request", "÷ floor", "requests/s", "median µs", "p99 µs",
            "PSS MiB", "errors"]
    lines = []
    for count in table.distinct(rows, "connections"):
        floor = table.select(rows, connections=count, tool="floor-relay")
        for tool in table.distinct(table.select(rows, connections=count), "tool"):
            mine = table.select(rows, connections=count, tool=tool)
            show = lambda key: table.spread(table.values(mine, key))
            over = table.spread(table.ratios(mine, floor, "cpu_us_request"))
            lines.append([
                count, tool, len(mine), show("cpu_us_request"), over, show("requests_s"), show("median_us"),
                show("p99_us"), show("pss_mib"), sum(row["errors"] for row in mine),
            ])
    return table.markdown(head, lines)


def targets(rows):
    return []
