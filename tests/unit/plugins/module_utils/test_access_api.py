"""The access control's calls on a server that misbehaves: what they say, repeat, and never do twice."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import (
    AccessApi,
    Grant,
    Resource,
    Role,
    User,
    is_reserved,
    scorer_pattern,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError
from ansible_collections.mlops.mlflow.tests.unit.support import tracking_server as faults
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import ADMIN, AccessServer
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import User as ServersUser
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from ansible_collections.mlops.mlflow.tests.unit.support.tracking_server import Fault

READ_ALL = Grant(Resource("experiment", "*"), "READ")


@pytest.fixture
def params(access_server: AccessServer, authority: Authority) -> dict[str, Any]:
    return {
        "url": access_server.url,
        "ca_file": str(authority.file),
        "username": ADMIN[0],
        "password": ADMIN[1],
        "timeout": 5,
        "deadline": 5,
        "retries": 2,
        "retry_pause": 0.01,
    }


@pytest.fixture
def api(params: dict[str, Any]) -> AccessApi:
    return AccessApi.of(params)


def test_the_roles_of_a_user_are_told_apart(access_server: AccessServer, api: AccessApi) -> None:
    access_server.users["alice"] = ServersUser("a-passphrase")
    for name in ("team", "grants:alice", "__user_7__", "disabled", "grants:bob"):
        access_server.add_role(name, ("prompt", "*", "READ"), of="alice")
    alice = api.users()[1]
    assert (alice.name, alice.admin, alice.enabled, alice.plain_roles) == ("alice", False, False, ["team"])
    assert alice.declared is not None
    assert alice.declared.name == "grants:alice"
    assert alice.direct is not None
    assert alice.direct.name == "__user_7__"
    assert alice.direct.by_resource[Resource("prompt", "*")].grant.permission == "READ"


def test_roles_of_other_workspaces_are_nobodys_here(access_server: AccessServer, api: AccessApi) -> None:
    access_server.users["alice"] = ServersUser("a-passphrase")
    elsewhere = access_server.add_role("disabled", of="alice")
    access_server.roles[elsewhere].workspace = "another"
    assert api.roles() == []
    assert api.users()[1].enabled is True


def test_all_pages_of_experiments_are_read(access_server: AccessServer, api: AccessApi) -> None:
    for number in range(5):
        access_server.add_experiment(f"number {number}", deleted=number == 3)
    assert [(each.name, each.deleted) for each in api.experiments()] == [
        (f"number {number}", number == 3) for number in range(5)
    ]


def test_a_password_is_tried_by_logging_in(access_server: AccessServer, api: AccessApi) -> None:
    access_server.users["alice"] = ServersUser("a-passphrase")
    assert api.accepts("alice", "a-passphrase") is True
    assert api.accepts("alice", "another-passphrase") is False
    # Whoever asked is still the admin.
    assert len(api.users()) == 2


def test_a_password_that_cannot_be_tried_is_no_wrong_one(access_server: AccessServer, api: AccessApi) -> None:
    access_server.fault("GET /api/2.0/mlflow/users/current", faults.status(500))
    with pytest.raises(TrackingError, match="500"):
        api.accepts("alice", "a-passphrase")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.status(401), "does not accept the login 'admin': check username and password .*answered 401"),
        (faults.status(403), "accepts the login 'admin', but only an admin may do this: log in as one"),
        (faults.status(404), "has no access control: MLflow runs there without its basic-auth app, or is older than 3"),
        (faults.status(400, "INVALID_PARAMETER_VALUE", "no such thing"), "400 INVALID_PARAMETER_VALUE: no such thing"),
        (faults.garbage, "is it MLflow that answers"),
        (lambda handler: handler.reply((200, "application/json", b"{}")), "answered 200 in no known form"),
        (lambda handler: handler.reply((200, "application/json", b'{"users": [{}]}')), "in no known form"),
        (lambda handler: handler.reply((200, "application/json", b'{"users": 7}')), "in no known form"),
    ],
)
def test_an_answer_that_is_none_is_explained(
    access_server: AccessServer, api: AccessApi, fault: Fault, words: str
) -> None:
    access_server.fault("GET /api/2.0/mlflow/users/list", fault)
    with pytest.raises(TrackingError, match=words) as caught:
        api.users()
    assert ADMIN[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (faults.status(429), 2),
        (faults.status(503), 2),
        # It may have been done, and can't be done twice.
        (faults.lose_answer, 1),
    ],
)
def test_what_cannot_be_done_twice_is_repeated_only_after_a_refusal(
    access_server: AccessServer, api: AccessApi, fault: Fault, attempts: int
) -> None:
    access_server.fault("POST /api/2.0/mlflow/users/create", fault, times=1)
    if attempts == 1:
        with pytest.raises(TrackingError, match=r"lost its connection|no valid HTTP answer"):
            api.create_user("alice", "a-passphrase")
    else:
        api.create_user("alice", "a-passphrase")
    assert len(access_server.writes) == attempts
    assert "alice" in access_server.users


@pytest.mark.parametrize(
    "request_",
    [
        "POST /api/3.0/mlflow/roles/assign",
        "DELETE /api/3.0/mlflow/roles/unassign",
        "DELETE /api/3.0/mlflow/roles/permissions/remove",
        "DELETE /api/3.0/mlflow/roles/delete",
        "DELETE /api/2.0/mlflow/users/delete",
        "PATCH /api/2.0/mlflow/users/update-password",
        "PATCH /api/2.0/mlflow/users/update-admin",
    ],
)
def test_what_was_done_without_an_answer_is_found_done(
    access_server: AccessServer, api: AccessApi, request_: str
) -> None:
    access_server.fault(request_, faults.lose_answer, times=1)
    access_server.users["alice"] = ServersUser("a-passphrase")
    role = access_server.add_role("team", ("prompt", "*", "READ"))
    api.assign("alice", role)
    api.set_password("alice", "another-passphrase")
    api.set_admin("alice", True)
    assert access_server.users["alice"] == ServersUser("another-passphrase", True, [role])
    api.unassign("alice", role)
    assert access_server.roles_of("alice") == []
    api.remove_grant(api.roles()[0].rows[0].id)
    assert access_server.granted("team") == []
    api.delete_role(role)
    api.delete_user("alice")
    assert list(access_server.users) == [ADMIN[0]]
    assert access_server.roles == {}


def test_the_own_password_is_changed_with_the_one_that_there_is(access_server: AccessServer, api: AccessApi) -> None:
    api.set_password(ADMIN[0], "the-admins-next-passphrase")
    assert access_server.users[ADMIN[0]].password == "the-admins-next-passphrase"


def test_a_role_is_made_with_who_has_it_and_what_it_grants(access_server: AccessServer, api: AccessApi) -> None:
    access_server.users["alice"] = ServersUser("a-passphrase")
    api.create_role("team", "A team", [READ_ALL], assign_to="alice")
    assert access_server.roles_of("alice") == ["team"]
    assert access_server.granted("team") == [("experiment", "*", "READ")]


def test_no_login_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(TrackingError, match="give the login of an admin"):
        AccessApi.of({**params, "username": "", "password": ""})


def test_a_scorers_name_cannot_leave_its_place() -> None:
    assert scorer_pattern("7", "a/b c") == "7/a%2Fb%20c"


def test_reserved_names() -> None:
    assert [name for name in ("disabled", "__user_1__", "grants:x", "team", "Disabled") if is_reserved(name)] == [
        "disabled",
        "__user_1__",
        "grants:x",
    ]
    assert User("alice", roles=(Role(1, "__user_x__"),)).direct is None
