"""Programs that the roles put on hosts, loaded from where they lie."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).parents[3] / "roles"


def load(patch: pytest.MonkeyPatch, file: str) -> ModuleType:
    """Return a file of the roles as a module, which is known by its name as long as the patch lasts."""
    path = ROLES / file
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    patch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module
