"""What the measurements share: where things lie, the Python peer, one measured process, and how numbers are told."""

import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "target" / "bench"
PEERS = ROOT / "target" / "peers"
BINARY = ROOT / "target" / "release" / "codex-manager"
PYTHON_PEER = PEERS / "codex-manager-1.0.0"
GNU_TIME = pathlib.Path("/usr/bin/time")


def add_binary(parser):
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)


def check_binary(parser, args):
    if not args.binary.is_file():
        parser.error(f"there is no `{args.binary}`: run `cargo build --release` first, or name it with --binary")
    args.binary = args.binary.resolve()


def get_python_peer():
    """The Python program without the libraries that only its remote commands import; what starts it."""
    program = PYTHON_PEER / "bin" / "codex-manager"
    if not program.exists():
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PYTHON_PEER)]
        subprocess.run([*install, "codex-manager==1.0.0"], check=True)
    # The interpreter itself: a version manager's shim would cost more than what is measured.
    return [sys.executable, str(program)]


def environment(home, now):
    """The whole environment of a measured program; `now` is the instant ours answers as of."""
    return {
        "HOME": str(home),
        "PATH": os.defpath,
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "CODEX_MANAGER_NOW": now.isoformat(),
        "CODEXMGR_HOME": str(home / ".codexmgr"),
        "PYTHONPATH": str(PYTHON_PEER),
    }


def process(argv, env, weigh=False):
    """Runs `argv` with its output thrown away: seconds of wall clock, seconds of CPU of it and all it started, and with
    `weigh` the peak memory in KiB of the largest of these.

    Memory is told by GNU time (None without it), a small parent: a child of this interpreter would inherit the
    interpreter's own peak. It costs a millisecond or so.
    """
    with tempfile.TemporaryDirectory() as aside:
        errors, report = pathlib.Path(aside) / "errors", pathlib.Path(aside) / "memory"
        full = [str(part) for part in argv]
        if weigh and GNU_TIME.exists():
            full = [str(GNU_TIME), "-f", "%M", "-o", str(report), *full]
        into = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, str(errors), os.O_WRONLY | os.O_CREAT, 0o600),
        ]
        begun = time.perf_counter()
        child = os.posix_spawn(full[0], full, env, file_actions=into)
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - begun
        if status != 0:
            said = errors.read_text(errors="replace")[-1000:]
            raise SystemExit(f"`{' '.join(map(str, argv))}` failed\n{said}")
        memory = int(report.read_text().split()[-1]) if report.exists() else None
    return wall, usage.ru_utime + usage.ru_stime, memory


class Costs:
    """What the runs of one command cost."""

    def __init__(self):
        # Seconds, seconds, KiB.
        self.wall, self.cpu, self.memory = [], [], []

    def add(self, wall, cpu, memory):
        self.wall.append(wall)
        self.cpu.append(cpu)
        self.add_memory(memory)

    def add_memory(self, memory):
        if memory is not None:
            self.memory.append(memory)

    def peak(self):
        """Of memory, in MiB, as told in a table."""
        return f"{statistics.median(self.memory) / 1024:.1f}" if self.memory else "-"


def spread(values, factor=1000, digits=1, width=8):
    """Median, lowest and highest of seconds, told in milliseconds where `factor` is not given."""
    low, middle, high = (factor * f(values) for f in (min, statistics.median, max))
    return f"{middle:{width}.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def machine():
    info = pathlib.Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpu = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def clear(path):
    """Removes `path`, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
