"""What clients ask, one request each; how a right answer is told; and where an acknowledged write must be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

API = "/api/2.0/mlflow"
METRICS, PARAMS = 10, 5
# A client goes on to its next run after so many requests: MLflow reads all parameters of a run with each batch, so that
# one run for ever would measure its history instead.
TURNS = 20
TIMESTAMP = 1_700_000_000_000

Request = tuple[str, str, dict[str, Any] | None]
Statement = tuple[str, dict[str, Any] | list[Any]]


@dataclass(frozen=True)
class Scenario:
    """One kind of request. A subject is a run or an experiment; numbers are unique within a server."""

    request: Callable[[str, int], Request]
    # What a client takes its subjects from: see `Bench.prepare`.
    subjects: str
    right: Callable[[str, int, bytes], bool] = lambda _subject, _number, _content: True
    turns_each: int = TURNS
    # Subject and number of every write that is in the database as it was sent, of some subjects from a number on.
    stored: str | None = None
    # The same on the database without MLflow: the limit.
    statements: Callable[[str, int], list[Statement]] | None = None


def value(number: int, index: int = 0) -> float:
    """Return the value that a metric has: one that a float holds exactly."""
    return number / 2 + index


def _log_metric(run: str, number: int) -> Request:
    body = {"run_id": run, "key": "loss", "value": value(number), "timestamp": TIMESTAMP, "step": number}
    return "POST", f"{API}/runs/log-metric", body


def _log_batch(run: str, number: int) -> Request:
    metrics = [
        {"key": f"m{index}", "value": value(number, index), "timestamp": TIMESTAMP, "step": number}
        for index in range(METRICS)
    ]
    params = [{"key": f"p{index}.{number}", "value": str(number)} for index in range(PARAMS)]
    return "POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": metrics, "params": params}


def _create_run(experiment: str, number: int) -> Request:
    body = {"experiment_id": experiment, "run_name": f"created-{number}", "start_time": TIMESTAMP}
    return "POST", f"{API}/runs/create", body


def _get_run(run: str, _number: int) -> Request:
    return "GET", f"{API}/runs/get?run_id={run}", None


def _search(experiment: str, _number: int) -> Request:
    body = {
        "experiment_ids": [experiment],
        "filter": "metrics.loss < 0.5 and params.layers = '3'",
        "order_by": ["metrics.loss ASC"],
        "max_results": 100,
    }
    return "POST", f"{API}/runs/search", body


def _search_experiments(_experiment: str, _number: int) -> Request:
    return "POST", f"{API}/experiments/search", {"max_results": 50, "order_by": ["name ASC"]}


def _names_run(run: str, _number: int, content: bytes) -> bool:
    return run.encode() in content


def _found(count: int, what: bytes) -> Callable[[str, int, bytes], bool]:
    return lambda _subject, _number, content: content.count(what) == count


INSERT_METRIC = """INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)
    VALUES (%(run)s, %(key)s, %(value)s, %(timestamp)s, %(number)s, false)"""
UPDATE_LATEST = """INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
    VALUES (%(run)s, %(key)s, %(value)s, %(timestamp)s, %(number)s, false)
    ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, step = excluded.step"""


def _metric_statements(run: str, number: int) -> list[Statement]:
    row = {"run": run, "key": "loss", "value": value(number), "timestamp": TIMESTAMP, "number": number}
    return [(INSERT_METRIC, row), (UPDATE_LATEST, row)]


def _batch_statements(run: str, number: int) -> list[Statement]:
    rows = {
        "run": run,
        "number": number,
        "timestamp": TIMESTAMP,
        "keys": [f"m{index}" for index in range(METRICS)],
        "values": [value(number, index) for index in range(METRICS)],
        "params": [f"p{index}.{number}" for index in range(PARAMS)],
    }
    metrics = (
        "SELECT %(run)s, key, value, %(timestamp)s, %(number)s, false"
        " FROM unnest(%(keys)s, %(values)s) AS m (key, value)"
    )
    return [
        (f"INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) {metrics}", rows),
        (
            f"INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) {metrics} "
            "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, step = excluded.step",
            rows,
        ),
        ("INSERT INTO params (run_uuid, key, value) SELECT %(run)s, unnest(%(params)s), %(number)s", rows),
    ]


def _run_statements(experiment: str, number: int) -> list[Statement]:
    row = {"experiment": experiment, "name": f"created-{number}", "run": f"{number:032x}", "timestamp": TIMESTAMP}
    return [
        (
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage, artifact_uri,"
            " experiment_id) VALUES (%(run)s, %(name)s, 'UNKNOWN', '', 'RUNNING', %(timestamp)s, 'active', '',"
            " %(experiment)s)",
            row,
        ),
        ("INSERT INTO tags (run_uuid, key, value) VALUES (%(run)s, 'mlflow.runName', %(name)s)", row),
    ]


def _read_statements(run: str, _number: int) -> list[Statement]:
    tables = ("runs", "latest_metrics", "params", "tags")
    return [(f"SELECT * FROM {table} WHERE run_uuid = %(run)s", {"run": run}) for table in tables]


# All rows of the kind that have the right value, of these subjects, from this number on.
STORED_METRICS = """SELECT run_uuid, step FROM metrics
    WHERE key = 'loss' AND value = step / 2.0 AND run_uuid = ANY(%(subjects)s) AND step >= %(first)s"""
STORED_BATCHES = f"""SELECT run_uuid, step FROM metrics
    WHERE key ~ '^m[0-9]$' AND value = step / 2.0 + substr(key, 2)::int
      AND run_uuid = ANY(%(subjects)s) AND step >= %(first)s
    GROUP BY run_uuid, step HAVING count(*) = {METRICS}
    INTERSECT SELECT run_uuid, value::bigint FROM params
    WHERE key ~ '^p[0-9][.]' AND split_part(key, '.', 2) = value
      AND run_uuid = ANY(%(subjects)s) AND value::bigint >= %(first)s
    GROUP BY run_uuid, value HAVING count(*) = {PARAMS}"""
STORED_RUNS = """SELECT experiment_id::text, substr(name, 9)::bigint FROM runs
    WHERE name LIKE 'created-%%' AND experiment_id::text = ANY(%(subjects)s) AND substr(name, 9)::bigint >= %(first)s"""

SCENARIOS = {
    "log_metric": Scenario(_log_metric, "runs", stored=STORED_METRICS, statements=_metric_statements),
    "log_batch": Scenario(_log_batch, "runs", stored=STORED_BATCHES, statements=_batch_statements),
    "create_run": Scenario(_create_run, "created", stored=STORED_RUNS, statements=_run_statements),
    # A run to which nothing was logged yet, and one with metrics and parameters: answers of one packet, and of several.
    "get_new_run": Scenario(_get_run, "new", right=_names_run, turns_each=1, statements=_read_statements),
    "get_run": Scenario(_get_run, "read", right=_names_run, turns_each=1, statements=_read_statements),
    "search_10k": Scenario(_search, "10000", right=_found(100, b'"run_uuid"')),
    "search_100k": Scenario(_search, "100000", right=_found(100, b'"run_uuid"')),
    "search_experiments": Scenario(_search_experiments, "created", right=_found(50, b'"experiment_id"')),
}
