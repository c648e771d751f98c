"""The operator's policy is written from what the roles list, all of it and nothing beside."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.variables import ROLES, ROOT, load

EXAMPLE = ("mlflow", "dev", "eu-west-1", "123456789012")
PARTS = sorted(path.name for path in (ROOT / "docs/operator-policy").iterdir())
# These act on nothing that has an ARN or on others' things too, which IAM can tell by the region alone.
UNSCOPED = {"Look", "MakeBesideOthers", "LookAtDatabases"}


def statements() -> list[dict[str, Any]]:
    """Return the statements of all the policies."""
    documents = (json.loads((ROOT / "docs/operator-policy" / part).read_text()) for part in PARTS)
    return list(chain.from_iterable(document["Statement"] for document in documents))


def actions(statement: dict[str, Any]) -> list[str]:
    """Return a statement's actions, one or several."""
    found = statement["Action"]
    return found if isinstance(found, list) else [found]


def listed() -> set[str]:
    """Return the actions of all the roles' lists."""
    lists = [load(role / "meta/iam_actions.yml") for role in ROLES if (role / "meta/iam_actions.yml").exists()]
    return set(chain.from_iterable([*each["actions"], *each.get("implied", {})] for each in lists))


def test_it_is_current(tmp_path: Path) -> None:
    """Else: scripts/operator-policy mlflow dev eu-west-1 123456789012 docs/operator-policy."""
    subprocess.run([sys.executable, ROOT / "scripts/operator-policy", *EXAMPLE, tmp_path], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        part: (ROOT / "docs/operator-policy" / part).read_text() for part in PARTS
    }


def test_it_holds_every_action_that_a_role_lists_and_no_other() -> None:
    assert set(chain.from_iterable(map(actions, statements()))) == listed()


def test_no_action_is_a_pattern_and_no_statement_is_empty() -> None:
    assert all(actions(statement) for statement in statements())
    assert not [action for statement in statements() for action in actions(statement) if "*" in action]


@pytest.mark.parametrize("part", PARTS)
def test_iam_takes_it(part: str) -> None:
    assert len("".join((ROOT / "docs/operator-policy" / part).read_text().split())) <= 6144


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_what_changes_something_is_held_to_the_deployments_own(statement: dict[str, Any]) -> None:
    """By its name or its tags, by the account, or by the service that it is lent to."""
    scope = json.dumps([statement["Resource"], statement.get("Condition")])
    own = ("mlflow-dev", "mlflow/dev", '"mlflow_project"', "Tag/mlflow_project", "123456789012", "CreateAction")
    assert any(word in scope for word in own) is (statement["Sid"] not in UNSCOPED)
    if statement["Sid"] in UNSCOPED - {"Look"}:
        assert "aws:RequestedRegion" in scope
