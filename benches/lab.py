"""What the benchmarks share: started commands and what they cost, terminals, and the report file.

Everything is read from /proc of the tool's own processes, which are told by a variable in their environment: so they
are found even after they left the tree, and nothing else is ever signalled.
"""
import fcntl
import mmap
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

MARK = "NAGAYA_BENCH"
# Seconds for which a quiet moment is worth waiting.
patience = 3.0


# ------------------------------------------------------------------------------------------- what a process costs
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # It has ended.
        return b""


def all_pids():
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def program(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def threads(pid):
    try:
        return [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def cpu_ns(pid, thread_name=None):
    """User and system time in nanoseconds; /proc/PID/stat would round it to 10 ms."""
    total = 0
    for thread in threads(pid):
        if thread_name is None or read(f"{thread}/comm").strip() == thread_name:
            total += int((read(f"{thread}/schedstat").split() or [0])[0])
    return total


def field(path, name):
    """The number behind `name` in one of /proc's lists."""
    for line in read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def wakeups(pid):
    return sum(field(f"{thread}/status", b"voluntary_ctxt_switches") for thread in threads(pid))


def pss_kib(pid):
    """Memory, with what is shared split among those who share it."""
    return field(f"/proc/{pid}/smaps_rollup", b"Pss:")


def kernel_kib():
    """What the kernel itself holds: tables, stacks, and what it has made for namespaces and sockets."""
    return sum(field("/proc/meminfo", name) for name in (b"SUnreclaim:", b"KernelStack:", b"PageTables:", b"Percpu:"))


def forget_peak(pid):
    """Makes the peak begin anew; returns the present size."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return field(f"/proc/{pid}/status", b"VmRSS")


def peak_kib(pid):
    return field(f"/proc/{pid}/status", b"VmHWM")


def busy_share(seconds=0.1):
    """The share of all processors that somebody uses just now."""
    def now():
        times = [int(word) for word in read("/proc/stat").split(b"\n")[0].split()[1:9]]
        return sum(times), times[1] + times[3] + times[4]  # What runs niced gives way: as good as idle.

    (all_before, idle_before) = now()
    time.sleep(seconds)
    (all_after, idle_after) = now()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


def quiet_moment(limit=0.2):
    """Waits a little for others to pause; returns how busy they were at last."""
    end = time.monotonic() + patience
    while (busy := busy_share()) > limit and time.monotonic() < end:
        pass
    return round(busy, 2)


def until(condition, seconds, pause=0.005):
    """Waits for a condition; False when it never came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


# ----------------------------------------------------------------------------------------------- the report file
class Report:
    """The slots into which the measured programs write when and who (report.h)."""

    def __init__(self, path, slots):
        self.path = str(path)
        with open(path, "wb") as file:
            file.truncate(16 * slots)
        with open(path, "r+b") as file:
            self.entries = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")

    @property
    def times(self):
        return self.entries[0::2].tolist()

    @property
    def pids(self):
        return [pid for pid in self.entries[1::2].tolist() if pid]

    def complete(self, slots=None):
        return all(self.times[:slots])


# --------------------------------------------------------------------------------------------- a started command
class Started:
    """A command and all that it starts. Its output goes into `output` in its folder, or onto a terminal."""

    def __init__(self, argv, folder, variables=None, terminal=None, cpu=None, mark=None):
        self.mark = mark or f"{os.getpid()}-{time.monotonic_ns()}"
        self.output = Path(folder) / f"output-{time.monotonic_ns()}"
        kept = ("PATH", "HOME", "LANG", "USER", "SHELL", "GEM_HOME", "GEM_PATH")
        environment = {key: os.environ[key] for key in kept if key in os.environ}
        environment |= {"TERM": "xterm-256color", **(variables or {}), MARK: self.mark}
        self.before = all_pids()
        self.exit, self.used_ns, self.screen, self.drawn = None, 0, None, 0
        options = {"env": environment, "cwd": folder, "start_new_session": True}
        if terminal:
            self.screen, inside = pty.openpty()
            fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", *terminal[::-1], 0, 0))
            options |= {"stdin": inside, "stdout": inside, "stderr": inside}
            options["preexec_fn"] = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        else:
            inside = os.open(self.output, os.O_WRONLY | os.O_CREAT, 0o600)
            options |= {"stdin": subprocess.DEVNULL, "stdout": inside, "stderr": inside}
        everywhere = os.sched_getaffinity(0)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})  # The child inherits it.
        self.begun = time.monotonic_ns()
        self.process = subprocess.Popen(argv, **options)
        os.sched_setaffinity(0, everywhere)
        os.close(inside)
        self.pid = self.process.pid
        if terminal:
            threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self):
        """Reads the screen and answers as a terminal does; a full one would hold the tool up."""
        try:
            while piece := os.read(self.screen, 64 << 10):
                self.drawn += len(piece)
                if b"\x1b[6n" in piece:
                    os.write(self.screen, b"\x1b[1;1R")
                if b"\x1b[c" in piece:
                    os.write(self.screen, b"\x1b[?62;22c")
        except OSError:
            pass  # The tool has closed its side.

    def said(self):
        """What it wrote, shortened to one line."""
        return " / ".join(self.output.read_text(errors="replace").split("\n")).strip(" /")[:300]

    def press(self, keys):
        os.write(self.screen, keys)

    def signal(self, number):
        if not self.ended():
            os.kill(self.pid, number)

    def ended(self):
        """Whether the command itself has ended; its processes may live on."""
        if self.exit is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.exit = self.process.returncode = os.waitstatus_to_exitcode(status)
                self.used_ns = int((used.ru_utime + used.ru_stime) * 1e9)
        return self.exit is not None

    def family(self, without=()):
        """All living processes that stem from the command, but for some."""
        mark = f"{MARK}={self.mark}".encode()
        young = all_pids() - self.before - set(without)
        return [pid for pid in young if program(pid) and mark in read(f"/proc/{pid}/environ").split(b"\0")]

    def sweep(self):
        """Ends whatever is left; returns how many processes that were."""
        count = 0
        for _ in range(20):
            left = self.family()
            count = max(count, len(left))
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if not left and self.ended():
                break
            time.sleep(0.02)
        if self.screen is not None:
            os.close(self.screen)
            self.screen = None
        return count


class Gone:
    """Tells when the last of some processes has ended."""

    def __init__(self, pids):
        self.poll, self.files = select.poll(), set()
        # Only now, as children inherit it: a tool has to get along with the limit that it finds.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for pid in pids:
            try:
                self.files.add(os.pidfd_open(pid))
            except OSError:
                pass
        for file in self.files:
            self.poll.register(file, select.POLLIN)

    def wait(self, seconds):
        """The time of the last end and how many have not ended."""
        end, last = time.monotonic() + seconds, time.monotonic_ns()
        while self.files and time.monotonic() < end:
            for file, _ in self.poll.poll(200):
                last = time.monotonic_ns()
                self.poll.unregister(file)
                self.files.discard(file)
                os.close(file)
        left = len(self.files)
        for file in self.files:
            os.close(file)
        return last, left


def folder():
    """A folder of one run; its path is short, as sockets have to fit."""
    return tempfile.TemporaryDirectory(prefix="nb-", ignore_cleanup_errors=True)
