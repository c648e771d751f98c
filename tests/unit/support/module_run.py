"""A way to run a module at its boundary: arguments in, JSON out."""

from __future__ import annotations

import contextlib
import io
import json
from types import ModuleType
from typing import Any, Protocol

import pytest
from ansible.module_utils.testing import patch_module_args


class ModuleRun(Protocol):
    """Runs a module in this process."""

    def __call__(self, module: ModuleType, arguments: dict[str, object], *, check_mode: bool = False) -> dict[str, Any]:
        """Run it, return what it printed."""


class AsAdmin(Protocol):
    """Runs a module with the connection and login of a test's server."""

    def __call__(self, module: ModuleType, *, check_mode: bool = False, **arguments: object) -> dict[str, Any]:
        """Run it, return what it printed."""


def run(module: ModuleType, arguments: dict[str, object], *, check_mode: bool = False) -> dict[str, Any]:
    """Run a module in this process, return what it printed."""
    printed = io.StringIO()
    with (
        patch_module_args({**arguments, "_ansible_check_mode": check_mode}),
        contextlib.redirect_stdout(printed),
        pytest.raises(SystemExit) as exit_,
    ):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue())
    assert bool(exit_.value.code) is bool(result.get("failed"))
    return result
