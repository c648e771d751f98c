"""An acknowledged write that isn't found afterwards: it is named, counted, and the command fails for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import database
from benchmarks.__main__ import write
from benchmarks.report import Cell, Round

ROUND = Round(
    done=2,
    per_second=1.0,
    latency={"p50": 0.1, "p95": 0.2, "p99": 0.3},
    longest=0.4,
    errors={},
    lost=0,
    processor={},
    memory=0,
    connections=0,
    generator_share=0.0,
    generator_lag=0.0,
)


def test_what_was_acknowledged_and_is_not_stored_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def ask(_session: object, _statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        asked.append(values)
        return [("a", 7), ("b", "8"), ("b", 10)]

    monkeypatch.setattr(database, "ask", ask)
    session: Any = SimpleNamespace()
    assert database.lost(session, "SELECT", [("b", 8), ("b", 9), ("a", 7), ("a", 8)], 7) == [("b", 9), ("a", 8)]
    assert asked == [{"subjects": ["a", "b"], "first": 7}]


@pytest.mark.parametrize(
    ("in_rounds", "in_fleet", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)], ids=["nothing", "in a round", "in the fleet"]
)
def test_the_command_fails_for_a_lost_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_rounds: int, in_fleet: int, code: int
) -> None:
    cell = Cell("log_batch", 10, None, {"deployed": [ROUND, dataclasses.replace(ROUND, lost=in_rounds)]})
    found = {
        "machine": {"cores": 2, "memory": 2**30},
        "cells": [dataclasses.asdict(cell)],
        "fleet": {"lost": in_fleet},
        "notes": ["a note"],
    }
    assert write(found, tmp_path / "results") == code
    assert json.loads((tmp_path / "results/results.json").read_text()) == found
    printed = capsys.readouterr().out
    assert "note: a note" in printed
    assert ("LOST: 1 writes" in printed) == bool(in_rounds)
