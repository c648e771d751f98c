"""What sizes are derived from is so in the MLflow that is installed: its pools of connections, and its threads."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import anyio
import anyio.to_thread
from ansible_collections.mlops.mlflow.plugins.filter.sizing import THREADS

ROOT = Path(__file__).resolve().parents[2]
# One engine with its pool in each worker: users, runs, models, jobs.
POOLS = {
    "server/auth/sqlalchemy_store.py",
    "store/tracking/sqlalchemy_store.py",
    "store/model_registry/sqlalchemy_store.py",
    "store/jobs/sqlalchemy_store.py",
}
OTHERS = {
    "store/db/utils.py",  # what makes them
    "db.py",  # commands
    "tracing/trace_rollup_service.py",  # closed again before the server starts
    "store/workspace/sqlalchemy_store.py",  # with workspaces only, which are off
}


def test_a_worker_has_the_pools_that_are_counted() -> None:
    specification = importlib.util.find_spec("mlflow")
    assert specification is not None
    assert specification.submodule_search_locations
    package = Path(specification.submodule_search_locations[0])
    making = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "create_sqlalchemy_engine_with_retry(" in path.read_text(encoding="utf-8")
    }
    assert making == POOLS | OTHERS
    counted = re.search(
        r"__mlflow_server_pools: .*\((\d) if __mlflow_server_basic_auth else (\d)\)",
        (ROOT / "roles/mlflow_server/vars/main.yml").read_text(),
    )
    assert counted is not None
    assert [int(number) for number in counted.groups()] == [
        len(POOLS),
        len(POOLS - {"server/auth/sqlalchemy_store.py"}),
    ]


def test_a_worker_has_the_threads_that_are_counted() -> None:
    async def threads() -> float:
        return anyio.to_thread.current_default_thread_limiter().total_tokens

    assert anyio.run(threads) == THREADS
