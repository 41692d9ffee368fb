"""What a command costs: wall time, CPU and memory of it and of every process that it starts."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")
_CPU_EVERY, _MEMORY_EVERY = 0.05, 0.2  # seconds; a look at memory is dear


@dataclass(frozen=True)
class Cost:
    """What one run of a command took.

    Attributes:
        code: Its exit code; negative: the signal that ended it.
        wall: Seconds from its start to its end.
        cpu: User and system seconds of all its processes.
        samples: Moments (``time.monotonic``) with the CPU seconds used until then.
        pss: Peak of the memory of all its processes in MB, shared pages counted once.
        rss: The same with shared pages counted in each process.
        output: The end of what it printed, both streams together.
    """

    code: int
    wall: float
    cpu: float
    samples: Sequence[tuple[float, float]]
    pss: float
    rss: float
    output: str

    def cpu_until(self, moment: float) -> float:
        """Return the CPU seconds used before a moment of ``time.monotonic``."""
        return max((cpu for at, cpu in self.samples if at <= moment), default=0.0)


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit: float,
    stop_when: Callable[[], bool] = lambda: False,
) -> Cost:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        folder: Where it runs; its output goes to ``output.log`` there.
        environment: Its environment variables, beside those of this process.
        limit: Seconds after which it is killed.
        stop_when: Asked at every look; once it says True, all processes are killed (SIGKILL).

    Returns:
        Its cost; where it was killed, code is -9.
    """
    log = folder / "output.log"
    with log.open("wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        samples, pss, rss = [(start, 0.0)], 0.0, 0.0
        next_memory = start
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            tree = _tree(process.pid)
            samples.append((now, sum(map(_cpu, tree))))
            if now >= next_memory:
                shared, resident = _memory(tree)
                pss, rss = max(pss, shared), max(rss, resident)
                next_memory = now + _MEMORY_EVERY
            if now - start > limit or stop_when():
                _kill(process.pid, tree)
            time.sleep(_CPU_EVERY)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again
    _kill(process.pid, [])
    cpu = max(used.ru_utime + used.ru_stime, samples[-1][1])
    text = log.read_bytes()[-8000:].decode(errors="replace")
    return Cost(process.returncode, wall, cpu, samples, pss, max(rss, used.ru_maxrss / 1024), text)


def _kill(leader: int, tree: Sequence[int]) -> None:
    """Kill a session of processes, and those of its tree that left it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    for pid in tree:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _tree(root: int) -> list[int]:
    """Return a process and all below it that live."""
    found, open_ends = [root], [root]
    while open_ends:
        pid = open_ends.pop()
        with contextlib.suppress(OSError):
            for task in (PROC / str(pid) / "task").iterdir():
                with contextlib.suppress(OSError):
                    children = [int(word) for word in (task / "children").read_text().split()]
                    found += children
                    open_ends += children
    return found


def _cpu(pid: int) -> float:
    """Return CPU seconds of a process and of its children that it has waited for."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # proc(5): utime, stime, cutime, cstime are fields 14 to 17; field 3 is the first behind ")".
    return sum(map(int, fields[11:15])) / _TICK


def _memory(pids: Sequence[int]) -> tuple[float, float]:
    """Return the MB of processes: shared pages once, and shared pages in each."""
    pss = rss = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
                elif line.startswith("Rss:"):
                    rss += int(line.split()[1])
    return pss / 1024, rss / 1024


_WORK = """
import resource, sys, time
{setup}
before = time.process_time()
start = time.perf_counter()
{work}
print(time.process_time() - before, time.perf_counter() - start,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure_python(work: str, *, setup: str = "", runs: int) -> tuple[float, float, float]:
    """Measure Python code in fresh processes.

    Args:
        work: The code that is measured.
        setup: Code before it that is not.
        runs: How many processes.

    Returns:
        The medians of CPU seconds, wall seconds and peak MB.
    """
    script = _WORK.format(setup=setup, work=work)
    figures = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        figures.append([float(word) for word in done.stdout.split()[-3:]])
    cpu, wall, memory = (statistics.median(column) for column in zip(*figures, strict=True))
    return cpu, wall, memory
