"""The sandbox's database server as the benchmark uses it: a login of its own, rows in bulk, and what was stored."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
from docker.models.containers import Container

from benchmarks.scenarios import TIMESTAMP
from tests.deploy.deployment import execute

# What the runs of an experiment have before anybody logs to them: metrics and parameters.
CONTENT = """
WITH made AS (
    INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
                      source_version, lifecycle_stage, artifact_uri, experiment_id)
    SELECT md5(%(experiment)s || '-' || %(salt)s || '-' || i), 'run-' || i, 'UNKNOWN', '', '', 'benchmark', 'RUNNING',
           %(timestamp)s + i, '', 'active', 'mlflow-artifacts:/' || %(experiment)s || '/' || i || '/artifacts',
           %(experiment)s::int
    FROM generate_series(1, %(count)s) AS i
    RETURNING run_uuid, name, start_time - %(timestamp)s AS i
), filled_metrics AS (
    INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
    SELECT run_uuid, CASE m WHEN 1 THEN 'loss' ELSE 'metric-' || m END, ((i * 7919 + m) %% 10007) / 10007.0,
           %(timestamp)s, 0, false
    FROM made, generate_series(1, %(metrics)s) AS m
), filled_params AS (
    INSERT INTO params (run_uuid, key, value)
    SELECT run_uuid, CASE p WHEN 1 THEN 'layers' ELSE 'param-' || p END, (i %% 10)::text
    FROM made, generate_series(1, %(params)s) AS p
), filled_tags AS (
    INSERT INTO tags (run_uuid, key, value) SELECT run_uuid, 'mlflow.runName', name FROM made
)
SELECT run_uuid FROM made
"""
# By which the benchmark's own sessions are told from the servers'.
APPLICATION = "benchmark"
TABLES = ("metrics", "latest_metrics", "params", "tags", "runs")


@dataclass(frozen=True)
class Login:
    """A way into the database server for as long as the benchmark takes."""

    container: Container
    host: str
    port: int
    user: str
    password: str

    def uri(self, database: str) -> str:
        """Return where a database is, as a tutorial writes it."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    @contextmanager
    def session(self, database: str) -> Iterator[psycopg2.extensions.connection]:
        """Keep a session with a database open, in which each statement is complete by itself."""
        session = psycopg2.connect(self.uri(database), application_name=APPLICATION)
        session.autocommit = True
        try:
            yield session
        finally:
            session.close()

    def as_superuser(self, statement: str, database: str = "postgres") -> None:
        """Do what only the server's owner may."""
        execute(self.container, f'psql -p {self.port} -qX -v ON_ERROR_STOP=1 {database} -c "{statement}"')


@contextmanager
def login(container: Container, host: str, port: int, store: str) -> Iterator[Login]:
    """Make a login that may use MLflow's store, and a database of its own; remove both at the end."""
    user = f"benchmark_{secrets.token_hex(4)}"
    made = Login(container, host, port, user, secrets.token_hex(16))
    made.as_superuser(f"CREATE ROLE {user} LOGIN PASSWORD '{made.password}'")
    made.as_superuser(f"GRANT pg_read_all_data, pg_write_all_data, pg_monitor TO {user}")
    made.as_superuser(f"GRANT CONNECT ON DATABASE {store} TO {user}")
    made.as_superuser(f"CREATE DATABASE {user} OWNER {user}")
    try:
        yield made
    finally:
        made.as_superuser(f"DROP DATABASE {user} WITH (FORCE)")
        made.as_superuser(f"REVOKE CONNECT ON DATABASE {store} FROM {user}")
        made.as_superuser(f"DROP ROLE {user}")


def ask(
    session: psycopg2.extensions.connection, statement: str, values: dict[str, Any] | list[Any] | None = None
) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def make_runs(
    session: psycopg2.extensions.connection, experiment: str, count: int, *, metrics: int = 0, params: int = 0
) -> list[str]:
    """Insert so many runs into an experiment, as MLflow would store them, and return their ids."""
    values = {
        "experiment": experiment,
        "salt": secrets.token_hex(4),
        "timestamp": TIMESTAMP,
        "count": count,
        "metrics": metrics,
        "params": params,
    }
    return [str(run) for (run,) in ask(session, CONTENT, values)]


def remove_experiments(session: psycopg2.extensions.connection, prefix: str) -> None:
    """Delete the experiments whose names begin so from the database, with all their runs."""
    values = {"names": f"{prefix}-%"}
    experiments = "SELECT experiment_id FROM experiments WHERE name LIKE %(names)s"
    runs = f"SELECT run_uuid FROM runs WHERE experiment_id IN ({experiments})"
    for table in TABLES:
        ask(session, f"DELETE FROM {table} WHERE run_uuid IN ({runs})", values)
    ask(session, "DELETE FROM experiments WHERE name LIKE %(names)s", values)


def lost(
    session: psycopg2.extensions.connection, stored: str, acknowledged: list[tuple[str, int]], first: int
) -> list[tuple[str, int]]:
    """Return what was acknowledged and isn't in the database as it was sent."""
    subjects = sorted({subject for subject, _ in acknowledged})
    found = {
        (str(subject), int(number)) for subject, number in ask(session, stored, {"subjects": subjects, "first": first})
    }
    return [write for write in acknowledged if write not in found]
