"""What a server costs while it works: processor time, memory, connections to the database.

Processes are told apart by the container and the systemd unit in their control group's name, and looked at from this
machine: nothing runs in the containers for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Group:
    """The processes of a container, or of one unit in it."""

    container: str
    unit: str = ""

    def processes(self) -> list[Path]:
        """Return the processes' folders."""
        return [
            folder
            for folder in PROC.iterdir()
            if folder.name.isdigit() and self._holds(_text(folder / "cgroup").splitlines())
        ]

    def _holds(self, lines: list[str]) -> bool:
        return any(self.container in line and (not self.unit or line.endswith(f"/{self.unit}")) for line in lines)

    def processor_seconds(self) -> float:
        """Return what the processes have used since they started, with what their ended children had."""
        spent = 0
        for folder in self.processes():
            # The name in brackets may contain anything.
            fields = _text(folder / "stat").rpartition(")")[2].split()
            spent += sum(int(field) for field in fields[11:15])
        return spent / TICKS

    def proportional(self) -> int:
        """Return the bytes of memory that the processes hold, what they share counted once (PSS). Needs root."""
        return sum(_bytes(folder / "smaps_rollup", "Pss") for folder in self.processes())

    def anonymous(self) -> int:
        """Return the bytes that are nobody else's and no file's."""
        return sum(_bytes(folder / "status", "RssAnon") for folder in self.processes())


def _text(path: Path) -> str:
    """Read what may end meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _bytes(path: Path, name: str) -> int:
    values = [line.split() for line in _text(path).splitlines() if line.startswith(f"{name}:")]
    return int(values[0][1]) * 1024 if values else 0


@dataclass
class Costs:
    """What a piece of work took."""

    # Processor seconds by what used them.
    processor: dict[str, float] = field(default_factory=dict)
    # Bytes of memory at the start, and the most that there were.
    memory_before: int = 0
    memory_peak: int = 0
    # The most connections to the database at a time.
    connections: int = 0
    # What had been used when it began.
    before: dict[str, float] = field(default_factory=dict)

    def begin(self, groups: dict[str, Group]) -> None:
        """Count processor time from now on: what was before was preparation."""
        self.before = _used(groups)


def _used(groups: dict[str, Group]) -> dict[str, float]:
    return {name: group.processor_seconds() for name, group in groups.items()}


@contextmanager
def observed(groups: dict[str, Group], memory: Group, connections: Callable[[], int]) -> Iterator[Costs]:
    """Watch what happens within: complete once it is left."""
    costs = Costs(memory_before=memory.anonymous())
    ended = threading.Event()

    def sample() -> None:
        over = False
        while not over:
            # The last time when all is done, so that short work is looked at too.
            over = ended.wait(SAMPLE_SECONDS)
            costs.memory_peak = max(costs.memory_peak, memory.anonymous())
            costs.connections = max(costs.connections, connections())

    costs.begin(groups)
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield costs
    finally:
        ended.set()
        sampler.join()
        costs.processor = {name: used - costs.before[name] for name, used in _used(groups).items()}
