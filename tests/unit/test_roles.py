"""What every role promises by its meta/ alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[2] / "roles").iterdir() if path.is_dir())
TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict, "float": float}
SHARED = {"mlflow_project", "mlflow_env", "mlflow_aws", "mlflow_domain", "mlflow_ca_file"}

pytestmark = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def options(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of the role's main entry point."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    found: dict[str, dict[str, Any]] = specs["argument_specs"]["main"]["options"]
    return found


def defaults(role: Path) -> dict[str, Any]:
    """Return the role's defaults, unrendered."""
    found: dict[str, Any] = yaml.safe_load((role / "defaults/main.yml").read_text())
    return found


def test_specified_defaults_are_the_defaults(role: Path) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert specified == defaults(role)


def test_options_are_typed_and_described_and_no_required_one_has_a_default(role: Path) -> None:
    for name, option in options(role).items():
        assert option["description"], name
        assert not ("default" in option and option.get("required", False)), name
        value = option.get("default")
        if value is not None and not (isinstance(value, str) and "{{" in value):
            assert type(value) is TYPES[option["type"]], name


def test_variables_carry_the_roles_name(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") or name in SHARED for name in options(role))
