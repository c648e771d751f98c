"""What the tests of the plugins have in common: a tracking server with a certificate, and a way to run a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun, run
from ansible_collections.mlops.mlflow.tests.unit.support.tracking_server import TrackingServer


@pytest.fixture(scope="session")
def run_module() -> ModuleRun:
    return run


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the CA that clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture
def server(authority: Authority) -> Iterator[TrackingServer]:
    with TrackingServer(authority.server_context()).running() as running:
        yield running


@pytest.fixture
def plain_server() -> Iterator[TrackingServer]:
    with TrackingServer(None).running() as running:
        yield running
