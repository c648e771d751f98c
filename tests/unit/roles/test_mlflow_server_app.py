"""Which requests the tracking server admits from its memory of who may do what with a run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.loading import ROLES, load

PROGRAM = "mlflow_server/files/app/tracking_server.py"
RUNS = "/api/2.0/mlflow/runs"
METRIC = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 2}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load(monkeypatch, PROGRAM)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        # As MLflow's own client sends it: with the id under both of its names.
        (f"{RUNS}/log-metric", {"run_id": "r", "run_uuid": "r", **METRIC}),
        (f"{RUNS}/log-metric", {"run_uuid": "r", **METRIC}),
        ("/ajax-api/2.0/mlflow/runs/log-metric", {"run_id": "r", **METRIC}),
        (f"{RUNS}/log-parameter", {"run_id": "r", "key": "depth", "value": "3"}),
        (f"{RUNS}/set-tag", {"run_id": "r", "key": "team", "value": "a"}),
        (f"{RUNS}/log-batch", {"run_id": "r", "metrics": [METRIC, METRIC], "params": [{"key": "depth"}], "tags": []}),
        (f"{RUNS}/log-batch", {"run_id": "r"}),
    ],
)
def test_what_is_logged_to_a_run(app: ModuleType, path: str, body: dict[str, Any]) -> None:
    assert app.run_of("POST", path, body) == "r"


def test_who_gets_a_run(app: ModuleType) -> None:
    assert app.run_of("GET", f"{RUNS}/get", {"run_id": "r"}) == "r"
    assert app.run_of("GET", f"{RUNS}/get", {"run_id": "r", "more": "m"}) is None
    assert app.run_of("POST", f"{RUNS}/get", {"run_id": "r"}) is None
    assert app.run_of("GET", f"{RUNS}/log-metric", {"run_id": "r"}) is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        # A right to the model is needed too, under either of the names that MLflow knows.
        (f"{RUNS}/log-metric", {"run_id": "r", **METRIC, "model_id": "m"}),
        (f"{RUNS}/log-metric", {"run_id": "r", **METRIC, "modelId": "m"}),
        (f"{RUNS}/log-batch", {"run_id": "r", "metrics": [METRIC, METRIC | {"model_id": "m"}]}),
        (f"{RUNS}/log-batch", {"run_id": "r", "metrics": {"model_id": "m"}}),
        (f"{RUNS}/log-batch", {"run_id": "r", "metrics": ["m"]}),
        (f"{RUNS}/log-batch", {"run_id": "r", "run_uuid": "another"}),
        (f"{RUNS}/log-metric", {"runId": "r", **METRIC}),
        (f"{RUNS}/log-metric", METRIC),
        (f"{RUNS}/log-metric", {"run_id": ["r"], **METRIC}),
        (f"{RUNS}/log-metric", {"run_id": None, "run_uuid": "r", **METRIC}),
        (f"{RUNS}/log-metric", ["r"]),
        (f"{RUNS}/log-metric", None),
        # Other routes, and what only looks like one.
        (f"{RUNS}/log-model", {"run_id": "r"}),
        (f"{RUNS}/delete", {"run_id": "r"}),
        (f"{RUNS}/log-metric/", {"run_id": "r"}),
        (f"/prefix{RUNS}/log-metric", {"run_id": "r"}),
        ("/api/2.0/mlflow/experiments/log-metric", {"run_id": "r"}),
    ],
)
def test_what_mlflow_has_to_judge(app: ModuleType, path: str, body: object) -> None:
    assert app.run_of("POST", path, body) is None


@pytest.mark.parametrize(("size", "overflow", "requests"), [("10", "11", 7), ("2", "2", 1), ("1", "1", 1)])
def test_a_worker_never_needs_more_connections_than_it_has(
    app: ModuleType, size: str, overflow: str, requests: int
) -> None:
    environment = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": size, "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": overflow}
    assert app.at_once(environment) == requests
    assert app.at_once({}) == 5


def test_a_login_that_many_bring_at_once_is_hashed_once(app: ModuleType) -> None:
    remembered: set[tuple[str, str]] = set()
    hashed: list[tuple[str, str]] = []

    def check(username: str, password: str) -> bool:
        if (username, password) not in remembered:
            hashed.append((username, password))
            time.sleep(0.05)
            remembered.add((username, password))
        return True

    checked = app.one_at_a_time(check, lambda *login: login in remembered)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: checked("dora", "hers"), range(8)))
    assert hashed == [("dora", "hers")]


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ("mlflow.server.auth:create_app", ["--app-dir", str((ROLES / PROGRAM).parent), "tracking_server:create_app"]),
        ("mlflow.server.fastapi_app:app", ["mlflow.server.fastapi_app:app"]),
    ],
)
def test_it_becomes_uvicorn(app: ModuleType, monkeypatch: pytest.MonkeyPatch, given: str, started: list[str]) -> None:
    called: list[Any] = []
    environment: dict[str, str] = {}
    monkeypatch.setattr(app.os, "execv", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(app.os, "environ", environment)
    app.become(["/python", "-m", "uvicorn", "--factory", given], extra_env={"A": "1"}, synchronous=False)
    assert called == [("/python", ["/python", "-m", "uvicorn", "--factory", *started])]
    assert environment == {"A": "1"}
