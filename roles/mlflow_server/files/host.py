"""What the tracking server's unit and its deployment need on the host.

``wait`` proves that the backend store can be reached with the service's credentials over verified TLS.
``migrate`` brings its schema to the installed release of MLflow, and prints a JSON object: whether something changed,
and the schema's revision before and after.
``ready`` waits until the server answers.
The store is the one that MLFLOW_BACKEND_STORE_URI names; libpq finds the password through PGPASSFILE.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Any number that nothing else in this database locks.
LOCK = 0x6D6C666C6F77
LOCK_TIMEOUT = "15min"


class HostError(Exception):
    """What went wrong, in words for the operator."""


def driver() -> Any:
    """Return psycopg2, which is imported late because SQLite needs none of it."""
    return importlib.import_module("psycopg2")


def connect(uri: str) -> Any:
    """Connect as libpq does, which doesn't know the driver's name in SQLAlchemy's form of the URI."""
    return driver().connect(uri.replace("+psycopg2", "", 1))


def wait(uri: str, seconds: float) -> None:
    """Connect within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(uri).close()
        except driver().OperationalError as error:
            if time.monotonic() > deadline:
                raise HostError(f"The backend store can't be used after {seconds:g} s: {error}".strip()) from error
            time.sleep(1)
        else:
            return


@contextlib.contextmanager
def only_one(uri: str) -> Iterator[None]:
    """Keep other migrations of the same PostgreSQL database waiting; alembic has no lock of its own."""
    if not uri.startswith("postgresql"):
        yield
        return
    session = connect(uri)
    try:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield
    except driver().errors.LockNotAvailable as error:
        raise HostError(f"Another migration has been running for {LOCK_TIMEOUT}. See what it waits for.") from error
    finally:
        session.close()


def revisions() -> tuple[str, set[str]]:
    """Return the revision that the installed release needs, and all that it knows."""
    schema = json.loads((Path(sys.prefix) / "schema.json").read_text(encoding="utf-8"))
    return schema["head"], set(schema["revisions"])


def current_revision(uri: str) -> str | None:
    """Return the revision of the database's schema; an empty database has none.

    Asked in plain SQL, which takes a twentieth of the time of importing alembic.
    """
    query = "SELECT version_num FROM alembic_version"
    path = uri.removeprefix("sqlite:///")
    if path != uri:
        if not Path(path).exists():
            # Connecting would create it, also when only asking.
            return None
        try:
            with contextlib.closing(sqlite3.connect(path)) as file:
                row = file.execute(query).fetchone()
        except sqlite3.OperationalError:
            row = None
        return str(row[0]) if row else None
    session = connect(uri)
    try:
        with session.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
    except driver().errors.UndefinedTable:
        row = None
    finally:
        session.close()
    return str(row[0]) if row else None


def migrate(uri: str, *, check: bool) -> dict[str, object]:
    """Bring the schema to the revision of the installed release, or only tell whether that is needed."""
    needed, known = revisions()
    with only_one(uri):
        before = current_revision(uri)
        if before is not None and before not in known:
            raise HostError(
                f"The database's schema is at revision {before}, which the installed MLflow doesn't know: a newer "
                "release made it. Deploy that release again, or restore a backup from before its migration."
            )
        if before != needed and not check:
            command = [sys.executable, "-m", "mlflow", "db", "upgrade", uri]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                raise HostError(f"mlflow db upgrade ended with status {done.returncode}:\n{done.stdout}")
    return {"changed": before != needed, "before": before, "after": needed}


class _Connection(http.client.HTTPConnection):
    """An HTTP connection to ``unix:/path`` or ``address:port``."""

    def __init__(self, listen: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._listen = listen

    def connect(self) -> None:
        """Connect to the Unix socket or the address."""
        if self._listen.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._listen.removeprefix("unix:"))
        else:
            host, port = self._listen.rsplit(":", 1)
            self.sock = socket.create_connection((host, int(port)), self.timeout)


def answer(listen: str, timeout: float) -> str:
    """Return what is wrong with the server's answer, or nothing when it is well."""
    connection = _Connection(listen, timeout)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status == http.client.OK else f"status {status}"


def ready(listen: str, seconds: float) -> None:
    """Poll until the server answers."""
    deadline = time.monotonic() + seconds
    while problem := answer(listen, timeout=5):
        if time.monotonic() > deadline:
            raise HostError(f"The server on {listen} isn't ready after {seconds:g} s: {problem}")
        time.sleep(0.2)


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    waiting = commands.add_parser("wait", help="prove that the store can be used")
    waiting.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    migrating = commands.add_parser("migrate", help="bring the schema to the installed release")
    migrating.add_argument("--check", action="store_true", help="only tell whether it is needed")
    polling = commands.add_parser("ready", help="wait until the server answers")
    polling.add_argument("listen", help="unix:/path or address:port")
    polling.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    arguments = parser.parse_args()
    try:
        if arguments.command == "wait":
            wait(os.environ["MLFLOW_BACKEND_STORE_URI"], arguments.seconds)
        elif arguments.command == "migrate":
            print(json.dumps(migrate(os.environ["MLFLOW_BACKEND_STORE_URI"], check=arguments.check)))
        else:
            ready(arguments.listen, arguments.seconds)
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
