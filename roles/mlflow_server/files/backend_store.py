"""Wait for the backend store, or bring its schema to the installed release of MLflow.

The store is the one that MLFLOW_BACKEND_STORE_URI names; libpq finds the password through PGPASSFILE.
``wait`` proves that it can be reached with these credentials over verified TLS.
``migrate`` prints a JSON object: whether something changed, and the schema's revision before and after.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection

# Any number that nothing else in this database locks.
LOCK = 0x6D6C666C6F77
LOCK_TIMEOUT = "15min"


class Failure(Exception):
    """What went wrong, in words for the operator."""


def connect(uri: str) -> connection:
    """Connect as libpq does, which doesn't know the driver's name in SQLAlchemy's form of the URI."""
    import psycopg2

    return psycopg2.connect(uri.replace("+psycopg2", "", 1))


def wait(uri: str, seconds: float) -> None:
    """Connect within so many seconds."""
    import psycopg2

    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(uri).close()
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                raise Failure(f"The backend store can't be used after {seconds:g} s: {error}".strip()) from error
            time.sleep(1)
        else:
            return


@contextlib.contextmanager
def only_one(uri: str) -> Iterator[None]:
    """Keep other migrations of the same PostgreSQL database waiting; alembic has no lock of its own."""
    if not uri.startswith("postgresql"):
        yield
        return
    import psycopg2

    session = connect(uri)
    try:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield
    except psycopg2.errors.LockNotAvailable as error:
        raise Failure(f"Another migration has been running for {LOCK_TIMEOUT}. See what it waits for.") from error
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
    import psycopg2

    session = connect(uri)
    try:
        with session.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
    except psycopg2.errors.UndefinedTable:
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
            raise Failure(
                f"The database's schema is at revision {before}, which the installed MLflow doesn't know: a newer "
                "release made it. Deploy that release again, or restore a backup from before its migration."
            )
        if before != needed and not check:
            command = [sys.executable, "-m", "mlflow", "db", "upgrade", uri]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                raise Failure(f"mlflow db upgrade ended with status {done.returncode}:\n{done.stdout}")
    return {"changed": before != needed, "before": before, "after": needed}


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    waiting = commands.add_parser("wait", help="prove that the store can be used")
    waiting.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    migrating = commands.add_parser("migrate", help="bring the schema to the installed release")
    migrating.add_argument("--check", action="store_true", help="only tell whether it is needed")
    arguments = parser.parse_args()
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
    try:
        if arguments.command == "wait":
            wait(uri, arguments.seconds)
        else:
            print(json.dumps(migrate(uri, check=arguments.check)))
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
