"""Users, roles and permissions against MLflow itself, started as on a host: what was declared is what it enforces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import (
    Answer,
    Deadline,
    Endpoint,
    HttpClient,
    Login,
    TrackingError,
)
from ansible_collections.mlops.mlflow.plugins.modules import (
    mlflow_access_info,
    mlflow_permission,
    mlflow_role,
    mlflow_user,
)
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import run

from tests.integration.running import ADMIN, asking_for_logins

API = "/api/2.0/mlflow"
API3 = "/api/3.0/mlflow"
PASSWORD = "a-passphrase-of-a-user"
DORA, RITA, GINA, ANNA = ((name, PASSWORD) for name in ("dora", "rita", "gina", "anna"))


@dataclass
class Server:
    """A running MLflow, as its admin and its users see it."""

    url: str
    folder: Path

    def __call__(self, module: ModuleType, **arguments: object) -> dict[str, Any]:
        """Run a module as the admin; with the diff that `--diff` shows."""
        login = {"url": self.url, "username": ADMIN[0], "password": ADMIN[1], "timeout": 60}
        checking = bool(arguments.pop("check_mode", False))
        result = run(module, {**login, "_ansible_diff": True, **arguments}, check_mode=checking)
        assert "msg" not in result, result["msg"] + (self.folder / "log").read_text()[-3000:]
        return result

    def converges(self, module: ModuleType, **arguments: object) -> dict[str, Any]:
        """Run it as a check, for real, and again: the check tells what happens, the second run changes nothing."""
        before = self.rows()
        told = self(module, check_mode=True, **arguments)
        assert self.rows() == before, "a check has changed something"
        done = self(module, **arguments)
        assert {key: told[key] for key in ("changed", "actions", "diff")} == {
            key: done[key] for key in ("changed", "actions", "diff")
        }
        again = self(module, **arguments)
        assert (again["changed"], again["actions"]) == (False, [])
        return done

    def rows(self) -> list[list[tuple[Any, ...]]]:
        """Return everything that the access control's database holds."""
        tables = ("users", "roles", "role_permissions", "user_role_assignments")
        with sqlite3.connect(self.folder / "auth.db") as connection:
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]

    def ask(self, login: tuple[str, str], method: str, path: str, **data: object) -> Answer:
        """Ask as a user; raise for any answer that is no success."""
        client = HttpClient(Endpoint.parse(self.url), login=Login(*login), timeout=60)
        api = API3 if path.startswith("users/permissions/") else API
        if method == "GET":
            query = {key: str(value) for key, value in data.items()}
            return client.send(method, f"{api}/{path}", deadline=Deadline(60), query=query)
        return client.send(method, f"{api}/{path}", deadline=Deadline(60), data=data)

    def status(self, login: tuple[str, str], method: str, path: str, **data: object) -> int:
        """Ask as a user, return the answer's status."""
        try:
            return self.ask(login, method, path, **data).status
        except TrackingError as error:
            if error.status is None:
                raise
            return error.status

    def experiment(self, login: tuple[str, str], name: str) -> str:
        """Create an experiment as a user."""
        return str(self.ask(login, "POST", "experiments/create", name=name).json()["experiment_id"])

    def run(self, login: tuple[str, str], experiment: str) -> str:
        """Create a run as a user."""
        return str(self.ask(login, "POST", "runs/create", experiment_id=experiment).json()["run"]["info"]["run_id"])

    def statuses(self, login: tuple[str, str], run: str, **more: object) -> set[int]:
        """Log a metric often enough that each worker answers, return the statuses."""
        metric = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1, **more}
        return {self.status(login, "POST", "runs/log-metric", **metric) for _ in range(24)}

    def effective(self, user: str, kind: str, resource: str) -> str:
        """Return what MLflow says that a user may do with something."""
        query = {"username": user, "resource_type": kind, "resource_id": resource}
        return str(self.ask(ADMIN, "GET", "users/permissions/get", **query).json()["permission"])

    def leftover(self, role: str) -> int:
        """Count the roles of that name."""
        return sum(row[1] == role for row in self.rows()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mlflow")
    with asking_for_logins(folder, "--workers", "2") as url:
        yield Server(url, folder)


def test_a_user_comes_is_locked_out_comes_back_and_goes(server: Server) -> None:
    made = server.converges(mlflow_user, name="dora", user_password=PASSWORD)
    assert made["user"] == {"name": "dora", "state": "present", "admin": False, "enabled": True, "roles": []}
    assert server.status(DORA, "GET", "users/current") == 200
    own = server.experiment(DORA, "dora's own")

    # Somebody changes the password; the declared one comes back, once.
    server.ask(ADMIN, "PATCH", "users/update-password", username="dora", password="some-other-passphrase")
    assert server(mlflow_user, name="dora", user_password=PASSWORD, update_password="on_create")["changed"] is False
    assert server.converges(mlflow_user, name="dora", user_password=PASSWORD)["actions"] == [
        "change the password of the user dora"
    ]
    assert server.status(DORA, "GET", "users/current") == 200

    server.converges(mlflow_user, name="dora", admin=True)
    assert server.status(DORA, "GET", "users/get", username="admin") == 200
    locked = server.converges(mlflow_user, name="dora", user_password=PASSWORD, enabled=False)
    assert locked["actions"] == [
        "lock the user dora out",
        "make the user dora no admin any more",
        "disable the user dora",
    ]
    assert server.status(DORA, "GET", "users/current") == 401
    # A disabled user whose password somebody set by hand is locked out again.
    server.ask(ADMIN, "PATCH", "users/update-password", username="dora", password=PASSWORD)
    assert server.converges(mlflow_user, name="dora", user_password=PASSWORD)["actions"] == ["lock the user dora out"]

    server.converges(mlflow_user, name="dora", user_password=PASSWORD, enabled=True)
    assert server.status(DORA, "GET", "experiments/get", experiment_id=own) == 200
    assert server.status(DORA, "GET", "users/get", username="admin") == 403

    gone = server.converges(mlflow_user, name="dora", state="absent")
    assert gone["user"] == {"state": "absent"}
    assert server.status(DORA, "GET", "users/current") == 401
    # What she made stays.
    assert server.status(ADMIN, "GET", "experiments/get", experiment_id=own) == 200


def test_a_user_can_be_made_disabled(server: Server) -> None:
    server.converges(mlflow_user, name="later", enabled=False)
    assert server(mlflow_access_info)["users"][-1]["enabled"] is False


def test_a_role_grants_what_it_lists_and_nothing_else(server: Server) -> None:
    shared = server.experiment(ADMIN, "shared")
    server.converges(
        mlflow_role,
        name="readers",
        description="Read one experiment",
        permissions=[{"resource_type": "experiment", "resource": "shared", "permission": "READ"}],
    )
    server.converges(mlflow_user, name="rita", user_password=PASSWORD, roles=["readers"])
    edit = {"experiment_id": shared, "key": "by", "value": "rita"}
    assert server.status(RITA, "GET", "experiments/get", experiment_id=shared) == 200
    assert server.status(RITA, "POST", "experiments/set-experiment-tag", **edit) == 403
    assert server.status(RITA, "GET", "experiments/get", experiment_id="0") == 403

    changed = server.converges(
        mlflow_role,
        name="readers",
        permissions=[
            {"resource_type": "experiment", "resource": "shared", "permission": "EDIT"},
            {"resource_type": "prompt", "resource": "*", "permission": "READ"},
        ],
    )
    assert changed["actions"] == [
        "change for the role readers: EDIT on experiment shared",
        "grant to the role readers: READ on prompt *",
    ]
    assert changed["role"]["description"] == "Read one experiment"
    assert server.status(RITA, "POST", "experiments/set-experiment-tag", **edit) == 200

    server.converges(mlflow_role, name="readers", permissions=[], description="")
    assert server.status(RITA, "GET", "experiments/get", experiment_id=shared) == 403
    server.converges(mlflow_user, name="rita", roles=[])
    server.converges(mlflow_role, name="readers", state="absent")


def test_grants_to_a_user_come_and_go_and_own_experiments_stay(server: Server) -> None:
    theirs = server.experiment(ADMIN, "of the team")
    server.converges(mlflow_user, name="gina", user_password=PASSWORD)
    own = server.experiment(GINA, "gina's own")
    # By hand, as somebody may do in the UI.
    by_hand = {"username": "gina", "resource_type": "registered_model", "resource_id": "greeting", "permission": "EDIT"}
    server.ask(ADMIN, "POST", "users/permissions/grant", **by_hand)
    listed = [
        {"resource_type": "experiment", "resource": "of the team", "permission": "MANAGE"},
        {"resource_type": "registered_model", "resource": "not yet there", "permission": "READ"},
        {"resource_type": "scorer", "resource": "is it/true", "experiment": "of the team", "permission": "USE"},
    ]

    granted = server.converges(mlflow_permission, user="gina", permissions=listed)
    assert server.status(GINA, "GET", "experiments/get", experiment_id=theirs) == 200
    assert server.status(GINA, "POST", "experiments/delete", experiment_id=theirs) == 200
    server.ask(GINA, "POST", "experiments/restore", experiment_id=theirs)
    scorer = next(each for each in granted["granted"]["permissions"] if each["resource_type"] == "scorer")
    assert (scorer["resource"], scorer["experiment"]) == ("is it/true", "of the team")
    assert scorer["resource_id"] == f"{theirs}/is%20it%2Ftrue"
    assert server.effective("gina", "registered_model", "not yet there") == "READ"
    assert server.effective("gina", "registered_model", "greeting") == "EDIT"

    # What isn't listed goes, a declared MANAGE as well as what was granted by hand. What she created stays hers.
    server.converges(mlflow_permission, user="gina", permissions=listed[1:2], exclusive=True)
    assert server.status(GINA, "GET", "experiments/get", experiment_id=theirs) == 403
    assert server.effective("gina", "registered_model", "greeting") == "NO_PERMISSIONS"
    assert server.status(GINA, "POST", "experiments/delete", experiment_id=own) == 200
    server.ask(GINA, "POST", "experiments/restore", experiment_id=own)

    # Named, her own goes too, and so does the rest.
    revoked = [{"resource_type": "experiment", "resource": "gina's own"}, {**listed[1]}]
    server.converges(mlflow_permission, user="gina", permissions=revoked, state="absent")
    assert server.status(GINA, "GET", "experiments/get", experiment_id=own) == 403
    assert server(mlflow_permission, user="gina", permissions=[])["granted"]["permissions"] == []

    server.converges(mlflow_permission, user="gina", permissions=listed)
    server.converges(mlflow_user, name="gina", state="absent")
    # Another one of that name inherits nothing, and nothing is left of the first.
    server.converges(mlflow_user, name="gina", user_password=PASSWORD)
    assert server.status(GINA, "GET", "experiments/get", experiment_id=theirs) == 403
    assert server.leftover("grants:gina") == 0


def test_the_audit_names_everything(server: Server) -> None:
    server.experiment(ADMIN, "audited")
    server(
        mlflow_role,
        name="auditors",
        permissions=[{"resource_type": "experiment", "resource": "audited", "permission": "READ"}],
    )
    server(mlflow_user, name="anna", user_password=PASSWORD, roles=["auditors"])
    server.experiment(ANNA, "anna's own")
    server(
        mlflow_permission,
        user="anna",
        permissions=[{"resource_type": "experiment", "resource": "*", "permission": "READ"}],
    )
    found = server(mlflow_access_info)
    users = {user["name"]: user for user in found["users"]}

    assert users["admin"]["admin"] is True
    anna = users["anna"]
    assert (anna["admin"], anna["enabled"], anna["roles"]) == (False, True, ["auditors"])
    assert [(each["source"], each["role"], each["resource"], each["permission"]) for each in anna["permissions"]] == [
        ("declared", None, "*", "READ"),
        ("direct", None, "anna's own", "MANAGE"),
        ("role", "auditors", "audited", "READ"),
    ]
    auditors = next(role for role in found["roles"] if role["name"] == "auditors")
    assert auditors["users"] == ["anna"]
    assert not {role["name"] for role in found["roles"]} & {"disabled", "grants:anna"}


def test_the_admins_own_password_is_changed_and_changed_back(server: Server) -> None:
    other = "the-admins-next-passphrase"
    assert server(mlflow_user, name="admin", user_password=other)["changed"] is True
    assert server.status(("admin", other), "GET", "users/list") == 200
    assert server.status(ADMIN, "GET", "users/list") == 401
    assert server(mlflow_user, name="admin", password=other, user_password=ADMIN[1])["changed"] is True
    assert server(mlflow_user, name="admin", user_password=ADMIN[1])["changed"] is False


@pytest.mark.parametrize(
    ("login", "words"),
    [
        (("admin", "no-such-passphrase"), "does not accept the login 'admin': check username and password"),
        (("plain", PASSWORD), "accepts the login 'plain', but only an admin may do this"),
    ],
)
def test_a_login_that_is_not_enough_is_named(server: Server, login: tuple[str, str], words: str) -> None:
    server(mlflow_user, name="plain", user_password=PASSWORD)
    result = run(mlflow_access_info, {"url": server.url, "username": login[0], "password": login[1]})
    assert words in result["msg"]


def test_the_server_remembers_who_may_log_to_a_run_and_nothing_else(server: Server) -> None:
    for name in ("mona", "otto"):
        server(mlflow_user, name=name, user_password=PASSWORD)
    mona, otto = ("mona", PASSWORD), ("otto", PASSWORD)
    own, others = server.experiment(mona, "mona's"), server.experiment(otto, "otto's")
    run_id, sibling, foreign = server.run(mona, own), server.run(mona, own), server.run(otto, others)
    model = server.ask(otto, "POST", "logged-models", experiment_id=others).json()["model"]["info"]["model_id"]
    assert server.statuses(mona, run_id) == {200}

    # Nor another user's, nor another experiment's, nor with a wrong password, nor a metric of somebody else's model.
    assert server.statuses(otto, run_id) == {403}
    assert server.statuses(mona, foreign) == {403}
    assert server.statuses(mona, "no-such-run") == {403}
    assert server.statuses(ADMIN, run_id) == {200}
    assert server.statuses(("mona", "not-her-passphrase"), run_id) == {401}
    assert server.statuses(mona, run_id, model_id=model) == {403}
    metric = {"key": "a", "value": 1, "timestamp": 1, "model_id": model}
    assert server.status(mona, "POST", "runs/log-batch", run_id=run_id, metrics=[metric]) == 403

    # Behind the server's back her right is taken away: it shows that it is remembered, and for logging alone.
    with sqlite3.connect(server.folder / "auth.db") as connection:
        assert (
            connection.execute(
                "DELETE FROM role_permissions WHERE role_id IN (SELECT role_id FROM user_role_assignments JOIN users "
                "ON users.id = user_id WHERE username = 'mona')"
            ).rowcount
            == 1
        )
    assert server.statuses(mona, run_id) == {200}
    assert server.statuses(mona, sibling) == {200}
    assert server.status(mona, "POST", "runs/update", run_id=run_id, run_name="another") == 403

    # Any change that goes through the server ends it, in all workers at once.
    server(mlflow_user, name="otto", state="absent")
    assert server.statuses(mona, run_id) == {403}


def test_a_permission_that_is_taken_back_ends_at_once(server: Server) -> None:
    server(mlflow_user, name="nora", user_password=PASSWORD)
    nora = ("nora", PASSWORD)

    def give(permission: str) -> None:
        entry = {"resource_type": "experiment", "resource": "the admin's", "permission": permission}
        server(mlflow_permission, user="nora", permissions=[entry])

    experiment = server.experiment(ADMIN, "the admin's")
    created = server.run(ADMIN, experiment)
    assert server.statuses(nora, created) == {403}
    give("EDIT")
    assert server.statuses(nora, created) == {200}
    give("READ")
    assert server.status(nora, "GET", "runs/get", run_id=created) == 200
    assert server.statuses(nora, created) == {403}
    give("EDIT")
    assert server.statuses(nora, created) == {200}
    server(mlflow_user, name="nora", state="absent")
    assert server.statuses(nora, created) <= {401, 404}


def test_a_run_names_no_model_to_whom_models_are_denied(server: Server) -> None:
    server(mlflow_user, name="lina", user_password=PASSWORD)
    lina = ("lina", PASSWORD)
    experiment = server.experiment(lina, "lina's")
    run_id = server.run(lina, experiment)
    model = server.ask(lina, "POST", "logged-models", experiment_id=experiment).json()["model"]["info"]["model_id"]
    server.ask(lina, "POST", "runs/outputs", run_id=run_id, models=[{"model_id": model, "step": 0}])

    def named() -> list[str]:
        outputs = server.ask(lina, "GET", "runs/get", run_id=run_id).json()["run"].get("outputs", {})
        return [one["model_id"] for one in outputs.get("model_outputs", [])]

    assert named() == [model]
    denied = {"resource_type": "logged_model", "resource": "*", "permission": "DENY"}
    server(mlflow_role, name="without-models", permissions=[denied])
    server(mlflow_user, name="lina", roles=["without-models"])
    assert named() == []
