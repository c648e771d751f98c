"""Plugins are documented as what they are: options, examples and filters' signatures."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contracts.variables import ROOT, load

PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.mlops.mlflow.plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
# Keywords of a task, as far as examples use them.
KEYWORDS = {"name", "register", "when", "loop", "delegate_to"}


def filters() -> dict[str, Any]:
    """Return every registered filter's function by its name."""
    found: dict[str, Any] = {}
    for path in sorted((PLUGINS / "filter").glob("*.py")):
        found |= importlib.import_module(f"{COLLECTION}.filter.{path.stem}").FilterModule().filters()
    return found


def options_of(module: str) -> set[str]:
    """Return the module's documented options, those of its documentation's fragments included."""
    documented = yaml.safe_load(importlib.import_module(f"{COLLECTION}.modules.{module}").DOCUMENTATION)
    names = set(documented["options"])
    for fragment in documented.get("extends_documentation_fragment", []):
        namespace, collection, file, *variant = fragment.split(".")
        shared = importlib.import_module(f"ansible_collections.{namespace}.{collection}.plugins.doc_fragments.{file}")
        text = getattr(shared.ModuleDocFragment, variant[0].upper() if variant else "DOCUMENTATION", "{}")
        names |= set(yaml.safe_load(text).get("options", {}))
    return names


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_a_module_use_what_it_documents(module: str) -> None:
    tasks = yaml.safe_load(importlib.import_module(f"{COLLECTION}.modules.{module}").EXAMPLES)
    own = [task[f"mlops.mlflow.{module}"] for task in tasks if f"mlops.mlflow.{module}" in task]
    assert own
    assert set().union(*own) - options_of(module) == set()
    for task in tasks:
        actions = task.keys() - KEYWORDS
        assert len(actions) == 1, f"{task['name']} is no single task, or misspells a keyword: {sorted(actions)}"


def test_every_filter_is_documented_and_nothing_else() -> None:
    documented = {path.stem: load(path)["DOCUMENTATION"]["name"] for path in (PLUGINS / "filter").glob("*.yml")}
    assert documented == {name: name for name in filters()}


@pytest.mark.parametrize("name", sorted(filters()))
def test_a_filters_documentation_has_its_signature(name: str) -> None:
    documented = load(PLUGINS / "filter" / f"{name}.yml")["DOCUMENTATION"]
    _input, *parameters = inspect.signature(filters()[name]).parameters.values()
    options = documented["options"]
    positional = [word.strip() for word in documented.get("positional", "").split(",") if word.strip()]
    assert positional == [parameter.name for parameter in parameters]
    assert set(options) == {"_input", *positional}
    for parameter in parameters:
        optional = parameter.default is not parameter.empty
        assert options[parameter.name].get("required", False) is not optional, parameter.name
        if optional:
            assert options[parameter.name]["default"] == parameter.default, parameter.name


@pytest.mark.parametrize("name", sorted(filters()))
def test_a_filters_examples_use_it(name: str) -> None:
    examples = load(PLUGINS / "filter" / f"{name}.yml")["EXAMPLES"]
    assert f"mlops.mlflow.{name}" in examples
    assert all("name" in task for task in yaml.safe_load(examples))


def test_every_plugin_has_a_test_file() -> None:
    tests = ROOT / "tests/unit/plugins"
    plugins = {path.relative_to(PLUGINS) for path in PLUGINS.rglob("*.py")}
    assert {str(path) for path in plugins if not (tests / Path(path).with_name(f"test_{path.name}")).exists()} == set()
