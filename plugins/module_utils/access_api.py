"""The calls of MLflow's access control, which its basic-auth app serves, with their answers as plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import (
    Answer,
    Deadline,
    HttpClient,
    Login,
    TrackingError,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.tracking_api import API, MISSING

API3 = "/api/3.0/mlflow"
EXISTS = "RESOURCE_ALREADY_EXISTS"
# Where everything is while MLflow's workspaces are not enabled.
WORKSPACE = "default"
# MLflow has no disabled users, so this role without permissions remembers who is one.
DISABLED = "disabled"
# What is granted to one user by us is kept in a role of their own. MLflow's counterpart, __user_<id>__, also holds what
# MLflow gives to whoever creates something, and tells nobody which is which.
GRANTS = "grants:"
MLFLOW_OWN = "__user_"
EVERY = "*"


@dataclass(frozen=True)
class Experiment:
    """An experiment, as far as grants name it."""

    id: str
    name: str
    deleted: bool = False


@dataclass(frozen=True, order=True)
class Resource:
    """What a grant is about, as MLflow knows it: of experiments the id, or `*` for all of a type."""

    type: str
    pattern: str


@dataclass(frozen=True, order=True)
class Grant:
    """A permission on something."""

    resource: Resource
    permission: str


@dataclass(frozen=True)
class GrantRow:
    """A grant in a role, with the id by which MLflow changes or removes it."""

    id: int
    grant: Grant


@dataclass(frozen=True)
class Role:
    """A role and what it grants."""

    id: int
    name: str
    description: str = ""
    rows: tuple[GrantRow, ...] = ()

    @property
    def by_resource(self) -> dict[Resource, GrantRow]:
        """The rows by what they are about: MLflow allows one for each."""
        return {row.grant.resource: row for row in self.rows}


@dataclass(frozen=True)
class User:
    """A user with all their roles, those included that MLflow and these modules keep for themselves."""

    name: str
    admin: bool = False
    roles: tuple[Role, ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether nobody has disabled the user."""
        return all(role.name != DISABLED for role in self.roles)

    @property
    def plain_roles(self) -> list[str]:
        """Names of the roles that somebody assigned."""
        return sorted(role.name for role in self.roles if not is_reserved(role.name))

    @property
    def declared(self) -> Role | None:
        """The role with what these modules granted to the user."""
        return next((role for role in self.roles if role.name == GRANTS + self.name), None)

    @property
    def direct(self) -> Role | None:
        """MLflow's own role of the user: what they created, and what somebody granted by hand."""
        return next((role for role in self.roles if re.fullmatch(r"__user_\d+__", role.name)), None)


def is_reserved(role: str) -> bool:
    """Tell whether a role of that name is MLflow's or these modules' own."""
    return role == DISABLED or role.startswith((MLFLOW_OWN, GRANTS))


def scorer_pattern(experiment_id: str, scorer: str) -> str:
    """Name one scorer as MLflow's grants do."""
    return f"{experiment_id}/{quote(scorer, safe='')}"


class AccessApi:
    """The access control of one tracking server, used by an admin. Each call raises TrackingError if it fails."""

    def __init__(self, client: HttpClient, login: Login, deadline: Deadline) -> None:
        """Speak through this client, which uses this login, until then."""
        self._client = client
        self._login = login
        self._deadline = deadline

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> AccessApi:
        """Make it of a module's parameters; raise for those that make no sense. Nothing is sent yet."""
        login = Login.parse(params["username"], params["password"])
        if login is None:
            raise TrackingError("username and password are empty: give the login of an admin.")
        return cls(connection.client_of(params, login), login, Deadline(params["deadline"]))

    def users(self) -> list[User]:
        """Return all users with their roles."""
        answer = self._send("GET", f"{API}/users/list")
        try:
            return sorted(
                (
                    User(str(item["username"]), bool(item["is_admin"]), tuple(_roles(item["roles"])))
                    for item in answer.json()["users"]
                ),
                key=lambda user: user.name,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _unknown_form(answer) from error

    def roles(self) -> list[Role]:
        """Return all roles."""
        answer = self._send("GET", f"{API3}/roles/list", query={"workspace": WORKSPACE})
        try:
            return _roles(answer.json()["roles"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unknown_form(answer) from error

    def experiments(self) -> list[Experiment]:
        """Return all experiments, the deleted ones too: their names are taken, and grants on them stay."""
        found: list[Experiment] = []
        token = ""
        while True:
            asked = {"max_results": 1000, "view_type": "ALL", **({"page_token": token} if token else {})}
            answer = self._send("POST", f"{API}/experiments/search", asked, repeatable=True)
            decoded = answer.json()
            try:
                found += [
                    Experiment(str(item["experiment_id"]), str(item["name"]), item.get("lifecycle_stage") == "deleted")
                    for item in decoded.get("experiments", [])
                ]
            except (AttributeError, KeyError, TypeError) as error:
                raise _unknown_form(answer) from error
            token = str(decoded.get("next_page_token", ""))
            if not token:
                return found

    def accepts(self, username: str, password: str) -> bool:
        """Tell whether that is a user's login, by using it."""
        try:
            self._client.logged_in_as(Login(username, password)).send(
                "GET", f"{API}/users/current", deadline=self._deadline
            )
        except TrackingError as error:
            if error.status == 401:
                return False
            raise
        return True

    def create_user(self, name: str, password: str) -> None:
        """Create a user who may do nothing yet."""
        self._send("POST", f"{API}/users/create", {"username": name, "password": password})

    def set_password(self, name: str, password: str) -> None:
        """Give the user another password. For their own, MLflow asks users for the one they have."""
        own = {"current_password": self._login.password} if name == self._login.username else {}
        self._send(
            "PATCH",
            f"{API}/users/update-password",
            {"username": name, "password": password, **own},
            repeatable=not own,
        )

    def set_admin(self, name: str, admin: bool) -> None:
        """Make the user an admin, or no admin any more."""
        self._send("PATCH", f"{API}/users/update-admin", {"username": name, "is_admin": admin}, repeatable=True)

    def delete_user(self, name: str) -> None:
        """Delete the user."""
        self._settle(MISSING, "DELETE", f"{API}/users/delete", {"username": name})

    def create_role(self, name: str, description: str, grants: Iterable[Grant] = (), assign_to: str = "") -> None:
        """Create a role, assign it to a user if one is named, and let it grant this."""
        asked = {"name": name, "workspace": WORKSPACE, "description": description}
        answer = self._send("POST", f"{API3}/roles/create", asked)
        try:
            role_id = int(answer.json()["role"]["id"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unknown_form(answer) from error
        if assign_to:
            self.assign(assign_to, role_id)
        for grant in grants:
            self.add_grant(role_id, grant)

    def describe_role(self, role_id: int, description: str) -> None:
        """Give the role another description."""
        self._send("PATCH", f"{API3}/roles/update", {"role_id": role_id, "description": description}, repeatable=True)

    def delete_role(self, role_id: int) -> None:
        """Delete the role, and so take it from whoever has it."""
        self._settle(MISSING, "DELETE", f"{API3}/roles/delete", {"role_id": role_id})

    def add_grant(self, role_id: int, grant: Grant) -> None:
        """Let the role grant this too."""
        self._send(
            "POST",
            f"{API3}/roles/permissions/add",
            {
                "role_id": role_id,
                "resource_type": grant.resource.type,
                "resource_pattern": grant.resource.pattern,
                "permission": grant.permission,
            },
        )

    def change_grant(self, row_id: int, permission: str) -> None:
        """Let the grant be of another permission."""
        asked = {"role_permission_id": row_id, "permission": permission}
        self._send("PATCH", f"{API3}/roles/permissions/update", asked, repeatable=True)

    def remove_grant(self, row_id: int) -> None:
        """Take the grant away."""
        self._settle(MISSING, "DELETE", f"{API3}/roles/permissions/remove", {"role_permission_id": row_id})

    def assign(self, name: str, role_id: int) -> None:
        """Give the user the role."""
        self._settle(EXISTS, "POST", f"{API3}/roles/assign", {"username": name, "role_id": role_id})

    def unassign(self, name: str, role_id: int) -> None:
        """Take the role from the user."""
        self._settle(MISSING, "DELETE", f"{API3}/roles/unassign", {"username": name, "role_id": role_id})

    def _send(
        self,
        method: str,
        path: str,
        data: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answer:
        try:
            return self._client.send(
                method,
                path,
                deadline=self._deadline,
                query=query,
                data=data,
                repeatable=repeatable or method == "GET",
            )
        except TrackingError as error:
            raise self._explained(error) from error

    def _settle(self, code: str, method: str, path: str, data: Mapping[str, object]) -> None:
        """Send; an error of this code says that it is done already, by a repetition or by somebody else."""
        try:
            self._send(method, path, data, repeatable=True)
        except TrackingError as error:
            if error.code != code:
                raise

    def _explained(self, error: TrackingError) -> TrackingError:
        """Say what to do about an answer that means the login or the server's setup."""
        server, user = self._client.endpoint, self._login.username
        advice = {
            401: f"{server} does not accept the login {user!r}: check username and password",
            403: f"{server} accepts the login {user!r}, but only an admin may do this: log in as one",
        }.get(error.status or 0)
        if error.status in (404, 405) and not error.code:
            advice = (
                f"{server} has no access control: MLflow runs there without its basic-auth app, or is older than 3.17"
            )
        if advice:
            return TrackingError(f"{advice} ({error.reason})", status=error.status, code=error.code, sent=error.sent)
        return error


def _roles(listed: Any) -> list[Role]:
    return sorted(
        (
            Role(
                int(item["id"]),
                str(item["name"]),
                str(item["description"] or ""),
                tuple(
                    GrantRow(
                        int(row["id"]),
                        Grant(
                            Resource(str(row["resource_type"]), str(row["resource_pattern"])), str(row["permission"])
                        ),
                    )
                    for row in item["permissions"]
                ),
            )
            for item in listed
            if item["workspace"] == WORKSPACE
        ),
        key=lambda role: role.name,
    )


def _unknown_form(answer: Answer) -> TrackingError:
    return TrackingError(f"{answer.request} answered {answer.status} in no known form", status=answer.status, sent=True)
