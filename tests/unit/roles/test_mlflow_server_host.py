"""The helper that the role puts on tracking hosts."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.loading import load

SCHEMAS = {
    "tracking": {"head": "new", "revisions": ["old", "new"]},
    "auth": {"head": "users-new", "revisions": ["users-old", "users-new"]},
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = load(monkeypatch, "mlflow_server/files/host.py")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMAS))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return module


@pytest.fixture
def upgrades(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record the upgrades instead of running them."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=0, stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def database(path: Path, revision: str, table: str = "alembic_version") -> str:
    with sqlite3.connect(path) as file:
        file.execute(f"CREATE TABLE {table} (version_num TEXT)")
        file.execute(f"INSERT INTO {table} VALUES (?)", (revision,))
    return f"sqlite:///{path}"


def settings(path: Path, tracking: str, users: str) -> dict[str, str]:
    """Return the environment of a server with basic authentication."""
    configuration = path / "basic_auth.ini"
    configuration.write_text(f"[mlflow]\ndatabase_uri = {users.replace('%', '%%')}\n")
    return {"MLFLOW_BACKEND_STORE_URI": tracking, "MLFLOW_AUTH_CONFIG_PATH": str(configuration)}


def test_an_empty_database_is_migrated(host: ModuleType, upgrades: list[list[str]], tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert host.migrate(host.Store(uri), check=False) == {"changed": True, "before": None, "after": "new"}
    assert upgrades == [[sys.executable, "-m", "mlflow", "db", "upgrade", uri]]


def test_an_older_schema_is_migrated(host: ModuleType, upgrades: list[list[str]], tmp_path: Path) -> None:
    result = host.migrate(host.Store(database(tmp_path / "mlflow.db", "old")), check=False)
    assert result == {"changed": True, "before": "old", "after": "new"}
    assert len(upgrades) == 1


def test_the_needed_schema_is_left_alone(host: ModuleType, upgrades: list[list[str]], tmp_path: Path) -> None:
    result = host.migrate(host.Store(database(tmp_path / "mlflow.db", "new")), check=False)
    assert result == {"changed": False, "before": "new", "after": "new"}
    assert upgrades == []


def test_checking_changes_nothing(host: ModuleType, upgrades: list[list[str]], tmp_path: Path) -> None:
    assert host.migrate(host.Store(f"sqlite:///{tmp_path}/mlflow.db"), check=True)["changed"]
    assert not (tmp_path / "mlflow.db").exists()
    assert upgrades == []


def test_a_newer_releases_schema_is_refused(host: ModuleType, upgrades: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(host.HostError, match=r"revision newer, which the installed MLflow doesn't know.*restore"):
        host.migrate(host.Store(database(tmp_path / "mlflow.db", "newer")), check=False)
    assert upgrades == []


class _Postgresql:
    """A database of one table, with advisory locks; its sessions are those of as many threads as one likes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.revision: str | None = None

    def connect(self, _uri: str) -> _Session:
        return _Session(self)


class _Session:
    autocommit = False

    def __init__(self, database: _Postgresql) -> None:
        self._database, self._locked = database, False
        self._answer: list[tuple[str]] = []

    def cursor(self) -> contextlib.nullcontext[_Session]:
        return contextlib.nullcontext(self)

    def execute(self, query: str, _values: tuple[object, ...] = ()) -> None:
        if "pg_advisory_lock" in query:
            self._locked = self._database.lock.acquire(timeout=30)
        elif "version_num" in query:
            self._answer = [(self._database.revision,)] if self._database.revision else []

    def fetchall(self) -> list[tuple[str]]:
        return self._answer

    def close(self) -> None:
        if self._locked:
            self._database.lock.release()


def test_of_two_migrations_at_the_same_time_one_waits_and_finds_it_done(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, begun, upgrades = _Postgresql(), threading.Event(), []

    def upgrade(command: list[str], **_: Any) -> SimpleNamespace:
        upgrades.append(command)
        begun.set()
        # Time for the other one to come as far as it can.
        time.sleep(0.2)
        database.revision = "new"
        return SimpleNamespace(returncode=0, stdout="")

    monkeypatch.setattr(subprocess, "run", upgrade)
    monkeypatch.setattr(host, "connect", database.connect)
    errors = SimpleNamespace(LockNotAvailable=TimeoutError, UndefinedTable=KeyError)
    monkeypatch.setattr(host, "driver", lambda: SimpleNamespace(errors=errors))
    store = host.Store("postgresql+psycopg2://mlflow@database/mlflow")
    with ThreadPoolExecutor() as controllers:
        first = controllers.submit(host.migrate, store, check=False)
        assert begun.wait(10)
        second = controllers.submit(host.migrate, store, check=False)
        assert (first.result()["changed"], second.result()["changed"]) == (True, False)
    assert len(upgrades) == 1


def test_the_users_database_is_migrated_with_the_other(
    host: ModuleType, upgrades: list[list[str]], tmp_path: Path
) -> None:
    tracking = database(tmp_path / "mlflow.db", "new")
    # A percent sign is doubled in the configuration, and single again in what is connected to.
    users = database(tmp_path / "us%65rs.db", "users-old", "alembic_version_auth")
    found = host.stores(settings(tmp_path, tracking, users))
    assert host.migrate_all(found, check=False) == {
        "changed": True,
        "schemas": {
            "tracking": {"changed": False, "before": "new", "after": "new"},
            "auth": {"changed": True, "before": "users-old", "after": "users-new"},
        },
    }
    assert upgrades == [[sys.executable, "-m", "mlflow.server.auth", "db", "upgrade", "--url", users]]


def test_without_authentication_there_is_one_database(host: ModuleType) -> None:
    assert host.stores({"MLFLOW_BACKEND_STORE_URI": "sqlite:////x"}) == [host.Store("sqlite:////x")]


def test_an_administrator_who_exists_is_left_alone(host: ModuleType, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "users.db") as file:
        file.execute("CREATE TABLE users (username TEXT)")
        file.execute("INSERT INTO users VALUES ('someone'), ('admin')")
    store = host.Store(f"sqlite:///{tmp_path}/users.db", "auth")
    assert not host.create_administrator(store, {"username": "admin", "password": "another"}, check=False)


def test_asking_for_the_administrator_creates_none(host: ModuleType, tmp_path: Path) -> None:
    store = host.Store(f"sqlite:///{tmp_path}/users.db", "auth")
    assert host.create_administrator(store, {"username": "admin", "password": "p"}, check=True)
    assert not (tmp_path / "users.db").exists()


def test_a_failed_upgrade_tells_why(host: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=3, stdout="no space left"))
    with pytest.raises(host.HostError, match=r"status 3:\nno space left"):
        host.migrate(host.Store(f"sqlite:///{tmp_path}/mlflow.db"), check=False)


def test_waiting_for_a_database_that_is_away_ends_with_its_error(host: ModuleType) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{unused.getsockname()[1]}/mlflow"
        with pytest.raises(host.HostError, match=r"can't be used after 0 s: .*refused"):
            host.wait(uri, 0)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: Any) -> None:
        pass


class _Server(socketserver.UnixStreamServer):
    pass


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    with _Server(str(tmp_path / "socket"), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"unix:{tmp_path}/socket"
        server.shutdown()


def test_a_server_that_answers_is_ready(host: ModuleType, listening: str) -> None:
    host.ready(listening, 5)


@pytest.mark.parametrize("listen", ["unix:/nonexistent/socket", "127.0.0.1:1"])
def test_a_server_that_does_not_answer_is_not(host: ModuleType, listen: str) -> None:
    with pytest.raises(host.HostError, match=r"isn't ready after 0 s: .+"):
        host.ready(listen, 0)


def test_the_command_reports_a_failure_in_words(host: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["host.py", "ready", "unix:/nonexistent/socket", "--seconds", "0"])
    assert host.main() == 1
    assert "isn't ready" in capsys.readouterr().err
