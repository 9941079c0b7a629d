"""The tools that stand side by side: how each is configured, started and stopped."""
import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from lab import Started


def version(path, flag):
    try:
        told = subprocess.run([path, flag], capture_output=True, text=True, timeout=20)
        return (told.stdout + told.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "its version is unknown"


class Tool:
    """One way to boot services."""

    terminal = None
    stop_signal = signal.SIGINT
    # Somebody else's program.
    is_peer = False
    # The command itself is only a client of what runs the services.
    is_client = False
    # The command ends when all services are ready.
    waits = False

    def __init__(self, name, path):
        self.name, self.path = name, str(path) if path else None

    def version(self):
        return version(self.path, "--version")

    def variables(self, folder):
        return {}

    def start(self, folder, commands):
        """Boots commands, given as name and words."""
        self.configure(Path(folder), commands)
        return Started(self.argv(folder), folder, self.variables(folder), self.terminal)

    def stop(self, started, folder):
        started.signal(self.stop_signal)


class Floor(Tool):
    def __init__(self, name, path, mode):
        super().__init__(name, path)
        self.mode = mode

    def version(self):
        return "floor.c"

    def configure(self, folder, commands):
        (folder / "commands").write_text("".join(" ".join(words) + "\n" for _, words in commands))

    def argv(self, folder):
        return [self.path, self.mode, "commands"]


class Procfile(Tool):
    """foreman and honcho."""

    is_peer = True

    def variables(self, folder):
        return {"PYTHONUNBUFFERED": "1"}

    def configure(self, folder, commands):
        (folder / "Procfile").write_text("".join(f"{name}: {' '.join(words)}\n" for name, words in commands))

    def argv(self, folder):
        return [self.path, "start", "-f", "Procfile"]


class Mprocs(Tool):
    is_peer = True
    terminal = (160, 50)

    def configure(self, folder, commands):
        services = "".join(f"  {name}:\n    cmd: {json.dumps(words)}\n" for name, words in commands)
        (folder / "mprocs.yaml").write_text("procs:\n" + services)

    def argv(self, folder):
        return [self.path, "-c", "mprocs.yaml"]

    def stop(self, started, folder):
        started.press(b"q")


class ProcessCompose(Tool):
    """With its screen, which shows CPU and memory of every process, and without its HTTP server."""

    is_peer = True
    terminal = (160, 50)
    stop_signal = signal.SIGTERM

    def version(self):
        told = subprocess.run([self.path, "version"], capture_output=True, text=True, timeout=20).stdout
        return next((line for line in told.splitlines() if line.startswith("Version")), "its version is unknown")

    def variables(self, folder):
        return {"PC_LOG_FILE": f"{folder}/process-compose.log", "XDG_CONFIG_HOME": str(folder)}

    def configure(self, folder, commands):
        processes = {name: {"command": shlex.join(words)} for name, words in commands}
        # JSON is YAML.
        (folder / "process-compose.yaml").write_text(json.dumps({"version": "0.5", "processes": processes}))

    def argv(self, folder):
        return [self.path, "up", "--no-server", "-f", "process-compose.yaml"]


class Nagaya(Tool):
    """In the foreground, as one starts it by hand: the engine belongs to the `up`, Ctrl-C stops all."""

    is_client = True
    options = ("up", "--no-tui")
    # Lines of the manifest for every service, and for all of them.
    extra = ""
    network = "auto"

    def __init__(self, name, path, network="auto"):
        super().__init__(name, path)
        self.network = network

    def variables(self, folder):
        return {"XDG_STATE_HOME": f"{folder}/state", "XDG_RUNTIME_DIR": str(folder)}

    def configure(self, folder, commands):
        services = "".join(f"  {name}:\n    command: {json.dumps(words)}\n{self.extra}" for name, words in commands)
        (folder / "nagaya.yaml").write_text(f"name: bench\nnetwork: {self.network}\nservices:\n" + services)

    def argv(self, folder):
        return [self.path, *self.options]

    def client(self, started, folder, *words, terminal=None):
        """Another command beside the running engine; it counts as its own."""
        return Started([self.path, *words], folder, self.variables(folder), terminal)


class DetachedNagaya(Nagaya):
    """In the background: once `up` has returned there is only the engine and its launcher."""

    options = ("up", "--detach")

    def stop(self, started, folder):
        return self.client(started, folder, "down")


class ProbedNagaya(DetachedNagaya):
    """With a declared port, so that a service is ready when it accepts; `up` returns when all are."""

    options = ("up", "--detach", "--wait")
    waits = True
    extra = "    ports: {tcp: 9000}\n"

    def configure(self, folder, commands):
        # Without its last word the service listens where PORT says.
        super().configure(folder, [(name, words[:-1]) for name, words in commands])


def find(name, places):
    """A program in the peers' folders or on the PATH."""
    for place in places:
        for folder in (place, place / "bin", *sorted(place.glob("*/bin"))):
            if os.access(folder / name, os.X_OK) and (folder / name).is_file():
                return folder / name
    return shutil.which(name)


def booting(nagaya, programs, places):
    """All that boots services, the floor first; what is not here has no path."""
    return [
        Floor("floor-c-pipes", programs / "floor", "pipes"),
        Floor("floor-c", programs / "floor", "inherit"),
        Floor("floor-c-spaces", programs / "floor", "spaces"),
        Nagaya("nagaya up", nagaya),
        DetachedNagaya("nagaya up -d", nagaya),
        ProbedNagaya("nagaya up -d --wait, ports", nagaya),
        Nagaya("nagaya up, network env", nagaya, "env"),
        ProbedNagaya("nagaya up -d --wait, ports, network env", nagaya, "env"),
        Mprocs("mprocs", find("mprocs", places)),
        ProcessCompose("process-compose", find("process-compose", places)),
        Procfile("foreman", find("foreman", places)),
        Procfile("honcho", find("honcho", places)),
    ]