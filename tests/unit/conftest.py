"""What the tests of the plugins have in common: a tracking server with a certificate, and a way to run a module."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.unit.support.certificates import Authority
from tests.unit.support.tracking_server import TrackingServer


@dataclass
class ModuleRun:
    """Runs a module at its boundary: arguments in, JSON out."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, module: ModuleType, arguments: dict[str, object], *, check_mode: bool = False) -> dict[str, Any]:
        """Run it, return what it printed."""
        with patch_module_args({**arguments, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as exit_:
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert bool(exit_.value.code) is bool(result.get("failed"))
        return result


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


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
