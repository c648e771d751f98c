"""mlflow_access_info at its boundary: arguments in, JSON out, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_access_info
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import AccessServer, User
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import COMMON, undocumented
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import AsAdmin


@pytest.fixture(autouse=True)
def alice(access_server: AccessServer) -> None:
    """Know Alice, with a role and what she made, and the disabled Bob."""
    access_server.users |= {"alice": User("a-passphrase-of-a-user"), "bob": User("nobody-knows-this")}
    experiment = access_server.add_experiment("churn")
    access_server.add_role("team", ("scorer", f"{experiment}/a%2Fb", "USE"), of="alice")
    access_server.add_role("__user_1__", ("experiment", experiment, "MANAGE"), of="alice")
    access_server.add_role("disabled", of="bob")


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_tells_who_may_do_what(access_server: AccessServer, as_admin: AsAdmin, check_mode: bool) -> None:
    result = as_admin(mlflow_access_info, check_mode=check_mode)
    assert result["changed"] is False
    assert [(user["name"], user["admin"], user["enabled"], user["roles"]) for user in result["users"]] == [
        ("admin", True, True, []),
        ("alice", False, True, ["team"]),
        ("bob", False, False, []),
    ]
    assert [
        (each["source"], each["role"], each["resource"], each["permission"])
        for each in result["users"][1]["permissions"]
    ] == [("direct", None, "churn", "MANAGE"), ("role", "team", "a/b", "USE")]
    assert [role["name"] for role in result["roles"]] == ["team"]
    assert access_server.writes == []


def test_it_needs_an_admin(as_admin: AsAdmin) -> None:
    result = as_admin(mlflow_access_info, username="alice", password="a-passphrase-of-a-user")
    assert "accepts the login 'alice', but only an admin may do this" in result["msg"]


def test_documented_results_are_the_modules_own(as_admin: AsAdmin) -> None:
    result: dict[str, Any] = {
        key: value for key, value in as_admin(mlflow_access_info).items() if key not in {*COMMON, "diff"}
    }
    # Only a scorer has an experiment, and only who was granted something has permissions.
    result["users"] = result["users"][1:2]
    result["users"][0]["permissions"] = result["users"][0]["permissions"][1:]
    assert undocumented(yaml.safe_load(mlflow_access_info.RETURN), result) == []
