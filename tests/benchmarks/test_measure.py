"""What a server's processes cost, as the kernel tells it; here of made-up processes, and of this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.measure import TICKS, Group, observed


def process(
    root: Path, number: int, group: str, ticks: tuple[int, int, int, int] = (0, 0, 0, 0), anonymous: int = 0
) -> None:
    folder = root / str(number)
    folder.mkdir()
    (folder / "cgroup").write_text(f"12:devices:/docker/other\n1:name=systemd:{group}\n")
    before = " ".join(["S", *["0"] * 10])
    (folder / "stat").write_text(f"{number} (a) b) {before} {' '.join(map(str, ticks))} 20 0 1\n")
    (folder / "status").write_text(f"Name:\ta\nRssAnon:\t{anonymous} kB\nRssFile:\t999 kB\n")
    (folder / "smaps_rollup").write_text(f"1-2 ---p [rollup]\nRss: 50 kB\nPss: {2 * anonymous} kB\nPss_Anon: 1 kB\n")


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the kernel's folder a content."""
    process(tmp_path, 1, "/docker/abc/system.slice/mlflow.service", (100, 50, 10, 5), 3)
    process(tmp_path, 2, "/docker/abc/system.slice/mlflow.service", (200, 0, 0, 0), 4)
    process(tmp_path, 3, "/docker/abc/system.slice/mlflow.service.d", (1000, 0, 0, 0), 1000)
    process(tmp_path, 4, "/docker/abc/system.slice/nginx.service", (400, 0, 0, 0), 5)
    process(tmp_path, 5, "/docker/def/system.slice/mlflow.service", (800, 0, 0, 0), 6)
    (tmp_path / "uptime").write_text("1 1\n")
    monkeypatch.setattr(measure, "PROC", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("processes")
def test_a_unit_is_told_from_its_neighbours() -> None:
    unit = Group("abc", "mlflow.service")
    assert unit.processor_seconds() == pytest.approx(365 / TICKS)
    assert (unit.anonymous(), unit.proportional()) == (7 * 1024, 14 * 1024)
    assert Group("def").processor_seconds() == pytest.approx(800 / TICKS)


def test_only_what_is_spent_meanwhile_counts(processes: Path) -> None:
    with observed({"mlflow": Group("abc", "mlflow.service")}, Group("abc"), lambda: 0) as costs:
        process(processes, 6, "/docker/abc/system.slice/mlflow.service", (30, 0, 0, 0))
    assert costs.processor == {"mlflow": pytest.approx(30 / TICKS)}


def test_preparation_does_not_count(processes: Path) -> None:
    groups = {"mlflow": Group("abc", "mlflow.service")}
    with observed(groups, Group("abc"), lambda: 0) as costs:
        process(processes, 6, "/docker/abc/system.slice/mlflow.service", (30, 0, 0, 0))
        costs.begin(groups)
        process(processes, 7, "/docker/abc/system.slice/mlflow.service", (40, 0, 0, 0))
    assert costs.processor == {"mlflow": pytest.approx(40 / TICKS)}


def test_the_most_memory_and_connections_are_kept(processes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "SAMPLE_SECONDS", 0.01)
    counts = iter([1, 8])
    with observed({}, Group("def"), lambda: next(counts, 2)) as costs:
        process(processes, 7, "/docker/def", anonymous=20)
        wait_for(lambda: costs.connections == 8 and costs.memory_peak > 0)
        (processes / "7/status").unlink()
    assert (costs.memory_before, costs.memory_peak, costs.connections) == (6 * 1024, 26 * 1024, 8)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_ends_meanwhile_holds_nothing(processes: Path) -> None:
    for name in ("stat", "status", "smaps_rollup", "cgroup"):
        (processes / "5" / name).unlink()
    assert Group("def").anonymous() == 0


def test_of_a_real_process_both_are_known() -> None:
    group = next(line for line in Path("/proc/self/cgroup").read_text().splitlines())
    own = Group(group)
    assert own.anonymous() > 2**20
    assert own.processor_seconds() > 0
