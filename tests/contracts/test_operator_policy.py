"""The operator's policy is written from what roles and playbooks list, all of it and nothing beside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.account import CHECKS

from tests.contracts.variables import ROLES, ROOT, load

EXAMPLE = ("mlflow", "dev", "eu-west-1", "123456789012")
PARTS = sorted(path.name for path in (ROOT / "docs/operator-policy").iterdir())
# These act on nothing that has an ARN or on others' things too, which IAM can tell by the region alone.
UNSCOPED = {"DeliverLogs", "Look", "LookAtTheAccount", "MakeBesideOthers", "LookAtDatabases"}
LOOKS = {"Look", "LookAtTheAccount"}
PLAYBOOKS = ROOT / "playbooks"


def statements() -> list[dict[str, Any]]:
    """Return the statements of all the policies."""
    documents = (json.loads((ROOT / "docs/operator-policy" / part).read_text()) for part in PARTS)
    return list(chain.from_iterable(document["Statement"] for document in documents))


def actions(statement: dict[str, Any]) -> list[str]:
    """Return a statement's actions, one or several."""
    found = statement["Action"]
    return found if isinstance(found, list) else [found]


def listed() -> set[str]:
    """Return the actions of all lists."""
    paths = [folder / "meta/iam_actions.yml" for folder in (*ROLES, PLAYBOOKS)]
    lists = [load(path) for path in paths if path.exists()]
    return set(chain.from_iterable([*each["actions"], *each.get("implied", {})] for each in lists))


def test_it_is_current(tmp_path: Path) -> None:
    """Else: scripts/operator-policy mlflow dev eu-west-1 123456789012 docs/operator-policy."""
    subprocess.run([sys.executable, ROOT / "scripts/operator-policy", *EXAMPLE, tmp_path], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        part: (ROOT / "docs/operator-policy" / part).read_text() for part in PARTS
    }


def test_the_playbooks_list_what_the_accounts_checks_and_a_rotation_take() -> None:
    on_list = load(PLAYBOOKS / "meta/iam_actions.yml")["actions"]
    rotation = "secretsmanager:UpdateSecret"  # the roles only make secrets
    checks = {"sts:GetCallerIdentity", *chain.from_iterable(check.actions for check in CHECKS)}
    assert on_list == sorted({rotation, *checks})


def test_it_holds_every_action_that_is_listed_and_no_other() -> None:
    assert set(chain.from_iterable(map(actions, statements()))) == listed()


def test_no_action_is_a_pattern_and_no_statement_is_empty() -> None:
    assert all(actions(statement) for statement in statements())
    assert not [action for statement in statements() for action in actions(statement) if "*" in action]


@pytest.mark.parametrize("part", PARTS)
def test_iam_takes_it(part: str) -> None:
    assert len("".join((ROOT / "docs/operator-policy" / part).read_text().split())) <= 6144


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_what_changes_something_is_held_to_the_deployments_own(statement: dict[str, Any]) -> None:
    """By its name or its tags, by the account, or by the service that it is lent to."""
    scope = json.dumps([statement["Resource"], statement.get("Condition")])
    own = ("mlflow-dev", "mlflow/dev", '"mlflow_project"', "Tag/mlflow_project", "123456789012", "CreateAction")
    assert any(word in scope for word in own) is (statement["Sid"] not in UNSCOPED)
    if statement["Sid"] in UNSCOPED - LOOKS:
        assert "aws:RequestedRegion" in scope


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_what_is_held_to_nothing_only_looks(statement: dict[str, Any]) -> None:
    if statement["Resource"] == "*" and "Condition" not in statement:
        verbs = [action.partition(":")[2] for action in actions(statement)]
        assert [verb for verb in verbs if not verb.startswith(("Describe", "Get", "List"))] == []


def test_the_documented_policy_of_a_key_allows_what_the_roles_need_and_no_more() -> None:
    (section,) = re.findall(r"^## A key of yours$(.*?)^## ", (ROOT / "docs/operator.md").read_text(), re.S | re.M)
    (text,) = re.findall(r"```json\n(.*?)```", section, re.S)
    key = {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}
    operator = {statement["Sid"]: statement for statement in statements()}
    (host,) = load(ROOT / "roles/tracking_host/vars/main.yml")["__tracking_host_kms_statements"]
    assert key.keys() == {"KeepTheKey", "KeepArtifacts", "EncryptTheDatabase"}

    assert actions(key["KeepArtifacts"]) == actions(host)
    (service,) = host["Condition"]["StringEquals"].values()
    assert key["KeepArtifacts"]["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": operator["LendTheHostsRole"]["Resource"]},
        "StringEquals": {"kms:ViaService": service.replace("{{ mlflow_aws.region }}", EXAMPLE[2])},
    }

    assert actions(key["EncryptTheDatabase"]) == actions(operator["EncryptTheDatabase"])
    assert (
        key["EncryptTheDatabase"]["Condition"]["StringEquals"]
        == operator["EncryptTheDatabase"]["Condition"]["StringEquals"]
    )
    # Whoever keeps the key can neither read with it nor lend it out.
    kept = actions(key["KeepTheKey"])
    used = [*actions(key["KeepArtifacts"]), *actions(key["EncryptTheDatabase"])]
    assert not [action for action in used for pattern in kept if fnmatchcase(action, pattern)]
    assert [action for action in actions(operator["LookAtKeys"]) if any(fnmatchcase(action, p) for p in kept)]
