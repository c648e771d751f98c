"""mlflow_health against MLflow itself, with SQLite and a local artifact folder: the one-person profile.

What the unit tests' server plays is only as good as its likeness to this one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_health

from tests.integration.running import serving


@dataclass
class Server:
    """A running MLflow."""

    url: str
    folder: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask its database."""
        with sqlite3.connect(self.folder / "mlflow.db") as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mlflow")
    with serving(folder) as url:
        yield Server(url, folder)


def check(capsys: pytest.CaptureFixture[str], **arguments: object) -> dict[str, Any]:
    """Run the module, return what it printed."""
    with patch_module_args(dict(arguments)), pytest.raises(SystemExit):
        mlflow_health.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_it_waits_for_a_starting_server_passes_it_and_leaves_nothing(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    started = check(capsys, url=server.url, level="ping", deadline=300, timeout=30, retries=1000)
    assert started["healthy"] is True, started["msg"] + (server.folder / "log").read_text()
    result = check(capsys, url=server.url, level="artifact", deadline=120, timeout=60)

    assert result["healthy"] is True, result["msg"] + (server.folder / "log").read_text()
    assert [each["name"] for each in result["checks"] if each["passed"]] == [each["name"] for each in result["checks"]]
    assert len(result["checks"]) == 12
    assert result["server_version"].startswith("3.")
    # What was made was really there, is marked as deleted, and no file or folder stays.
    assert server.rows("SELECT name, lifecycle_stage FROM experiments WHERE experiment_id != 0") == [
        (result["experiment"], "deleted")
    ]
    assert server.rows("SELECT lifecycle_stage FROM runs") == [("deleted",)]
    assert server.rows("SELECT count(*) FROM metrics") == [(1,)]
    assert server.rows("SELECT value FROM params") == [(result["experiment"],)]
    assert list((server.folder / "artifacts").iterdir()) == []


def test_a_lost_database_is_named_at_the_check_that_needs_it(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    database = server.folder / "mlflow.db"
    hidden = database.rename(server.folder / "hidden.db")
    database.mkdir()
    try:
        result = check(capsys, url=server.url, level="artifact", deadline=30, retries=1)
    finally:
        database.rmdir()
        hidden.rename(database)

    names = {each["name"]: each for each in result["checks"]}
    assert result["healthy"] is False
    assert names["ping"]["passed"] is True
    failing = [name for name, each in names.items() if not each["passed"]]
    assert "experiment_create" in failing
    assert "experiment_create" in result["msg"]
