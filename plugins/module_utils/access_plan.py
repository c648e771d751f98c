"""What must change so that users, roles and grants are as wanted: pure plans, from what is wanted and what is there.

A plan alone says whether anything changes, how it looks before and after, and what is done, in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import (
    DISABLED,
    EVERY,
    GRANTS,
    AccessApi,
    Experiment,
    Grant,
    Resource,
    Role,
    User,
    is_reserved,
    scorer_pattern,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

# As MLflow 3.17 has them: what can be named singly, and what only as a whole.
SINGLE = (
    *("experiment", "registered_model", "prompt", "scorer", "mcp_server"),
    *("gateway_secret", "gateway_endpoint", "gateway_model_definition"),
)
WHOLE = (
    *("run", "trace", "assessment", "logged_model", "review_queue", "registered_model_version", "prompt_version"),
    *("scorer_version", "mcp_server_version", "workspace"),
)
PERMISSIONS = ("READ", "USE", "EDIT", "MANAGE", "DENY")
GRANT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "resource_type": {"type": "str", "required": True, "choices": [*SINGLE, *WHOLE]},
    "resource": {"type": "str", "required": True},
    "experiment": {"type": "str"},
    "permission": {"type": "str", "choices": list(PERMISSIONS)},
}
SHORTEST_PASSWORD = 12
# MLflow keeps 255 characters of a role's name, and one role has the user's in it.
LONGEST_NAME = 255 - len(GRANTS)
LONGEST_DESCRIPTION = 1024


@dataclass(frozen=True)
class Step:
    """One change, in words and as the call that makes it."""

    says: str
    carry_out: Callable[[AccessApi], None] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Plan:
    """What there is, what there will be, and the way from one to the other."""

    before: dict[str, Any]
    after: dict[str, Any]
    steps: tuple[Step, ...] = ()
    # What a check can't know, since an earlier change that would make it so wasn't made either.
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.steps)

    @property
    def actions(self) -> list[str]:
        """What is to be done, in words."""
        return [step.says for step in self.steps]

    def carry_out(self, api: AccessApi) -> None:
        """Do it, in order; what was done before a failure stays, and the next plan goes on from there."""
        for step in self.steps:
            try:
                step.carry_out(api)
            except TrackingError as error:
                error.reason = f"Cannot {step.says}: {error.reason}"
                raise

    def result(self, name: str, *, diff: bool) -> dict[str, Any]:
        """Return what a module reports; what there will be under this name."""
        after = {key: value for key, value in self.after.items() if key != "password"}
        shown = {"diff": {"before": self.before, "after": self.after}} if diff else {}
        return {"changed": self.changed, name: after, "actions": self.actions, **shown}


class Catalogue:
    """The server's experiments by name and by id: people name them, MLflow's grants number them."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        """Take all that there are."""
        experiments = list(experiments)
        self._by_name = {experiment.name: experiment for experiment in experiments}
        self._by_id = {experiment.id: experiment for experiment in experiments}

    def id_of(self, name: str, *, deleted_too: bool = False) -> str:
        """Return the id of the experiment of that name."""
        found = self._by_name.get(name)
        if found is None or (found.deleted and not deleted_too):
            state = "is deleted" if found else "doesn't exist"
            raise TrackingError(
                f"The experiment {name!r} {state}, so nothing can be granted on it. Check its name, create or restore "
                "it first, or take it out of the permissions."
            )
        return found.id

    def resource(self, entry: Mapping[str, Any], *, deleted_too: bool = False) -> Resource:
        """Return what an entry of a list of permissions is about."""
        kind, name = entry["resource_type"], entry["resource"]
        if name != EVERY and kind == "experiment":
            return Resource(kind, self.id_of(name, deleted_too=deleted_too))
        if name != EVERY and kind == "scorer":
            return Resource(kind, scorer_pattern(self.id_of(entry["experiment"], deleted_too=deleted_too), name))
        return Resource(kind, name)

    def shown(self, grant: Grant) -> dict[str, Any]:
        """Return a grant as a person writes it; without names where the experiment is gone for good."""
        kind, pattern = grant.resource.type, grant.resource.pattern
        shown: dict[str, Any] = {"resource_type": kind, "resource": pattern, "resource_id": pattern}
        if kind == "experiment" and pattern != EVERY:
            shown["resource"] = self._name(pattern)
        if kind == "scorer" and pattern != EVERY:
            experiment, _slash, scorer = pattern.partition("/")
            shown["resource"] = unquote(scorer)
            shown["experiment"] = self._name(experiment)
        return {**shown, "permission": grant.permission}

    def _name(self, experiment_id: str) -> str | None:
        found = self._by_id.get(experiment_id)
        return found.name if found else None


def check_entries(entries: Sequence[Mapping[str, Any]], *, permission_needed: bool = True) -> None:
    """Raise for an entry that MLflow would refuse, or would take and ignore."""
    seen: dict[tuple[str, str, str], str | None] = {}
    for entry in entries:
        kind, name = entry["resource_type"], entry["resource"]
        where = f"The permission on {kind} {name!r}"
        if not name or name != name.strip():
            raise TrackingError(
                f"{where} has an empty name, or one with blanks around it. Give the name, or '*' for all."
            )
        if kind in WHOLE and name != EVERY:
            raise TrackingError(f"{where} names a single one, and MLflow grants this type only as a whole. Give '*'.")
        needs_one = kind == "scorer" and name != EVERY
        if needs_one is not bool(entry["experiment"]):
            raise TrackingError(
                f"{where} {'lacks' if needs_one else 'has'} an experiment. A single scorer needs it in 'experiment', "
                "nothing else has one."
            )
        if permission_needed and not entry["permission"]:
            raise TrackingError(f"{where} says no permission. Give one of {', '.join(PERMISSIONS)}.")
        if permission_needed and kind == "workspace" and entry["permission"] not in ("USE", "MANAGE"):
            raise TrackingError(
                f"{where} is {entry['permission']}, and MLflow knows USE and MANAGE there. Give one of these."
            )
        key = (kind, entry["experiment"] or "", name)
        if seen.setdefault(key, entry["permission"]) != entry["permission"]:
            raise TrackingError(f"{where} is there twice, as {seen[key]} and as {entry['permission']}. Leave one.")


def check_name(name: str, what: str) -> None:
    """Raise for a user's or role's name that can't be one."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise TrackingError(
            f"name is {name!r}: a {what}'s name has 1 to {LONGEST_NAME} printable characters and no blanks around them."
        )
    if what == "user" and ":" in name:
        raise TrackingError(f"name is {name!r}: basic authentication allows no colon in it.")
    if what == "role" and is_reserved(name):
        raise TrackingError(
            f"name is {name!r}: {DISABLED!r} and names that start with '__user_' or {GRANTS!r} are kept for what "
            "MLflow and these modules note about users. Choose another."
        )


def grants_of(
    entries: Iterable[Mapping[str, Any]], catalogue: Catalogue, *, revoking: bool = False
) -> tuple[Grant, ...]:
    """Return the grants that a list of permissions means. On an experiment that is gone there are none to revoke."""
    grants = set()
    for entry in entries:
        try:
            grants.add(Grant(catalogue.resource(entry, deleted_too=revoking), entry["permission"] or ""))
        except TrackingError:
            if not revoking:
                raise
    return tuple(sorted(grants))


# Roles


def check_role(name: str, description: str | None) -> None:
    """Raise for what MLflow would refuse."""
    check_name(name, "role")
    if len(description or "") > LONGEST_DESCRIPTION:
        raise TrackingError(
            f"description of {name} is longer than MLflow's {LONGEST_DESCRIPTION} characters. Shorten it."
        )


@dataclass(frozen=True)
class WantedRole:
    """A role as it shall be; None leaves a thing as it is."""

    name: str
    description: str | None = None
    grants: tuple[Grant, ...] | None = None
    present: bool = True


def plan_role(wanted: WantedRole, roles: Sequence[Role], catalogue: Catalogue) -> Plan:
    """Plan to make the role as wanted."""
    current = next((role for role in roles if role.name == wanted.name), None)
    before = _shown_role(current, catalogue)
    if not wanted.present:
        gone = (_deletion(current, f"delete the role {wanted.name}"),) if current else ()
        return Plan(before, _shown_role(None, catalogue), gone)
    description = wanted.description if wanted.description is not None else current.description if current else ""
    grants = wanted.grants if wanted.grants is not None else tuple(row.grant for row in current.rows) if current else ()
    after = {
        "name": wanted.name,
        "state": "present",
        "description": description,
        "permissions": [catalogue.shown(grant) for grant in sorted(grants)],
    }
    if current is None:
        create = Step(
            f"create the role {wanted.name}", lambda api: api.create_role(wanted.name, description, sorted(grants))
        )
        return Plan(before, after, (create,))
    steps: list[Step] = []
    role = current
    if description != role.description:
        steps.append(Step(f"describe the role {role.name}", lambda api: api.describe_role(role.id, description)))
    steps += _regrant(role, {grant.resource: grant for grant in grants}, f"the role {role.name}", catalogue)
    return Plan(before, after, tuple(steps))


def _shown_role(role: Role | None, catalogue: Catalogue) -> dict[str, Any]:
    if role is None:
        return {"state": "absent"}
    return {
        "name": role.name,
        "state": "present",
        "description": role.description,
        "permissions": [catalogue.shown(grant) for grant in sorted(row.grant for row in role.rows)],
    }


def _regrant(role: Role, wanted: Mapping[Resource, Grant], whose: str, catalogue: Catalogue) -> list[Step]:
    """Plan to let the role grant exactly this; what is taken away goes first."""
    steps = [
        _removal(row.id, row.grant, whose, catalogue)
        for resource, row in sorted(role.by_resource.items())
        if resource not in wanted
    ]
    for resource, grant in sorted(wanted.items()):
        row = role.by_resource.get(resource)
        if row is None:
            steps.append(_addition(role.id, grant, whose, catalogue))
        elif row.grant.permission != grant.permission:
            steps.append(_change(row.id, grant, whose, catalogue))
    return steps


def _removal(row_id: int, grant: Grant, whose: str, catalogue: Catalogue) -> Step:
    return Step(f"revoke from {whose}: {_words(grant, catalogue)}", lambda api: api.remove_grant(row_id))


def _addition(role_id: int, grant: Grant, whose: str, catalogue: Catalogue) -> Step:
    return Step(f"grant to {whose}: {_words(grant, catalogue)}", lambda api: api.add_grant(role_id, grant))


def _change(row_id: int, grant: Grant, whose: str, catalogue: Catalogue) -> Step:
    return Step(
        f"change for {whose}: {_words(grant, catalogue)}", lambda api: api.change_grant(row_id, grant.permission)
    )


def _words(grant: Grant, catalogue: Catalogue) -> str:
    shown = catalogue.shown(grant)
    name = shown["resource"] if shown["resource"] is not None else f"with the id {shown['resource_id']}"
    inside = f" of {shown['experiment']}" if shown.get("experiment") else ""
    return f"{grant.permission} on {shown['resource_type']} {name}{inside}"


# Grants to one user


def may_be_creators(grant: Grant) -> bool:
    """Tell whether MLflow may have given this because the user created the thing; it doesn't say which it gave."""
    return grant.permission == "MANAGE" and grant.resource.pattern != EVERY


def shown_grants(user: User | None, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return what was granted to this one user, and whether by us (declared) or otherwise (direct)."""
    if user is None:
        return []
    kept = (("declared", user.declared), ("direct", user.direct))
    return [
        {**catalogue.shown(grant), "source": source}
        for source, role in kept
        if role
        for grant in sorted(row.grant for row in role.rows)
    ]


def plan_grants(
    name: str,
    user: User | None,
    roles: Sequence[Role],
    grants: Iterable[Grant],
    catalogue: Catalogue,
    *,
    present: bool = True,
    exclusive: bool = False,
) -> Plan:
    """Plan what is granted to one user.

    What we grant stands in the user's own declared role, so all of it can be taken back, and a creator's MANAGE is
    never touched by it. What else was granted directly gives way where it is about the same thing, or isn't wanted.
    """
    listed = {grant.resource: grant for grant in grants}
    declared = user.declared if user else None
    held = {resource: row.grant for resource, row in declared.by_resource.items()} if declared else {}
    direct = user.direct.by_resource if user and user.direct else {}
    if present:
        wanted = dict(listed) if exclusive else {**held, **listed}
        revoked = [
            row
            for resource, row in sorted(direct.items())
            if (resource in listed or exclusive) and not may_be_creators(row.grant)
        ]
    else:
        wanted = {resource: grant for resource, grant in held.items() if resource not in listed}
        revoked = [row for resource, row in sorted(direct.items()) if resource in listed]

    whose = f"the user {name}"
    steps = [_removal(row.id, row.grant, whose, catalogue) for row in revoked]
    if declared and wanted:
        steps += _regrant(declared, wanted, whose, catalogue)
    elif declared:
        words = "; ".join(_words(grant, catalogue) for _resource, grant in sorted(held.items())) or "an empty role"
        steps.append(_deletion(declared, f"revoke from {whose}: {words}"))
    elif wanted:
        steps += _forget(name, roles)
        steps += [_all_at_once(name, sorted(wanted.values()), catalogue)]

    left = [row.grant for row in direct.values() if row not in revoked]
    after = [
        *({**catalogue.shown(grant), "source": "declared"} for grant in sorted(wanted.values())),
        *({**catalogue.shown(grant), "source": "direct"} for grant in sorted(left)),
    ]
    before = {"user": name, "permissions": shown_grants(user, catalogue)}
    missing = () if user else (f"There is no user {name} yet. A run fails here unless something before makes it.",)
    return Plan(before, {"user": name, "permissions": after}, tuple(steps), missing)


def _all_at_once(name: str, grants: Sequence[Grant], catalogue: Catalogue) -> Step:
    words = "; ".join(_words(grant, catalogue) for grant in grants)
    note = f"What was granted to {name}. Kept by mlops.mlflow.mlflow_permission."
    return Step(
        f"grant to the user {name}: {words}",
        lambda api: api.create_role(GRANTS + name, note, grants, assign_to=name),
    )


def _forget(name: str, roles: Sequence[Role]) -> list[Step]:
    """Plan to delete what was granted to a former user of that name: a new one inherits nothing."""
    says = f"forget what was granted to a former user {name}"
    return [_deletion(role, says) for role in roles if role.name == GRANTS + name]


def _deletion(role: Role, says: str) -> Step:
    return Step(says, lambda api: api.delete_role(role.id))


# Users


@dataclass(frozen=True)
class WantedUser:
    """A user as they shall be; None leaves a thing as it is."""

    name: str
    password: str | None = field(default=None, repr=False)
    admin: bool | None = None
    enabled: bool | None = None
    roles: tuple[str, ...] | None = None
    present: bool = True


def check_user(wanted: WantedUser, login: str) -> None:
    """Raise for what MLflow would refuse, and for what would lock out whoever asks for it."""
    check_name(wanted.name, "user")
    if wanted.password is not None and len(wanted.password) < SHORTEST_PASSWORD:
        raise TrackingError(
            f"user_password of {wanted.name} is too short: MLflow wants at least {SHORTEST_PASSWORD} characters."
        )
    for role in wanted.roles or ():
        if is_reserved(role):
            raise TrackingError(
                f"roles of {wanted.name} names {role!r}, which MLflow or these modules keep for themselves. To disable "
                "a user say 'enabled: false', to grant to a single user use mlflow_permission."
            )
    if wanted.name == login:
        if not wanted.present:
            raise TrackingError(
                f"{login} is the user that this module logs in as: log in as another admin to delete it."
            )
        if wanted.admin is False or wanted.enabled is False:
            what = "disable it" if wanted.enabled is False else "make it no admin"
            raise TrackingError(f"{login} is the user that this module logs in as: log in as another admin to {what}.")


def plan_user(
    wanted: WantedUser,
    user: User | None,
    roles: Sequence[Role],
    *,
    password_fits: bool | None,
    unknown_password: str,
    checking: bool = False,
) -> Plan:
    """Plan to make the user as wanted.

    `password_fits` says whether the wanted password is the user's, None that nobody asked. `unknown_password` is what a
    user gets who shall not log in.
    """
    before = shown_user(user)
    if not wanted.present:
        steps = [Step(f"delete the user {wanted.name}", lambda api: api.delete_user(wanted.name))] if user else []
        return Plan(before, shown_user(None), (*steps, *_forget(wanted.name, roles)))

    enabled = wanted.enabled if wanted.enabled is not None else user.enabled if user else True
    # Who is disabled is no admin, whatever is wanted for better days.
    admin = enabled and (wanted.admin if wanted.admin is not None else user.admin if user else False)
    held = user.plain_roles if user else []
    role_names = sorted(set(wanted.roles)) if wanted.roles is not None else held
    after: dict[str, Any] = {
        "name": wanted.name,
        "state": "present",
        "admin": admin,
        "enabled": enabled,
        "roles": role_names,
    }
    warnings = _unknown_roles(wanted.name, set(role_names) - set(held), roles, checking=checking)
    password = _password(wanted, user, enabled=enabled, fits=password_fits, unknown=unknown_password)
    if user is not None and password is not None:
        before, after = (
            {**before, "password": "another"},
            {**after, "password": "as wanted" if enabled else "unknown to all"},
        )

    entry: list[Step] = []
    if password is not None and user is None:
        entry = [
            *_forget(wanted.name, roles),
            Step(f"create the user {wanted.name}", lambda api: api.create_user(wanted.name, password)),
        ]
    elif password is not None:
        says = f"change the password of the user {wanted.name}" if enabled else f"lock the user {wanted.name} out"
        entry = [Step(says, lambda api: api.set_password(wanted.name, password))]
    rights: list[Step] = []
    if admin is not (user.admin if user else False):
        says = f"make the user {wanted.name} an admin" if admin else f"make the user {wanted.name} no admin any more"
        rights.append(Step(says, lambda api: api.set_admin(wanted.name, admin)))
    rights += _reassign(wanted.name, held, role_names, roles)
    # The mark of the disabled changes last, so that a run that dies before is made good by the next. The user's own
    # password comes late too: from then on the login is another.
    ordered = [*entry, *rights] if user is None or not enabled else [*rights, *entry]
    if enabled is not (user.enabled if user else True):
        ordered.append(_mark(wanted.name, roles, enabled=enabled))
    return Plan(before, after, tuple(ordered), warnings)


def shown_user(user: User | None) -> dict[str, Any]:
    """Return the user in plain values."""
    if user is None:
        return {"state": "absent"}
    return {
        "name": user.name,
        "state": "present",
        "admin": user.admin,
        "enabled": user.enabled,
        "roles": user.plain_roles,
    }


def _password(wanted: WantedUser, user: User | None, *, enabled: bool, fits: bool | None, unknown: str) -> str | None:
    """Return the password that the user must be given, None for none."""
    if not enabled:
        # Nobody can see whether a disabled user's password is still unknown, but a known one can be tried.
        return unknown if user is None or user.enabled or fits else None
    if user is None or not user.enabled:
        if wanted.password is None:
            what = "create" if user is None else "enable"
            raise TrackingError(f"user_password is missing: it is needed to {what} the user {wanted.name}. Give one.")
        return wanted.password
    return wanted.password if fits is False else None


def _unknown_roles(name: str, added: set[str], roles: Sequence[Role], *, checking: bool) -> tuple[str, ...]:
    missing = sorted(added - {role.name for role in roles})
    if not missing:
        return ()
    says = f"There is no role {', '.join(missing)} for the user {name}"
    if not checking:
        raise TrackingError(f"{says}. Create it with mlflow_role first, or correct the name.")
    return (f"{says} yet. A run fails here unless something before makes it.",)


def _reassign(name: str, held: Sequence[str], wanted: Sequence[str], roles: Sequence[Role]) -> list[Step]:
    """Plan which roles the user loses and gets. Only in a check there can be one that doesn't exist yet."""
    made = {role.name for role in roles}
    return [
        *(
            _unassignment(name, role, f"take the role {role.name} from the user {name}")
            for role in roles
            if role.name in held and role.name not in wanted
        ),
        *(
            _assignment(name, role, f"give the role {role.name} to the user {name}")
            for role in roles
            if role.name in wanted and role.name not in held
        ),
        *(
            Step(f"give the role {role} to the user {name}", lambda _api: None)
            for role in wanted
            if role not in held and role not in made
        ),
    ]


def _mark(name: str, roles: Sequence[Role], *, enabled: bool) -> Step:
    says = f"{'enable' if enabled else 'disable'} the user {name}"
    mark = next((role for role in roles if role.name == DISABLED), None)
    if mark is not None:
        return _unassignment(name, mark, says) if enabled else _assignment(name, mark, says)
    note = "Marks users who are disabled; grants nothing. Kept by mlops.mlflow.mlflow_user."
    return Step(says, lambda api: api.create_role(DISABLED, note, assign_to=name))


def _assignment(name: str, role: Role, says: str) -> Step:
    return Step(says, lambda api: api.assign(name, role.id))


def _unassignment(name: str, role: Role, says: str) -> Step:
    return Step(says, lambda api: api.unassign(name, role.id))


# The audit view


def overview(users: Sequence[User], roles: Sequence[Role], catalogue: Catalogue) -> dict[str, Any]:
    """Return who may do what."""
    return {
        "users": [
            {
                "name": user.name,
                "admin": user.admin,
                "enabled": user.enabled,
                "roles": user.plain_roles,
                "permissions": [
                    *({**grant, "role": None} for grant in shown_grants(user, catalogue)),
                    *(
                        {**catalogue.shown(grant), "source": "role", "role": role.name}
                        for role in user.roles
                        if not is_reserved(role.name)
                        for grant in sorted(row.grant for row in role.rows)
                    ),
                ],
            }
            for user in users
        ],
        "roles": [
            {
                "name": role.name,
                "description": role.description,
                "users": [user.name for user in users if role.name in user.plain_roles],
                "permissions": [catalogue.shown(grant) for grant in sorted(row.grant for row in role.rows)],
            }
            for role in roles
            if not is_reserved(role.name)
        ],
    }
