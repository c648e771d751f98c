"""mlflow_role at its boundary: arguments in, JSON out, and what it leaves on the server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_role
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import AccessServer
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import COMMON, undocumented
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import AsAdmin

READ_CHURN = {"resource_type": "experiment", "resource": "churn", "permission": "READ"}
USE_SCORER = {"resource_type": "scorer", "resource": "a/b", "experiment": "churn", "permission": "USE"}


def own(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is the module's own in a result."""
    return {key: value for key, value in result.items() if key not in {*COMMON, "diff"}}


def test_it_makes_changes_and_deletes_a_role_each_once(access_server: AccessServer, as_admin: AsAdmin) -> None:
    number = access_server.add_experiment("churn")
    for arguments, left in (
        ({"permissions": [READ_CHURN]}, [("experiment", number, "READ")]),
        ({"permissions": [USE_SCORER]}, [("scorer", f"{number}/a%2Fb", "USE")]),
        ({"description": "For all"}, [("scorer", f"{number}/a%2Fb", "USE")]),
        ({"permissions": []}, []),
        ({"state": "absent"}, []),
    ):
        writes = access_server.writes
        told = as_admin(mlflow_role, name="team", check_mode=True, **arguments)
        assert access_server.writes == writes
        done = as_admin(mlflow_role, name="team", **arguments)
        assert own(told) == own(done)
        assert (told["changed"], told["diff"]) == (True, done["diff"])
        assert access_server.granted("team") == left
        assert as_admin(mlflow_role, name="team", **arguments)["changed"] is False
    assert access_server.roles == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "grants:alice"}, "are kept for what MLflow and these modules note"),
        ({"name": "team", "description": "x" * 1025}, "longer than MLflow's 1024 characters"),
        ({"name": "team", "permissions": [{**READ_CHURN, "permission": "NO_PERMISSIONS"}]}, "value of permission must"),
        ({"name": "team", "permissions": [{**READ_CHURN, "resource_type": "table"}]}, "value of resource_type must"),
        ({"name": "team", "permissions": [READ_CHURN, {**READ_CHURN, "permission": "EDIT"}]}, "is there twice"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    access_server: AccessServer, as_admin: AsAdmin, arguments: dict[str, Any], words: str
) -> None:
    assert words in as_admin(mlflow_role, **arguments)["msg"]
    assert access_server.requests == []


def test_an_experiment_that_isnt_there_changes_nothing(access_server: AccessServer, as_admin: AsAdmin) -> None:
    result = as_admin(mlflow_role, name="team", permissions=[READ_CHURN])
    assert result["msg"].startswith("The experiment 'churn' doesn't exist")
    assert access_server.writes == []


def test_documented_results_are_the_modules_own(access_server: AccessServer, as_admin: AsAdmin) -> None:
    access_server.add_experiment("churn")
    result = as_admin(mlflow_role, name="team", permissions=[USE_SCORER])
    assert undocumented(yaml.safe_load(mlflow_role.RETURN), own(result)) == []
