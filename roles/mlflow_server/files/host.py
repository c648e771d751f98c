"""What the tracking server's unit and its deployment need on the host.

``wait`` proves that the databases can be reached with the service's credentials over verified TLS.
``migrate`` brings their schemas to the installed release of MLflow, and prints a JSON object: whether something
changed, and each schema's revision before and after.
``administrator`` creates the user ``{"username": …, "password": …}`` of standard input where there is none of that
name, and prints whether something changed.
``ready`` waits until the server answers.
The databases are the backend store, which MLFLOW_BACKEND_STORE_URI names, and that of the users, which the file
MLFLOW_AUTH_CONFIG_PATH names where there is one. libpq finds the passwords through PGPASSFILE.
"""

from __future__ import annotations

import argparse
import configparser
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Any number that nothing else in this database locks.
LOCK = 0x6D6C666C6F77
LOCK_TIMEOUT = "15min"


class HostError(Exception):
    """What went wrong, in words for the operator."""


@dataclass(frozen=True)
class Store:
    """One database of the server's: what alembic keeps its revision in, and MLflow's command that migrates it."""

    uri: str
    kind: str = "tracking"

    @property
    def version_table(self) -> str:
        """Return the name of alembic's table."""
        return "alembic_version_auth" if self.kind == "auth" else "alembic_version"

    @property
    def upgrade(self) -> list[str]:
        """Return the arguments of Python that bring the schema to the installed release."""
        if self.kind == "auth":
            return ["-m", "mlflow.server.auth", "db", "upgrade", "--url", self.uri]
        return ["-m", "mlflow", "db", "upgrade", self.uri]


def stores(environment: Mapping[str, str]) -> list[Store]:
    """Return the databases that the environment names."""
    found = [Store(environment["MLFLOW_BACKEND_STORE_URI"])]
    if "MLFLOW_AUTH_CONFIG_PATH" in environment:
        configuration = configparser.ConfigParser()
        with Path(environment["MLFLOW_AUTH_CONFIG_PATH"]).open(encoding="utf-8") as file:
            configuration.read_file(file)
        found.append(Store(configuration["mlflow"]["database_uri"], "auth"))
    return found


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
                raise HostError(f"The database can't be used after {seconds:g} s: {error}".strip()) from error
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


def revisions(kind: str) -> tuple[str, set[str]]:
    """Return the revision that the installed release needs, and all that it knows."""
    schema = json.loads((Path(sys.prefix) / "schema.json").read_text(encoding="utf-8"))[kind]
    return schema["head"], set(schema["revisions"])


def column(uri: str, query: str) -> list[str]:
    """Return what the query finds, nothing where a table or the file isn't there.

    Asked in plain SQL, which takes a twentieth of the time of importing what MLflow imports.
    """
    path = uri.removeprefix("sqlite:///")
    if path != uri:
        if not Path(path).exists():
            # Connecting would create it, also when only asking.
            return []
        try:
            with contextlib.closing(sqlite3.connect(path)) as file:
                return [str(value) for (value,) in file.execute(query)]
        except sqlite3.OperationalError:
            return []
    session = connect(uri)
    try:
        with session.cursor() as cursor:
            cursor.execute(query)
            return [str(value) for (value,) in cursor.fetchall()]
    except driver().errors.UndefinedTable:
        return []
    finally:
        session.close()


def migrate(store: Store, *, check: bool) -> dict[str, object]:
    """Bring the schema to the revision of the installed release, or only tell whether that is needed."""
    needed, known = revisions(store.kind)
    with only_one(store.uri):
        before = next(iter(column(store.uri, f"SELECT version_num FROM {store.version_table}")), None)
        if before is not None and before not in known:
            raise HostError(
                f"The database's schema is at revision {before}, which the installed MLflow doesn't know: a newer "
                "release made it. Deploy that release again, or restore a backup from before its migration."
            )
        if before != needed and not check:
            command = [sys.executable, *store.upgrade]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                raise HostError(f"{' '.join(store.upgrade[1:-1])} ended with status {done.returncode}:\n{done.stdout}")
    return {"changed": before != needed, "before": before, "after": needed}


def create_administrator(store: Store, user: Mapping[str, str], *, check: bool) -> bool:
    """Create the administrator, or only tell whether that is needed; one that exists keeps its password.

    MLflow would do the same at its start, but would need the password in the service's environment for it.
    """
    if user["username"] in column(store.uri, "SELECT username FROM users"):
        return False
    if not check:
        users = importlib.import_module("mlflow.server.auth.sqlalchemy_store").SqlAlchemyStore()
        errors = importlib.import_module("mlflow.exceptions")
        users.init_db(store.uri)
        try:
            users.create_user(user["username"], user["password"], is_admin=True)
        except errors.MlflowException as error:
            raise HostError(f"The administrator {user['username']} can't be created: {error.message}") from error
    return True


def migrate_all(found: list[Store], *, check: bool) -> dict[str, object]:
    """Migrate all databases."""
    schemas = {store.kind: migrate(store, check=check) for store in found}
    return {"changed": any(schema["changed"] for schema in schemas.values()), "schemas": schemas}


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
    waiting = commands.add_parser("wait", help="prove that the databases can be used")
    waiting.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    migrating = commands.add_parser("migrate", help="bring the schemas to the installed release")
    creating = commands.add_parser("administrator", help="create the user whom standard input describes")
    for command in (migrating, creating):
        command.add_argument("--check", action="store_true", help="only tell whether it is needed")
    polling = commands.add_parser("ready", help="wait until the server answers")
    polling.add_argument("listen", help="unix:/path or address:port")
    polling.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    arguments = parser.parse_args()
    try:
        if arguments.command == "wait":
            for store in stores(os.environ):
                wait(store.uri, arguments.seconds)
        elif arguments.command == "migrate":
            print(json.dumps(migrate_all(stores(os.environ), check=arguments.check)))
        elif arguments.command == "administrator":
            (users,) = (store for store in stores(os.environ) if store.kind == "auth")
            created = create_administrator(users, json.load(sys.stdin), check=arguments.check)
            print(json.dumps({"changed": created}))
        else:
            ready(arguments.listen, arguments.seconds)
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
