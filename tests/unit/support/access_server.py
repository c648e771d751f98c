"""Enough of MLflow's access control, in memory: users, roles and grants, and who may change them.

What it answers was compared with MLflow 3.17.2; tests/integration runs the same modules against the real server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mlops.mlflow.tests.unit.support.tracking_server import (
    Experiment,
    Refusal,
    Reply,
    TrackingServer,
)

ADMIN = ("admin", "the-admins-passphrase")
API3 = "/api/3.0/mlflow"


@dataclass
class User:
    """A user."""

    password: str
    admin: bool = False
    roles: list[int] = field(default_factory=list)


@dataclass
class Role:
    """A role, with its grants by their ids."""

    name: str
    description: str | None = None
    grants: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    workspace: str = "default"


class AccessServer(TrackingServer):
    """A tracking server with an admin."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        """Know nobody but the admin."""
        super().__init__(context)
        self.users = {ADMIN[0]: User(ADMIN[1], admin=True)}
        self.roles: dict[int, Role] = {}
        self._last = 0

    def add_experiment(self, name: str, *, deleted: bool = False) -> str:
        """Have an experiment, return its id."""
        made = Experiment(str(len(self.experiments) + 1), name, deleted)
        self.experiments[made.id] = made
        return made.id

    def add_role(self, name: str, *grants: tuple[str, str, str], of: str = "") -> int:
        """Have a role with these grants, return its id."""
        role_id = self._next()
        self.roles[role_id] = Role(name, None, {self._next(): grant for grant in grants})
        if of:
            self.users[of].roles.append(role_id)
        return role_id

    def granted(self, name: str) -> list[tuple[str, str, str]]:
        """Return what the role of that name grants."""
        return sorted(grant for role in self.roles.values() if role.name == name for grant in role.grants.values())

    def roles_of(self, user: str) -> list[str]:
        """Return names of the user's roles."""
        return sorted(self.roles[role].name for role in self.users[user].roles)

    @property
    def writes(self) -> list[str]:
        """The requests that could change something."""
        harmless = ("GET ", "POST /api/2.0/mlflow/experiments/search")
        return [request for request in self.requests if not request.startswith(harmless)]

    def refusal(self, request: str, user: str, password: str) -> Reply | None:
        """Let anybody see themselves and the list of users, and an admin do anything."""
        known = self.users.get(user)
        if known is None or known.password != password:
            return 401, "text/html", b"You are not authenticated."
        open_to_all = ("/users/current", "/users/list", "/experiments/search")
        if known.admin or request.split("?")[0].endswith(open_to_all):
            return None
        return 403, "text/html", b"Permission denied"

    def call(self, call: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Do one call of the access control's API, or any other."""
        method, path = call.split()
        path = path.removeprefix(API3).removeprefix("/")
        done = getattr(self, f"_{method}_{path.replace('/', '_').replace('-', '_')}".lower(), None)
        if done is None:
            return super().call(call, asked)
        answer: dict[str, Any] = done(asked)
        return answer

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _user(self, name: str) -> User:
        if name not in self.users:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"User with username={name} not found")
        return self.users[name]

    def _role(self, role_id: int) -> Role:
        if role_id not in self.roles:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Role with id={role_id} not found")
        return self.roles[role_id]

    def _shown(self, role_id: int) -> dict[str, Any]:
        role = self.roles[role_id]
        return {
            "id": role_id,
            "name": role.name,
            "workspace": role.workspace,
            "description": role.description,
            "permissions": [
                {
                    "id": row,
                    "role_id": role_id,
                    "resource_type": grant[0],
                    "resource_pattern": grant[1],
                    "permission": grant[2],
                }
                for row, grant in role.grants.items()
            ],
        }

    def _post_experiments_search(self, asked: dict[str, Any]) -> dict[str, Any]:
        # Two to a page, so that whoever forgets the others is found out.
        start = int(asked.get("page_token", 0))
        everything = [
            {
                "experiment_id": experiment.id,
                "name": experiment.name,
                "lifecycle_stage": "deleted" if experiment.deleted else "active",
            }
            for experiment in self.experiments.values()
            if asked["view_type"] == "ALL"
        ]
        page = everything[start : start + 2]
        more = {"next_page_token": str(start + 2)} if len(everything) > start + 2 else {}
        return {**({"experiments": page} if page else {}), **more}

    def _get_users_current(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"user": {}}

    def _get_users_list(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "users": [
                {
                    "id": number,
                    "username": name,
                    "is_admin": user.admin,
                    "roles": [self._shown(role) for role in user.roles],
                }
                for number, (name, user) in enumerate(self.users.items())
            ]
        }

    def _post_users_create(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["username"] in self.users:
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", "User already exists")
        self.users[asked["username"]] = User(asked["password"])
        return {"user": {}}

    def _patch_users_update_password(self, asked: dict[str, Any]) -> dict[str, Any]:
        user = self._user(asked["username"])
        if asked["username"] == ADMIN[0] and asked.get("current_password") != user.password:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", "Current password does not match.")
        user.password = asked["password"]
        return {}

    def _patch_users_update_admin(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._user(asked["username"]).admin = asked["is_admin"]
        return {}

    def _delete_users_delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._user(asked["username"])
        del self.users[asked["username"]]
        return {}

    def _get_roles_list(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"roles": [self._shown(key) for key, role in self.roles.items() if role.workspace == asked["workspace"]]}

    def _post_roles_create(self, asked: dict[str, Any]) -> dict[str, Any]:
        if any(role.name == asked["name"] for role in self.roles.values()):
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", "Role already exists")
        made = self._next()
        self.roles[made] = Role(asked["name"], asked["description"], workspace=asked["workspace"])
        return {"role": self._shown(made)}

    def _patch_roles_update(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._role(asked["role_id"]).description = asked["description"]
        return {}

    def _delete_roles_delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._role(asked["role_id"])
        del self.roles[asked["role_id"]]
        for user in self.users.values():
            user.roles = [role for role in user.roles if role != asked["role_id"]]
        return {}

    def _post_roles_permissions_add(self, asked: dict[str, Any]) -> dict[str, Any]:
        grant = (asked["resource_type"], asked["resource_pattern"], asked["permission"])
        grants = self._role(asked["role_id"]).grants
        if any(grant[:2] == other[:2] for other in grants.values()):
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", "Role permission already exists")
        grants[self._next()] = grant
        return {}

    def _patch_roles_permissions_update(self, asked: dict[str, Any]) -> dict[str, Any]:
        grants, row = self._row(asked)
        grants[row] = (*grants[row][:2], asked["permission"])
        return {}

    def _delete_roles_permissions_remove(self, asked: dict[str, Any]) -> dict[str, Any]:
        grants, row = self._row(asked)
        del grants[row]
        return {}

    def _row(self, asked: dict[str, Any]) -> tuple[dict[int, tuple[str, str, str]], int]:
        row = asked["role_permission_id"]
        for role in self.roles.values():
            if row in role.grants:
                return role.grants, row
        raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Role permission with id={row} not found")

    def _post_roles_assign(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._role(asked["role_id"])
        roles = self._user(asked["username"]).roles
        if asked["role_id"] in roles:
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", "User role assignment already exists")
        roles.append(asked["role_id"])
        return {}

    def _delete_roles_unassign(self, asked: dict[str, Any]) -> dict[str, Any]:
        roles = self._user(asked["username"]).roles
        if asked["role_id"] not in roles:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", "User role assignment not found")
        roles.remove(asked["role_id"])
        return {}
