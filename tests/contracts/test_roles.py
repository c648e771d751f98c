"""What every role promises by its meta/, held against its defaults, its tasks and its templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from tests.contracts.variables import MAGIC, ROLES, SHARED, defaults, load, names, options, reads, sets, sources

TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict, "float": float}

pytestmark = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def rendered(role: Path) -> dict[str, Any]:
    """Return the role's defaults with the shared variables filled in, so that a template shows the type it has."""
    values = {name: name for name in SHARED} | defaults(role)

    def render(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        others = {name: render(values[name]) for name in names(value)}
        return NativeEnvironment(undefined=StrictUndefined).from_string(value).render(others) if others else value

    return {name: render(values[name]) for name in defaults(role)}


def mistakes(value: Any, option: Mapping[str, Any], name: str) -> list[str]:
    """Return where a value isn't what the option says, items and suboptions included."""
    kind = TYPES[option["type"]]
    if type(value) is not kind:
        return [f"{name} is {value!r}: not of type {option['type']}"]
    found = []
    if "choices" in option and value not in option["choices"]:
        found.append(f"{name} is {value!r}: not one of {option['choices']}")
    if isinstance(value, list):
        found += chain.from_iterable(
            mistakes(item, {**option, "type": option["elements"]}, f"{name}[{index}]")
            for index, item in enumerate(value)
        )
    if isinstance(value, dict) and "options" in option:
        found += [f"{name}.{key} is not specified" for key in value.keys() - option["options"].keys()]
        found += chain.from_iterable(
            mistakes(item, option["options"][key], f"{name}.{key}")
            for key, item in value.items()
            if key in option["options"]
        )
    return found


def described(role_options: Mapping[str, Mapping[str, Any]], path: str = "") -> list[str]:
    """Return what the options, at any depth, fail to say."""
    found = []
    for name, option in role_options.items():
        full = f"{path}{name}"
        if not option.get("description"):
            found.append(f"{full} has no description")
        if option.get("type") not in TYPES:
            found.append(f"{full} has no type")
        if option.get("type") == "list" and option.get("elements") not in TYPES:
            found.append(f"{full} does not say what its elements are")
        if "default" in option and option.get("required"):
            found.append(f"{full} is required and has a default")
        found += described(option.get("options", {}), f"{full}.")
    return found


def test_specified_defaults_are_the_defaults(role: Path) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert specified == defaults(role)


def test_every_option_is_typed_and_described(role: Path) -> None:
    assert described(options(role)) == []


def test_defaults_are_of_their_types(role: Path) -> None:
    values = rendered(role)
    assert list(chain.from_iterable(mistakes(values[name], options(role)[name], name) for name in values)) == []


def test_public_variables_carry_the_roles_name(role: Path) -> None:
    assert {name for name in options(role) if not name.startswith(f"{role.name}_")} == set()


def test_every_public_variable_is_read(role: Path) -> None:
    read = set(chain.from_iterable(reads(path) for path in sources(role)))
    assert options(role).keys() - read == set()


def test_every_variable_that_is_read_exists(role: Path) -> None:
    """A typo in a task, or an option that was taken out of the specs but not out of a template."""
    made = set(chain.from_iterable(sets(path) for path in sources(role) if path.parent.name in ("tasks", "handlers")))
    own = set(chain.from_iterable(load(path) or {} for path in (role / "vars").glob("*.yml")))
    known = MAGIC | SHARED | made | own | options(role).keys()
    unknown = {
        f"{path.relative_to(role)}: {name}"
        for path in sources(role)
        for name in reads(path) - known
        if not name.startswith("ansible_")
    }
    assert unknown == set()


def test_variables_for_inner_use_are_marked(role: Path) -> None:
    """What a role sets is either the result that its description names, or begins with two underscores."""
    made = set(chain.from_iterable(sets(path) for path in sources(role) if path.parent.name in ("tasks", "handlers")))
    made |= set(chain.from_iterable(load(path) or {} for path in (role / "vars").glob("*.yml")))
    public = {name for name in made if not name.startswith((f"__{role.name}_", "ansible_"))}
    described_result = str(load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["description"])
    assert {name for name in public if f"C({name})" not in described_result} == set()


def test_no_suboption_is_unknown_or_idle(role: Path) -> None:
    """Suboptions are read as attributes, in the form `variable.key` or `variable['key']`."""
    text = "\n".join(path.read_text() for path in sources(role))
    idle = {
        f"{name}.{key}"
        for name, option in options(role).items()
        for key in option.get("options", {})
        if f".{key}" not in text and f"['{key}']" not in text and f"'{key}'" not in text
    }
    assert idle == set()


# What writes its arguments as they are into the host's journal and Ansible's output; other modules mask secrets.
PLAIN = {f"ansible.builtin.{name}" for name in ("command", "debug", "set_fact", "shell", "uri")}
PLAIN |= {"community.postgresql.postgresql_query"}


def tasks_of(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the tasks, those inside blocks included."""
    for entry in entries:
        yield entry
        yield from tasks_of([task for part in ("block", "rescue", "always") for task in entry.get(part, [])])


def test_what_shows_its_arguments_is_given_no_secret_without_no_log(role: Path) -> None:
    tasks = chain.from_iterable(tasks_of(load(path) or []) for path in (role / "tasks").glob("*.yml"))
    bare = {
        task["name"]
        for task in tasks
        for action in task.keys() & PLAIN
        if re.search(r"[._](password|session_key)\b", str(task[action])) and task.get("no_log") is not True
    }
    assert bare == set()
