"""A batch leaves in the backend store, and answers, what MLflow's own way of logging it would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.loading import load
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import sqlalchemy_store

# MLflow has no types for its methods.
SqlAlchemyStore: Any = sqlalchemy_store.SqlAlchemyStore
THEIRS = SqlAlchemyStore.log_batch
METRICS = [
    Metric("loss", 0.5, 1, 0),
    Metric("loss", 0.25, 2, 1),
    Metric("loss", 0.25, 2, 1),
    Metric("nan", float("nan"), 1, 0),
]
PARAMS = [Param("layers", "3"), Param("rate", "0.1")]
TAGS = [RunTag("team", "vision"), RunTag("mlflow.runName", "renamed")]
CASES: dict[str, list[tuple[Any, Any, Any]]] = {
    "all": [(METRICS, PARAMS, TAGS)],
    "nothing": [([], [], [])],
    "metrics": [(METRICS, [], [])],
    "parameters": [([], PARAMS, [])],
    "tags": [([], [], TAGS)],
    "the same again": [(METRICS, PARAMS, TAGS), (METRICS, PARAMS, TAGS)],
    "more of it": [(METRICS[:1], PARAMS[:1], TAGS[:1]), (METRICS, PARAMS, TAGS)],
    "another value of a parameter": [([], PARAMS, []), (METRICS, [Param("layers", "4")], TAGS)],
    "a parameter twice": [([], [PARAMS[0], PARAMS[0]], [])],
    "a bad key": [([Metric("loss\n", 0.5, 1, 0)], PARAMS, [])],
    "a bad value": [([Metric("loss", cast("float", "high"), 1, 0)], PARAMS, [])],
    "too many": [([], [Param(str(number), "1") for number in range(101)], [])],
    "not a list": [(METRICS, PARAMS, [None])],
}


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(SqlAlchemyStore, "log_batch", THEIRS)
    batches: ModuleType = load(monkeypatch, "mlflow_server/files/app/batches.py")
    batches.spare_the_outer_session()
    replaced: Callable[..., None] = SqlAlchemyStore.log_batch
    assert replaced is not THEIRS
    return replaced


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("store")
    return SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", str(folder))


def create_run(store: Any) -> str:
    run: str = store.create_run("0", "user", 0, [], "named").info.run_id
    return run


def outcome(store: Any, log_batch: Callable[..., None], run: str, batches: list[Any]) -> list[Any]:
    """Return what each of the batches raised, and what the run holds in the end."""
    raised: list[Any] = []
    for batch in batches:
        try:
            log_batch(store, run, *batch)
        except Exception as error:
            raised.append((type(error), getattr(error, "error_code", None), str(error).replace(run, "RUN")))
        else:
            raised.append(None)
    try:
        found = store.get_run(run)
    except MlflowException:
        return raised
    history = [
        (one.key, str(one.value), one.timestamp, one.step)
        for key in ("loss", "nan")
        for one in store.get_metric_history(run, key)
    ]
    return [raised, sorted(history), found.info.run_name, found.data.params, found.data.tags, str(found.data.metrics)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("state", ["active", "deleted", "missing"])
def test_it_does_what_mlflow_does(store: Any, ours: Callable[..., None], case: str, state: str) -> None:
    outcomes = []
    for log_batch in (THEIRS, ours):
        run = create_run(store) if state != "missing" else "0" * 32
        if state == "deleted":
            store.delete_run(run)
        outcomes.append(outcome(store, log_batch, run, CASES[case]))
    assert outcomes[0] == outcomes[1]


def test_a_models_metric_is_mlflows(store: Any, ours: Callable[..., None]) -> None:
    model = store.create_logged_model("0", "model").model_id
    run = create_run(store)
    ours(store, run, [Metric("loss", 0.5, 1, 0, model_id=model, run_id=run)], [], [])
    assert [one.key for one in store.get_logged_model(model).metrics or []] == ["loss"]


def test_it_never_holds_two_connections(store: Any, ours: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    run, make = create_run(store), store.ManagedSessionMaker
    held = most = 0

    @contextmanager
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal held, most
        held += 1
        most = max(most, held)
        try:
            with make(*args, **kwargs) as session:
                yield session
        finally:
            held -= 1

    monkeypatch.setattr(store, "ManagedSessionMaker", counted)
    ours(store, run, METRICS, PARAMS, TAGS[:1])
    assert most == 1
