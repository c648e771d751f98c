"""Which variables a YAML file or template reads, and which ones it sets: found in its expressions, not in its prose."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, meta

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Said once here, in docs/architecture.md and, where a value is needed, in every environment's inventory.
SHARED = {
    *("mlflow_project", "mlflow_env", "mlflow_aws", "mlflow_domain", "mlflow_ca_file", "mlflow_database_ca_file"),
    *("mlflow_roles", "mlflow_users"),
}

# What Ansible itself provides, as far as it is used here.
MAGIC = {
    *("groups", "hostvars", "inventory_dir", "inventory_hostname", "item", "lookup", "now", "omit", "query"),
    *("role_path", "undef", "vars"),
}
# Keywords whose value is an expression without braces.
_BARE = {"when", "that", "until", "changed_when", "failed_when", "var"}


class _AnyName(dict[str, Any]):
    """Ansible's filters and tests, all of them: the parser only wants to know that a name exists."""

    def get(self, _name: str, _default: object = None) -> Any:
        return str


_JINJA = Environment(autoescape=True)
_JINJA.filters = _AnyName()
_JINJA.tests = _AnyName()


class _Loader(yaml.CSafeLoader):
    """Safe YAML, with Ansible's own tags taken for their values."""


def _value(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


for _tag in ("!unsafe", "!vault"):
    _Loader.add_constructor(_tag, _value)


@functools.cache
def load(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.load(path.read_text(), _Loader)


def _expressions(value: Any, *, bare: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{{{{ {value} }}}}" if bare and "{{" not in value else value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _expressions(key)
            yield from _expressions(item, bare=key in _BARE)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item, bare=bare)


def names(template: str) -> set[str]:
    """Return the variables that a template reads."""
    if "{" not in template:
        return set()
    with warnings.catch_warnings():
        # Jinja takes a regular expression's backslashes for Python's; Ansible doesn't mind either.
        warnings.simplefilter("ignore", DeprecationWarning)
        return meta.find_undeclared_variables(_JINJA.parse(template))


@functools.cache
def reads(path: Path) -> set[str]:
    """Return the variables that the file's expressions read."""
    texts = [path.read_text()] if path.suffix == ".j2" else _expressions(load(path))
    return set(chain.from_iterable(map(names, texts)))


@functools.cache
def sets(path: Path) -> set[str]:
    """Return the variables that the file's tasks set: facts, registered results, `vars:` and loop variables."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for item in value:
                yield from walk(item)
        elif isinstance(value, dict):
            yield from value.get("ansible.builtin.set_fact", {})
            yield from value["vars"] if isinstance(value.get("vars"), dict) else ()
            yield from (value["register"],) if isinstance(value.get("register"), str) else ()
            loop = value.get("loop_control")
            yield from (loop["loop_var"],) if isinstance(loop, dict) and "loop_var" in loop else ()
            for item in value.values():
                yield from walk(item)

    return set(walk(load(path)))


def options(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of all of the role's entry points."""
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    return {name: option for entry in specs.values() for name, option in entry["options"].items()}


def defaults(role: Path) -> dict[str, Any]:
    """Return the role's defaults, unrendered."""
    found: dict[str, Any] = load(role / "defaults/main.yml")
    return found


def sources(role: Path) -> list[Path]:
    """Return the role's files in which variables are read."""
    return [
        path
        for folder in ("defaults", "handlers", "tasks", "templates", "vars")
        for path in sorted((role / folder).rglob("*"))
        if path.suffix in (".yml", ".j2")
    ]
