"""Bad days at AWS: a run survives what passes, says what does not, and the next run completes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.deploy.deployment import ROOT, Deployment, Play, started
from tests.provision import account as checks
from tests.provision.account import Account
from tests.provision.nothing import test_nothing_is_there_but_the_accounts_own_network as nothing_is_there
from tests.provision.recorded import control

pytestmark = pytest.mark.deploy

INVENTORY = ROOT / "molecule/provision/inventory"
ABSENT = str(ROOT / "molecule/provision/absent.yml")
VALUES = {
    "10.44.9.": "10.41.2.",
    "10.46.0.0/16": "10.45.0.0/16",
    "mlflow_env: molecule": "mlflow_env: faults",
    "tracking_host_count: 2": "tracking_host_count: 1",
    "tracking_host_session_manager: true": "tracking_host_session_manager: false",
}

# What everybody in a busy account sees now and then: throttled, failed and slow calls, each service in its own words.
WEATHER: list[dict[str, Any]] = [
    {"call": "ec2:Describe*", "every": 4, "code": "RequestLimitExceeded", "status": 503},
    {"call": "ec2:*", "every": 5, "code": "InternalError", "status": 500},
    {"call": "rds:*", "every": 4, "code": "Throttling"},
    {"call": "iam:*", "every": 4, "code": "Throttling"},
    {"call": "s3:*", "every": 4, "code": "SlowDown", "status": 503},
    {"call": "secretsmanager:*", "every": 3, "code": "ThrottlingException"},
    {"call": "sts:*", "every": 2, "times": 2, "seconds": 3},
]
# What has been made and is not known everywhere yet.
PROPAGATION: list[dict[str, Any]] = [
    {
        "call": "ec2:RunInstances",
        "times": 2,
        "code": "InvalidParameterValue",
        "message": "Value (mlflow-faults-tracking-host) for parameter iamInstanceProfile.name is invalid. "
        "Invalid IAM Instance Profile name",
    },
    {
        "call": "iam:PutRolePolicy",
        "times": 1,
        "code": "NoSuchEntity",
        "message": "The role with name mlflow-faults-tracking-host cannot be found.",
        "status": 404,
    },
    {
        "call": "rds:DescribeDBInstances",
        "times": 2,
        "stale": {"<DBInstanceStatus>available<": "<DBInstanceStatus>creating<"},
    },
]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start an empty sandbox; remove it at the end, with whatever stands in it."""
    with started(INVENTORY, tmp_path_factory.mktemp("inventories") / "faults", VALUES) as made:
        yield made


@contextmanager
def faults(deployment: Deployment, *wanted: Mapping[str, Any]) -> Iterator[None]:
    """Let these go wrong, and make sure that each of them did."""
    control(deployment, "faults", "PUT", list(wanted))
    yield
    spared = [fault["call"] for fault in control(deployment, "faults") if fault["hits"] < max(1, fault["times"])]
    control(deployment, "faults", "DELETE")
    assert spared == []


def provision(deployment: Deployment, *arguments: str) -> Play:
    """Play the provisioning."""
    return deployment.play("playbooks/provision.yml", *arguments)


def assert_ends_with(play: Play, operation: str, reason: str) -> None:
    """Fail unless a play failed in a task whose message names the operation and AWS's reason."""
    assert play.returncode != 0, play.output
    (said,) = re.findall(r"^\[ERROR\]: (.*?)^Origin: ", play.output, re.MULTILINE | re.DOTALL)
    assert operation in said, play.output
    assert reason in said, play.output


def test_what_is_denied_is_named(deployment: Deployment) -> None:
    denied = {"call": "s3:PutBucketPolicy", "code": "AccessDenied", "message": "not for you", "status": 403}
    with faults(deployment, denied):
        play = provision(deployment, "--tags", "artifact_store")
    assert_ends_with(play, "PutBucketPolicy", "not for you")


def test_what_aws_has_not_got_is_named(deployment: Deployment) -> None:
    """The network and the bucket are made in bad weather; for the database there is no room."""
    full = {"call": "rds:CreateDBInstance", "code": "InsufficientDBInstanceCapacity", "message": "no room in the zone"}
    with faults(deployment, full, *WEATHER[:-4], *WEATHER[-3:]):
        play = provision(deployment)
    assert_ends_with(play, "CreateDBInstance", "no room in the zone")
    manager = deployment.client("secretsmanager")
    for secret in manager.list_secrets()["SecretList"]:
        content = json.loads(manager.get_secret_value(SecretId=secret["Name"])["SecretString"])
        assert content.get("password", content.get("key")) not in play.output, (
            "a refusal shows the password that the request carried"
        )


def test_the_next_run_completes_in_bad_weather(deployment: Deployment) -> None:
    with faults(deployment, *PROPAGATION, *WEATHER):
        play = provision(deployment)
    assert play.returncode == 0, play.output
    found = Account(deployment)
    for name, check in vars(checks).items():
        if name.startswith("test_"):
            check(found)


def test_a_removal_waits_for_what_lets_go_late(deployment: Deployment) -> None:
    held = {
        "call": "ec2:DeleteSecurityGroup",
        "times": 2,
        "code": "DependencyViolation",
        "message": "resource sg-0 has a dependent object",
    }
    given_up = {"backend_store_deletion_protection": False, "backend_store_skip_final_snapshot": True}
    with faults(deployment, held, *WEATHER[:1]):
        play = deployment.play(ABSENT, "--extra-vars", json.dumps(given_up))
    assert play.returncode == 0, play.output
    nothing_is_there(deployment)
