"""The proxies that are measured: how each is configured and started before the same backend."""
import json
import os
import re
import socket

from lab import Started, program, until
from tools import DetachedNagaya, find

NGINX = """
worker_processes 1; daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off; keepalive_requests 1000000000; tcp_nodelay on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fast; uwsgi_temp_path uw; scgi_temp_path s;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2;
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
    bind 127.0.0.1:{h2} proto h2
    default_backend back
backend back
    server one 127.0.0.1:{backend} pool-max-conn 512
"""

CADDY = """
{{
    admin off
    auto_https off
    log {{
        level ERROR
    }}
    servers {{
        protocols h1 h2 h2c
    }}
}}
http://127.0.0.1:{port} {{
    reverse_proxy 127.0.0.1:{backend} {{
        transport http {{
            keepalive_idle_conns 512
            keepalive_idle_conns_per_host 512
        }}
    }}
}}
"""

PITCHFORK = """
namespace = "bench"
[daemons.web]
run = "exec {backend} {port}"
port = {port}
"""
PITCHFORK_NAMES = """
[slugs]
web = {{ dir = "{place}", daemon = "web" }}
"""

NAGAYA = """
name: bench
network: env
services:
  web:
    command: {backend}
    ports: {{http: 80}}
  caller:
    command: [sleep, infinity]
    depends_on: [web]
"""


class Target:
    """Where requests are sent, and the processes whose work it is. `h2` is the port for HTTP/2 with prior knowledge."""

    def __init__(self, name, port, started=None, without=(), host=None, h2=None):
        self.name, self.port, self.started, self.without, self.host = name, port, started, without, host
        self.h2 = h2

    def pids(self):
        return self.started.family(without=self.without) if self.started else []


def peers(places):
    """The paths of the others and of the loads; nothing can be measured without `wrk`."""
    return {name: find(name, places) for name in ("wrk", "h2load", "nginx", "haproxy", "caddy", "envoy", "pitchfork")}


def version(name, path, ask):
    """Each has its own way to be asked."""
    return ask(path, {"caddy": "version", "envoy": "--version", "h2load": "--version", "pitchfork": "--version"}.get(name, "-v"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def start(nagaya, peers, programs, place, cpu, started):
    """Starts the backend and every proxy before it. Each has one worker."""
    def launch(*argv):
        started.append(Started([str(word) for word in argv], place, cpu=cpu))
        return started[-1]

    def configured(name, text):
        with open(f"{place}/{name}", "w") as file:
            file.write(text)
        return f"{place}/{name}"

    backend = free_port()
    launch(programs / "backend", backend)
    answers(backend)
    yield Target("direct", backend)
    port = free_port()
    yield answering(Target("floor-relay", port, launch(programs / "relay", port, backend)))
    if peers["nginx"]:
        port, h2 = free_port(), free_port()
        configured("nginx.conf", NGINX.format(port=port, h2=h2, backend=backend))
        command = (peers["nginx"], "-p", place, "-e", "stderr", "-c", "nginx.conf")
        yield answering(Target("nginx", port, launch(*command), h2=h2))
    if peers["haproxy"]:
        port, h2 = free_port(), free_port()
        config = configured("haproxy.cfg", HAPROXY.format(port=port, h2=h2, backend=backend))
        yield answering(Target("haproxy", port, launch(peers["haproxy"], "-db", "-f", config), h2=h2))
    if peers["caddy"]:
        port = free_port()
        config = configured("Caddyfile", CADDY.format(port=port, backend=backend))
        command = (peers["caddy"], "run", "--adapter", "caddyfile", "--config", config)
        yield answering(Target("caddy", port, launch(*command), h2=port))
    if peers["envoy"]:
        port = free_port()
        config = configured("envoy.json", json.dumps(envoy(port, backend)))
        command = (peers["envoy"], "--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", config)
        yield answering(Target("envoy", port, launch(*command), h2=port))
    if peers["pitchfork"]:
        yield start_pitchfork(peers["pitchfork"], programs, place, cpu, started)
    yield from start_nagaya(nagaya, programs, place, cpu, started)


def envoy(port, backend):
    kinds = "type.googleapis.com/envoy.extensions.filters"
    address = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    router = {"name": "router", "typed_config": {"@type": f"{kinds}.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "back"}}
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "codec_type": "AUTO", "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    most = {"max_connections": 4096, "max_pending_requests": 8192, "max_requests": 8192}
    cluster = {
        "name": "back", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {
            "cluster_name": "back",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}],
        },
    }
    listener = {"address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def start_pitchfork(pitchfork, programs, place, cpu, started):
    """It passes on to services of its own alone, so the backend is one, and no part of its work."""
    port, behind, home = free_port(), free_port(), f"{place}/pitchfork"
    os.makedirs(home)
    with open(f"{place}/pitchfork.toml", "w") as file:
        file.write(PITCHFORK.format(backend=programs / "backend", port=behind))
    with open(f"{home}/config.toml", "w") as file:
        file.write(PITCHFORK_NAMES.format(place=place))
    proxy = {"ENABLE": "true", "HTTPS": "false", "PORT": port, "HOST": "127.0.0.1", "TLD": "localhost", "SYNC_HOSTS": "false"}
    variables = {f"PITCHFORK_PROXY_{name}": str(value) for name, value in proxy.items()}
    variables |= {"PITCHFORK_CONFIG_DIR": home, "PITCHFORK_STATE_DIR": home, "PITCHFORK_LOGS_DIR": f"{home}/logs"}
    supervisor = Started([pitchfork, "supervisor", "run"], place, variables, cpu=cpu)
    started.append(supervisor)
    answers(port)
    # What it starts has the environment of whoever asks for that.
    asking = Started([pitchfork, "start", "web"], place, variables, cpu=cpu, mark=supervisor.mark)
    answers(behind)
    until(asking.ended, 10)
    backends = [pid for pid in supervisor.family() if program(pid) == str(programs / "backend")]
    return Target("pitchfork", port, supervisor, backends, f"web.localhost:{port}")


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
    port = int(port)
    yield Target("nagaya, front door", port, up, services, f"{host}:{port}", port)
    port = int(ask(tool, up, place, "env", "caller")["WEB_PORT"])
    yield Target("nagaya, service to service", port, up, services, h2=port)


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
