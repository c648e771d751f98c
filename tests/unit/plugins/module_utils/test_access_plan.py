"""Plans for users, roles and grants: what is done, in which order, and what is never done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import (
    Experiment,
    Grant,
    GrantRow,
    Resource,
    Role,
    User,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.access_plan import (
    Catalogue,
    Plan,
    WantedRole,
    WantedUser,
    check_entries,
    check_name,
    check_user,
    grants_of,
    overview,
    plan_grants,
    plan_role,
    plan_user,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

CHURN, GONE = Experiment("1", "churn"), Experiment("2", "gone", deleted=True)
CATALOGUE = Catalogue([CHURN, GONE])
PASSWORD = "a-passphrase-of-a-user"


def grant(permission: str, pattern: str = "1", kind: str = "experiment") -> Grant:
    return Grant(Resource(kind, pattern), permission)


def role(name: str, *grants: Grant) -> Role:
    number = sum(map(ord, name))
    return Role(number, name, "", tuple(GrantRow(number * 100 + row, each) for row, each in enumerate(grants)))


def entry(kind: str = "experiment", resource: str = "churn", permission: str | None = "READ", **more: Any) -> Any:
    return {"resource_type": kind, "resource": resource, "permission": permission, "experiment": None, **more}


TEAM, READERS, MARK = role("team"), role("readers", grant("READ")), role("disabled")


# What is about what


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        (entry(), Resource("experiment", "1")),
        (entry(resource="*"), Resource("experiment", "*")),
        (entry("registered_model", "churn"), Resource("registered_model", "churn")),
        (entry("scorer", "a/b", experiment="churn"), Resource("scorer", "1/a%2Fb")),
        (entry("scorer", "*"), Resource("scorer", "*")),
    ],
)
def test_an_entry_names_what_mlflow_numbers(given: Any, resource: Resource) -> None:
    check_entries([given])
    assert CATALOGUE.resource(given) == resource
    shown = CATALOGUE.shown(Grant(resource, "READ"))
    assert shown.pop("resource_id") == resource.pattern
    assert {"experiment": None, **shown} == given


@pytest.mark.parametrize(("name", "words"), [("curn", "doesn't exist"), ("gone", "is deleted")])
def test_nothing_is_granted_on_an_experiment_that_isnt_there(name: str, words: str) -> None:
    with pytest.raises(TrackingError, match=f"The experiment '{name}' {words}"):
        grants_of([entry(resource=name)], CATALOGUE)


def test_on_an_experiment_that_isnt_there_is_nothing_to_revoke() -> None:
    revoked = grants_of([entry(resource="curn", permission=None), entry(resource="gone")], CATALOGUE, revoking=True)
    assert revoked == (grant("READ", "2"),)


def test_an_experiment_that_was_purged_has_no_name() -> None:
    assert CATALOGUE.shown(grant("READ", "9"))["resource"] is None
    assert CATALOGUE.shown(grant("READ", "9/x", "scorer"))["experiment"] is None


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry(resource="")], "has an empty name"),
        ([entry(resource=" churn")], "blanks around it"),
        ([entry("run", "abc")], "grants this type only as a whole. Give"),
        ([entry("workspace", "*", "READ")], "knows USE and MANAGE"),
        ([entry("scorer", "quality")], "lacks an experiment"),
        ([entry("scorer", "*", experiment="churn")], "has an experiment"),
        ([entry(experiment="churn")], "has an experiment"),
        ([entry(permission=None)], "says no permission"),
        ([entry(), entry(permission="EDIT")], "is there twice, as READ and as EDIT"),
    ],
)
def test_an_entry_that_mlflow_would_refuse_or_ignore_is_refused(entries: Any, words: str) -> None:
    with pytest.raises(TrackingError, match=words):
        check_entries(entries)


def test_what_is_revoked_needs_no_permission() -> None:
    check_entries([entry(permission=None), entry("workspace", "*", "READ")], permission_needed=False)


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 249])
@pytest.mark.parametrize("what", ["user", "role"])
def test_a_name_that_is_none_is_refused(name: str, what: str) -> None:
    with pytest.raises(TrackingError, match=f"a {what}'s name has 1 to 248 printable characters"):
        check_name(name, what)


def test_names_with_a_meaning_are_refused() -> None:
    check_name("a:b", "role")
    check_name("disabled", "user")
    with pytest.raises(TrackingError, match="no colon"):
        check_name("a:b", "user")
    for name in ("disabled", "__user_9__", "grants:alice"):
        with pytest.raises(TrackingError, match="are kept for what MLflow and these modules note"):
            check_name(name, "role")


# Roles


def test_a_role_is_planned_as_a_whole() -> None:
    current = role("team", grant("READ"), grant("EDIT", "*", "prompt"))
    wanted = WantedRole("team", "A team", (grant("MANAGE"), grant("READ", "*", "registered_model")))
    plan = plan_role(wanted, [READERS, current], CATALOGUE)
    assert plan.actions == [
        "describe the role team",
        "revoke from the role team: EDIT on prompt *",
        "change for the role team: MANAGE on experiment churn",
        "grant to the role team: READ on registered_model *",
    ]
    assert [each["permission"] for each in plan.after["permissions"]] == ["MANAGE", "READ"]


@pytest.mark.parametrize("wanted", [WantedRole("readers"), WantedRole("readers", "", (grant("READ"),))])
def test_a_role_that_is_as_wanted_is_left_alone(wanted: WantedRole) -> None:
    plan = plan_role(wanted, [READERS], CATALOGUE)
    assert (plan.changed, plan.before) == (False, plan.after)


def test_a_role_goes_once() -> None:
    assert plan_role(WantedRole("readers", present=False), [READERS], CATALOGUE).actions == ["delete the role readers"]
    assert not plan_role(WantedRole("readers", present=False), [TEAM], CATALOGUE).changed


# Users


def planned(wanted: WantedUser, user: User | None, *, fits: bool | None = None, **more: Any) -> Plan:
    roles = more.pop("roles", [TEAM, READERS, MARK])
    return plan_user(wanted, user, roles, password_fits=fits, unknown_password="nobody-knows-this", **more)


def test_a_new_user() -> None:
    plan = planned(WantedUser("alice", PASSWORD, admin=True, roles=("team",)), None)
    assert plan.actions == [
        "create the user alice",
        "make the user alice an admin",
        "give the role team to the user alice",
    ]
    assert plan.before == {"state": "absent"}
    assert PASSWORD not in str(plan) + str(plan.result("user", diff=True))


@pytest.mark.parametrize("user", [None, User("alice", roles=(MARK,))])
def test_who_shall_log_in_needs_a_password(user: User | None) -> None:
    with pytest.raises(TrackingError, match=r"user_password is missing: it is needed to (create|enable) the user"):
        planned(WantedUser("alice", enabled=True), user)


def test_a_new_user_who_is_disabled_needs_none() -> None:
    assert planned(WantedUser("alice", enabled=False), None, roles=[]).actions == [
        "create the user alice",
        "disable the user alice",
    ]


@pytest.mark.parametrize(
    ("user", "fits", "actions"),
    [
        (User("alice"), False, ["change the password of the user alice"]),
        (User("alice"), True, []),
        (User("alice"), None, []),
        # Disabled is disabled, unless the known password works.
        (User("alice", roles=(MARK,)), False, []),
        (User("alice", roles=(MARK,)), True, ["lock the user alice out"]),
    ],
)
def test_a_password_is_set_when_it_is_another(user: User, fits: bool | None, actions: list[str]) -> None:
    plan = planned(WantedUser("alice", PASSWORD), user, fits=fits)
    assert plan.actions == actions
    assert (plan.before == plan.after) is not plan.changed


def test_disabling_locks_out_first_and_marks_last() -> None:
    user = User("alice", admin=True, roles=(TEAM, READERS))
    plan = planned(WantedUser("alice", enabled=False, roles=("readers",)), user)
    assert plan.actions == [
        "lock the user alice out",
        "make the user alice no admin any more",
        "take the role team from the user alice",
        "disable the user alice",
    ]
    assert not planned(WantedUser("alice", enabled=False, admin=True), User("alice", roles=(MARK,))).changed


def test_enabling_gives_a_password_and_takes_the_mark_last() -> None:
    plan = planned(WantedUser("alice", PASSWORD, admin=True, enabled=True), User("alice", roles=(MARK,)), fits=True)
    assert plan.actions == [
        "make the user alice an admin",
        "change the password of the user alice",
        "enable the user alice",
    ]


def test_roles_that_somebody_else_keeps_are_not_touched() -> None:
    kept = (role("__user_4__", grant("MANAGE")), role("grants:alice", grant("READ")))
    assert not planned(WantedUser("alice", roles=()), User("alice", roles=kept)).changed


def test_a_role_that_is_missing_is_an_error_but_in_a_check() -> None:
    wanted = WantedUser("alice", roles=("nobody",))
    with pytest.raises(TrackingError, match="There is no role nobody for the user alice"):
        planned(wanted, User("alice"))
    plan = planned(wanted, User("alice"), checking=True)
    assert plan.actions == ["give the role nobody to the user alice"]
    assert len(plan.warnings) == 1


def test_a_user_goes_with_what_was_granted() -> None:
    left = role("grants:alice", grant("READ"))
    gone = WantedUser("alice", present=False)
    assert planned(gone, User("alice", roles=(left,)), roles=[left]).actions == [
        "delete the user alice",
        "forget what was granted to a former user alice",
    ]
    assert planned(gone, None, roles=[left]).actions == ["forget what was granted to a former user alice"]
    assert not planned(gone, None).changed


def test_a_new_user_inherits_nothing_of_a_former_one() -> None:
    plan = planned(WantedUser("alice", PASSWORD), None, roles=[role("grants:alice", grant("READ"))])
    assert plan.actions[0] == "forget what was granted to a former user alice"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (WantedUser("alice", "x" * 11), "is too short: MLflow wants at least 12"),
        (WantedUser("alice", roles=("disabled",)), "say 'enabled: false'"),
        (WantedUser("alice", roles=("grants:alice",)), "use mlflow_permission"),
        (WantedUser("admin", present=False), "admin is the user that this module logs in as: .* to delete it"),
        (WantedUser("admin", admin=False), "to make it no admin"),
        (WantedUser("admin", enabled=False), "to disable it"),
    ],
)
def test_what_must_not_be_is_refused(wanted: WantedUser, words: str) -> None:
    with pytest.raises(TrackingError, match=words):
        check_user(wanted, "admin")


# Grants


def granted(*grants: Grant, declared: tuple[Grant, ...] = (), direct: tuple[Grant, ...] = (), **more: Any) -> Plan:
    roles = tuple(
        role(name, *held) for name, held in (("grants:alice", declared), ("__user_4__", direct), ("team", ())) if held
    )
    return plan_grants("alice", User("alice", roles=roles), roles, grants, CATALOGUE, **more)


def test_the_first_grant_makes_the_users_own_role() -> None:
    plan = granted(grant("READ"), grant("EDIT", "*", "prompt"))
    assert plan.actions == ["grant to the user alice: READ on experiment churn; EDIT on prompt *"]


def test_more_is_added_and_the_rest_stays() -> None:
    plan = granted(grant("EDIT"), declared=(grant("READ"), grant("READ", "*", "prompt")))
    assert plan.actions == ["change for the user alice: EDIT on experiment churn"]
    assert [each["permission"] for each in plan.after["permissions"]] == ["EDIT", "READ"]


def test_exclusive_takes_the_rest_away_a_declared_manage_too() -> None:
    held = (grant("MANAGE"), grant("READ", "*", "prompt"))
    plan = granted(held[1], declared=held, direct=(grant("USE", "x", "prompt"),), exclusive=True)
    assert plan.actions == [
        "revoke from the user alice: USE on prompt x",
        "revoke from the user alice: MANAGE on experiment churn",
    ]


def test_nobody_loses_what_may_be_their_own() -> None:
    own = (grant("MANAGE"), grant("MANAGE", "churn", "registered_model"))
    plan = granted(direct=own, exclusive=True)
    assert not plan.changed
    # Neither is it made less: a declared READ stands beside it.
    assert granted(grant("READ"), direct=own).actions == ["grant to the user alice: READ on experiment churn"]


def test_managing_all_is_nobodys_own() -> None:
    plan = granted(direct=(grant("MANAGE", "*"),), exclusive=True)
    assert plan.actions == ["revoke from the user alice: MANAGE on experiment *"]


def test_what_was_granted_by_hand_gives_way_to_what_is_declared() -> None:
    plan = granted(grant("READ"), direct=(grant("EDIT"), grant("EDIT", "x", "prompt")))
    assert plan.actions == [
        "revoke from the user alice: EDIT on experiment churn",
        "grant to the user alice: READ on experiment churn",
    ]
    assert [(each["source"], each["resource"]) for each in plan.after["permissions"]] == [
        ("declared", "churn"),
        ("direct", "x"),
    ]


def test_revoking_takes_what_is_named_wherever_it_comes_from() -> None:
    plan = granted(
        grant(""), declared=(grant("READ"), grant("READ", "*", "prompt")), direct=(grant("MANAGE"),), present=False
    )
    assert plan.actions == [
        "revoke from the user alice: MANAGE on experiment churn",
        "revoke from the user alice: READ on experiment churn",
    ]
    assert not granted(grant("READ"), present=False).changed


def test_the_last_grant_takes_the_role_with_it() -> None:
    plan = granted(declared=(grant("READ"),), exclusive=True)
    assert plan.actions == ["revoke from the user alice: READ on experiment churn"]
    assert plan.after["permissions"] == []


def test_a_role_that_a_former_user_left_grants_nothing() -> None:
    left = role("grants:alice", grant("MANAGE", "*"))
    plan = plan_grants("alice", User("alice"), [left], [grant("READ")], CATALOGUE)
    assert plan.actions == [
        "forget what was granted to a former user alice",
        "grant to the user alice: READ on experiment churn",
    ]
    assert plan.before["permissions"] == []


# The audit view


def test_the_overview_says_where_each_permission_comes_from() -> None:
    alice = User(
        "alice", roles=(READERS, role("grants:alice", grant("EDIT")), role("__user_4__", grant("MANAGE")), MARK)
    )
    found = overview([alice], [READERS, MARK, *alice.roles[1:3]], CATALOGUE)
    assert found["users"][0]["enabled"] is False
    assert [(each["source"], each["role"], each["permission"]) for each in found["users"][0]["permissions"]] == [
        ("declared", None, "EDIT"),
        ("direct", None, "MANAGE"),
        ("role", "readers", "READ"),
    ]
    assert [(each["name"], each["users"]) for each in found["roles"]] == [("readers", ["alice"])]
