"""mlflow_permission at its boundary: arguments in, JSON out, and what it leaves on the server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_permission
from ansible_collections.mlops.mlflow.tests.unit.support import tracking_server as faults
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import AccessServer, User
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import COMMON, undocumented
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import AsAdmin

READ_CHURN = {"resource_type": "experiment", "resource": "churn", "permission": "READ"}
EDIT_PROMPTS = {"resource_type": "prompt", "resource": "*", "permission": "EDIT"}


@pytest.fixture(autouse=True)
def alice(access_server: AccessServer) -> User:
    """Know Alice, who made one of two experiments."""
    access_server.users["alice"] = User("a-passphrase-of-a-user")
    access_server.add_experiment("churn")
    access_server.add_role("__user_1__", ("experiment", access_server.add_experiment("own"), "MANAGE"), of="alice")
    return access_server.users["alice"]


def own(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is the module's own in a result."""
    return {key: value for key, value in result.items() if key not in {*COMMON, "diff"}}


def test_it_grants_and_revokes_each_once(access_server: AccessServer, as_admin: AsAdmin) -> None:
    runs: tuple[tuple[dict[str, Any], list[tuple[str, str, str]]], ...] = (
        ({"permissions": [READ_CHURN]}, [("experiment", "1", "READ")]),
        ({"permissions": [EDIT_PROMPTS]}, [("experiment", "1", "READ"), ("prompt", "*", "EDIT")]),
        ({"permissions": [{**READ_CHURN, "permission": "DENY"}], "exclusive": True}, [("experiment", "1", "DENY")]),
        ({"permissions": [{"resource_type": "experiment", "resource": "churn"}], "state": "absent"}, []),
    )
    for arguments, left in runs:
        writes = access_server.writes
        told = as_admin(mlflow_permission, user="alice", check_mode=True, **arguments)
        assert access_server.writes == writes
        done = as_admin(mlflow_permission, user="alice", **arguments)
        assert own(told) == own(done)
        assert (told["changed"], told["diff"]) == (True, done["diff"])
        assert access_server.granted("grants:alice") == left
        assert access_server.granted("__user_1__") == [("experiment", "2", "MANAGE")]
        assert as_admin(mlflow_permission, user="alice", **arguments)["changed"] is False
    assert access_server.roles_of("alice") == ["__user_1__"]


def test_a_failure_half_way_is_made_good_by_the_next_run(access_server: AccessServer, as_admin: AsAdmin) -> None:
    listed: dict[str, Any] = {"user": "alice", "permissions": [READ_CHURN, EDIT_PROMPTS]}
    access_server.fault("POST /api/3.0/mlflow/roles/assign", faults.status(500), times=1)
    assert as_admin(mlflow_permission, **listed)["msg"].startswith("Cannot grant to the user alice: READ on experiment")
    assert access_server.roles_of("alice") == ["__user_1__"]

    access_server.fault("POST /api/3.0/mlflow/roles/permissions/add", faults.status(500), times=1)
    assert "Cannot grant" in as_admin(mlflow_permission, **listed)["msg"]
    assert as_admin(mlflow_permission, **listed)["changed"] is True
    assert access_server.granted("grants:alice") == [("experiment", "1", "READ"), ("prompt", "*", "EDIT")]
    assert as_admin(mlflow_permission, **listed)["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"permissions": [{"resource_type": "experiment", "resource": "churn"}]}, "says no permission"),
        ({"permissions": [], "state": "absent", "exclusive": True}, "exclusive goes with state present only"),
        ({"permissions": [], "user": ""}, "a user's name has 1 to 248"),
        ({}, "missing required arguments: permissions"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    access_server: AccessServer, as_admin: AsAdmin, arguments: dict[str, Any], words: str
) -> None:
    assert words in as_admin(mlflow_permission, **{"user": "alice", **arguments})["msg"]
    assert access_server.requests == []


def test_a_user_who_isnt_there_is_an_error_but_in_a_check(
    access_server: AccessServer, as_admin: AsAdmin, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = as_admin(mlflow_permission, user="bob", permissions=[READ_CHURN])
    assert failed["msg"].startswith("There is no user 'bob'. Create it with mlflow_user first")
    told = as_admin(mlflow_permission, user="bob", permissions=[READ_CHURN], check_mode=True)
    assert told["actions"] == ["grant to the user bob: READ on experiment churn"]
    assert "There is no user bob yet" in str(told) + capsys.readouterr().err
    assert access_server.writes == []


def test_documented_results_are_the_modules_own(as_admin: AsAdmin) -> None:
    scorer = {"resource_type": "scorer", "resource": "quality", "experiment": "churn", "permission": "USE"}
    result = own(as_admin(mlflow_permission, user="alice", permissions=[scorer]))
    permissions = result["granted"]["permissions"]
    # Only a scorer has an experiment.
    result["granted"]["permissions"] = [each for each in permissions if each["resource_type"] == "scorer"]
    assert undocumented(yaml.safe_load(mlflow_permission.RETURN), result) == []
