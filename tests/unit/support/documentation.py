"""A module's documentation held against what the module does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What Ansible adds to every result; only a module's own values are documented.
COMMON = {"changed", "deprecations", "failed", "invocation", "msg", "warnings"}
TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict, "float": float}


def _fits(value: object, kind: str) -> bool:
    # True and False are integers to Python, not to whoever reads the documentation.
    return isinstance(value, TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def undocumented(documented: Mapping[str, Any], result: Mapping[str, Any], path: str = "") -> list[str]:
    """Return where a result and its RETURN differ in keys or types, at any depth; [] when they agree.

    A value that is documented with `contains` must be there with content, else nothing is proven about it.
    """
    differences = [f"{path}{key} is documented but not returned" for key in documented.keys() - result.keys()]
    differences += [f"{path}{key} is returned but not documented" for key in result.keys() - documented.keys()]
    for key in documented.keys() & result.keys():
        name, about, value = f"{path}{key}", documented[key], result[key]
        if value is None:
            if "Null" not in about["description"]:
                differences.append(f"{name} is null, which its description does not say")
            continue
        if not _fits(value, about["type"]):
            differences.append(f"{name} is documented as {about['type']} and returned as {type(value).__name__}")
            continue
        parts: list[Any] = value if isinstance(value, list) else [value]
        if "contains" in about:
            if not all(parts) or not parts:
                differences.append(f"{name} is empty: nothing proves what it contains")
            for part in parts:
                differences += undocumented(about["contains"], part, f"{name}.")
        elif isinstance(value, list) and not all(_fits(part, about["elements"]) for part in value):
            differences.append(f"{name} holds something else than {about['elements']}")
    return sorted(set(differences))


def specified(documented: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the documented options in the form of an argument specification, as far as it can be documented."""
    found: dict[str, dict[str, Any]] = {}
    for name, option in documented.items():
        found[name] = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        if "suboptions" in option:
            found[name]["options"] = specified(option["suboptions"])
    return found


def documentable(arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return an argument specification without what has no place in a documentation."""
    found: dict[str, dict[str, Any]] = {}
    for name, argument in arguments.items():
        found[name] = {key: value for key, value in argument.items() if key != "no_log"}
        if "options" in argument:
            found[name]["options"] = documentable(argument["options"])
    return found
