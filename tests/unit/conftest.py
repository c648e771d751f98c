"""What the tests of the plugins have in common: a tracking server with a certificate, and a way to run a module."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import ADMIN, AccessServer
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import AsAdmin, ModuleRun, run
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


@pytest.fixture
def access_server(authority: Authority) -> Iterator[AccessServer]:
    server = AccessServer(authority.server_context())
    with server.running():
        yield server


@pytest.fixture
def as_admin(run_module: ModuleRun, authority: Authority, access_server: AccessServer) -> AsAdmin:
    """Run a module of the access control as the admin, with the diff, and with pauses that suit a test."""

    def run(module: ModuleType, *, check_mode: bool = False, **arguments: object) -> dict[str, Any]:
        connection = {
            "url": access_server.url,
            "ca_file": str(authority.file),
            "username": ADMIN[0],
            "password": ADMIN[1],
            "retry_pause": 0.01,
            "deadline": 5,
            "_ansible_diff": True,
        }
        return run_module(module, {**connection, **arguments}, check_mode=check_mode)

    return run
