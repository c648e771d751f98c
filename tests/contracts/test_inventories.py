"""What the example environments set is known to somebody, and what somebody needs is set."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.variables import MAGIC, ROLES, ROOT, SHARED, load, options, reads, sets

INVENTORIES = sorted(path for path in (ROOT / "inventories").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path for path in (ROOT / "playbooks").rglob("*") if path.suffix in (".yml", ".j2"))
# https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html, as far as it is used here.
CONNECTION = {
    *("ansible_connection", "ansible_host", "ansible_python_interpreter", "ansible_ssh_common_args"),
    *("ansible_ssh_private_key_file", "ansible_user"),
}
# Keys of mlflow_aws: what amazon.aws calls the connection's options in modules and lookups alike.
AWS_KEYS = {"region", "profile", "endpoint_url", "access_key", "secret_key", "session_token", "aws_ca_bundle"}

pytestmark = pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)


def settings(inventory: Path) -> dict[str, Any]:
    """Return all group variables of the environment."""
    return dict(chain.from_iterable(load(path).items() for path in (inventory / "group_vars").glob("*.yml")))


def role_options() -> dict[str, dict[str, Any]]:
    """Return the options of all roles."""
    return dict(chain.from_iterable(options(role).items() for role in ROLES))


def test_every_variable_is_known_to_a_role_or_playbook(inventory: Path) -> None:
    known = role_options().keys() | SHARED | CONNECTION
    assert settings(inventory).keys() - known == set()


def test_every_key_of_a_dictionary_is_known(inventory: Path) -> None:
    suboptions = {
        **{name: set(option["options"]) for name, option in role_options().items() if "options" in option},
        "mlflow_aws": AWS_KEYS,
    }
    unknown = {
        f"{name}.{key}"
        for name, value in settings(inventory).items()
        if name in suboptions
        for key in value.keys() - suboptions[name]
    }
    assert unknown == set()


def test_every_shared_variable_is_set(inventory: Path) -> None:
    """Roles and playbooks read them without a default."""
    assert SHARED - settings(inventory).keys() == set()


def test_every_shared_variable_is_described(inventory: Path) -> None:
    words = set(re.findall(r"`(\w+)`", (ROOT / "docs/architecture.md").read_text()))
    assert words >= {name for name in settings(inventory) if name.startswith("mlflow_") and name in SHARED}


def test_who_may_come_in_is_set_or_asked_for(inventory: Path) -> None:
    """A real environment doesn't say it yet; there the line to fill in stands as a comment."""
    text = (inventory / "group_vars/all.yml").read_text()
    required = {name for name, option in options(ROOT / "roles/network").items() if option.get("required")}
    assert {name for name in required if not re.search(rf"^(# )?{name}: \[.+\]", text, re.M)} == set()


def test_the_hosts_that_are_looked_for_are_the_ones_that_are_made(inventory: Path) -> None:
    values = settings(inventory)
    found = load(inventory / "tracking_hosts.aws_ec2.yml")
    assert found["regions"] == [values["mlflow_aws"]["region"]]
    assert found["filters"]["tag:mlflow_project"] == values["mlflow_project"]
    assert found["filters"]["tag:mlflow_env"] == values["mlflow_env"] == inventory.name
    assert found["filters"]["tag:mlflow_role"] == "tracking_host"
    assert found.get("endpoint_url") == values["mlflow_aws"].get("endpoint_url")


def test_playbooks_read_nothing_that_nobody_sets(inventory: Path) -> None:
    made = set(chain.from_iterable(sets(path) for path in PLAYBOOKS if path.suffix == ".yml"))
    made |= set(chain.from_iterable(load(path) for path in (ROOT / "playbooks/vars").iterdir()))
    results = {f"{role.name}_result" for role in ROLES}
    known = MAGIC | SHARED | made | results | role_options().keys() | settings(inventory).keys()
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in PLAYBOOKS
        for name in reads(path) - known
        if not name.startswith("ansible_")
    }
    assert unknown == set()
