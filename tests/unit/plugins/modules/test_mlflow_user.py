"""mlflow_user at its boundary: arguments in, JSON out, and what it leaves on the server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_user
from ansible_collections.mlops.mlflow.tests.unit.support import tracking_server as faults
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import ADMIN, AccessServer, User
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import COMMON, undocumented
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import AsAdmin

PASSWORD = "a-passphrase-of-a-user"


def own(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is the module's own in a result."""
    return {key: value for key, value in result.items() if key not in {*COMMON, "diff"}}


def test_it_creates_once_and_a_check_creates_nothing(access_server: AccessServer, as_admin: AsAdmin) -> None:
    access_server.add_role("team")
    arguments: dict[str, Any] = {"name": "alice", "user_password": PASSWORD, "roles": ["team"], "admin": True}

    told = as_admin(mlflow_user, check_mode=True, **arguments)
    assert (told["changed"], access_server.writes) == (True, [])
    done = as_admin(mlflow_user, **arguments)
    assert own(told) == own(done)
    assert told["diff"] == done["diff"]
    assert access_server.users["alice"].password == PASSWORD
    assert access_server.users["alice"].admin is True
    assert access_server.roles_of("alice") == ["team"]

    access_server.requests.clear()
    assert as_admin(mlflow_user, **arguments)["changed"] is False
    assert access_server.writes == []


def test_no_password_shows_anywhere(access_server: AccessServer, as_admin: AsAdmin) -> None:
    access_server.users["alice"] = User("another-passphrase")
    result = as_admin(mlflow_user, name="alice", user_password=PASSWORD)
    assert result["diff"]["before"]["password"] == "another"
    assert result["diff"]["after"]["password"] == "as wanted"
    assert "password" not in result["user"]
    locked = as_admin(mlflow_user, name="alice", enabled=False)
    unknown = access_server.users["alice"].password
    assert len(unknown) >= 48
    for secret in (PASSWORD, ADMIN[1], unknown):
        assert secret not in str(result) + str(locked)


def test_an_unknown_password_is_another_each_time(access_server: AccessServer, as_admin: AsAdmin) -> None:
    for name in ("alice", "bob"):
        as_admin(mlflow_user, name=name, enabled=False)
    assert access_server.users["alice"].password != access_server.users["bob"].password


@pytest.mark.parametrize(("update", "changed"), [("always", True), ("on_create", False)])
def test_a_password_is_tried_only_if_it_may_be_changed(
    access_server: AccessServer, as_admin: AsAdmin, update: str, changed: bool
) -> None:
    access_server.users["alice"] = User("another-passphrase")
    result = as_admin(mlflow_user, name="alice", user_password=PASSWORD, update_password=update)
    assert result["changed"] is changed
    assert any("users/current" in request for request in access_server.requests) is changed


def test_the_own_password_is_changed_last(access_server: AccessServer, as_admin: AsAdmin) -> None:
    access_server.add_role("team")
    as_admin(mlflow_user, name=ADMIN[0], user_password="the-admins-next-passphrase", roles=["team"])
    assert access_server.users[ADMIN[0]].password == "the-admins-next-passphrase"
    assert access_server.roles_of(ADMIN[0]) == ["team"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": ADMIN[0], "state": "absent"}, "is the user that this module logs in as"),
        ({"name": ADMIN[0], "admin": False}, "is the user that this module logs in as"),
        ({"name": "a:b"}, "no colon"),
        ({"name": "alice", "user_password": "short"}, "at least 12 characters"),
        ({"name": "alice", "roles": ["disabled"]}, "say 'enabled: false'"),
        ({"name": "alice", "timeout": 0}, "timeout is 0.0: out of range"),
        ({"name": "alice", "username": "x:y"}, "no colon"),
        ({"name": "alice", "url": "http://mlflow.example.com"}, "plain HTTP"),
        ({"name": "alice", "state": "gone"}, "value of state must be one of"),
        ({}, "missing required arguments: name"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    access_server: AccessServer, as_admin: AsAdmin, arguments: dict[str, Any], words: str
) -> None:
    assert words in as_admin(mlflow_user, **arguments)["msg"]
    assert access_server.requests == []


def test_a_failure_half_way_is_named_and_the_next_run_goes_on(access_server: AccessServer, as_admin: AsAdmin) -> None:
    access_server.users["alice"] = User(PASSWORD, admin=True)
    access_server.fault("POST /api/3.0/mlflow/roles/create", faults.status(500, "INTERNAL_ERROR", "locked"), times=1)
    failed = as_admin(mlflow_user, name="alice", enabled=False)
    assert failed["msg"].startswith("Cannot disable the user alice: POST /api/3.0/mlflow/roles/create answered 500")
    assert access_server.users["alice"].password != PASSWORD
    assert access_server.users["alice"].admin is False

    assert as_admin(mlflow_user, name="alice", enabled=False)["user"]["enabled"] is False
    assert access_server.roles_of("alice") == ["disabled"]
    assert as_admin(mlflow_user, name="alice", enabled=False)["changed"] is False


@pytest.mark.parametrize(
    ("login", "words"),
    [((ADMIN[0], "wrong-passphrase"), "does not accept the login"), (("alice", PASSWORD), "only an admin may do this")],
)
def test_a_login_that_is_not_enough_changes_nothing(
    access_server: AccessServer, as_admin: AsAdmin, login: tuple[str, str], words: str
) -> None:
    access_server.users["alice"] = User(PASSWORD)
    result = as_admin(mlflow_user, name="bob", user_password=PASSWORD, username=login[0], password=login[1])
    assert words in result["msg"]
    assert access_server.writes == []


def test_a_check_says_what_it_cannot_know(as_admin: AsAdmin, capsys: pytest.CaptureFixture[str]) -> None:
    result = as_admin(mlflow_user, name="alice", user_password=PASSWORD, roles=["later"], check_mode=True)
    assert result["user"]["roles"] == ["later"]
    assert "There is no role later for the user alice yet" in str(result) + capsys.readouterr().err
    assert (
        "Create it with mlflow_role" in as_admin(mlflow_user, name="alice", user_password=PASSWORD, roles=["x"])["msg"]
    )


def test_documented_results_are_the_modules_own(as_admin: AsAdmin) -> None:
    result = as_admin(mlflow_user, name="alice", user_password=PASSWORD)
    assert undocumented(yaml.safe_load(mlflow_user.RETURN), own(result)) == []
