"""A deployment to a sandbox of the tests' own: other address, other network, other name than the user's sandbox."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.deploy.deployment import ROOT, Deployment, started

# A new environment is a copied folder with a handful of values: these are all that this one changes.
VALUES = {
    "10.41.0.": "10.41.1.",
    "10.42.0.0/16": "10.43.0.0/16",
    "mlflow_env: sandbox": "mlflow_env: test",
}


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start an empty sandbox; remove it at the end, with whatever stands in it."""
    with started(ROOT / "inventories/sandbox", tmp_path_factory.mktemp("inventories") / "test", VALUES) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the hosts say of it."""
    report = yield
    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed and isinstance(made := arguments.get("deployment"), Deployment):
        report.sections += made.logs().items()
    return report
