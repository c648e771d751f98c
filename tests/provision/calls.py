"""What the roles asked of AWS in a whole life: `pytest tests/provision/calls.py`, at its end."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.deploy.deployment import ROOT, Deployment
from tests.provision.iam import actions
from tests.provision.legality import problems
from tests.provision.recorded import Recorded, calls

ROLES = ("network", "artifact_store", "backend_store", "access_control", "tracking_host")


@pytest.fixture(scope="module")
def made(deployment: Deployment) -> list[Recorded]:
    """Read the calls that the roles made; the tests' own have no role."""
    return [call for call in calls(deployment) if call.role]


def listed(role: str) -> dict[str, Any]:
    """Return what a role says of the IAM actions that it needs."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / "meta/iam_actions.yml").read_text())
    return content


def needed_by(role: str, made: list[Recorded]) -> set[str]:
    """Return the IAM actions of a role's calls."""
    return {action for call in made if call.role == role for action in actions(call)}


def test_every_call_of_a_play_is_a_roles(made: list[Recorded]) -> None:
    assert {call.role for call in made} == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_lists_the_iam_actions_of_the_calls_that_it_makes(made: list[Recorded], role: str) -> None:
    needed = needed_by(role, made)
    on_list = listed(role)["actions"]
    assert on_list == sorted(on_list)
    assert (sorted(needed - set(on_list)), sorted(set(on_list) - needed)) == ([], []), "(unlisted, never needed)"


@pytest.mark.parametrize("role", ROLES)
def test_what_no_call_of_ours_shows_stands_apart_with_its_reason(made: list[Recorded], role: str) -> None:
    needed = needed_by(role, made)
    implied = listed(role).get("implied", {})
    assert not needed & implied.keys()
    assert all(reason.strip() for reason in implied.values())


def test_every_request_is_one_that_aws_takes(made: list[Recorded]) -> None:
    assert sorted({problem for call in made for problem in problems(call)}) == []


def test_no_request_carries_a_secret_where_it_could_be_read(made: list[Recorded]) -> None:
    """What botocore calls sensitive is a mask on the record; a password anywhere else would be in the clear."""
    passwords = [call.parameters["SecretString"] for call in made if call.name == "secretsmanager:CreateSecret"]
    assert passwords
    assert all(set(password) == {"*"} for password in passwords)
