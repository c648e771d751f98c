"""The end of a deployment: `pytest tests/provision/removal.py`, in an account that looks as `account.py` says."""

from __future__ import annotations

import json

import pytest

from tests.deploy.deployment import ROOT, Deployment, Play
from tests.provision.account import Account
from tests.provision.drift import SOMEBODY

ABSENT = str(ROOT / "molecule/provision/absent.yml")


@pytest.fixture(scope="module")
def account(deployment: Deployment) -> Account:
    """Put artifacts into the bucket, one of them with an older version and one deleted."""
    found = Account(deployment)
    # What drift.py left behind, since it was never the deployment's.
    found.iam.delete_instance_profile(InstanceProfileName=SOMEBODY)
    for content in (b"first", b"second"):
        found.s3.put_object(Bucket=found.bucket, Key="1/run/artifacts/model", Body=content)
    found.s3.put_object(Bucket=found.bucket, Key="1/run/artifacts/gone", Body=b"")
    found.s3.delete_object(Bucket=found.bucket, Key="1/run/artifacts/gone")
    return found


def remove(deployment: Deployment, **given_up: object) -> Play:
    """Play the removal, with what is said to be given up."""
    return deployment.play(ABSENT, "--extra-vars", json.dumps(given_up))


REFUSED: dict[str, dict[str, object]] = {
    "artifact_store_delete_objects_in": {"backend_store_deletion_protection": False},
    "backend_store_deletion_protection": {},
}


@pytest.mark.parametrize(("named", "given_up"), REFUSED.items(), ids=REFUSED.keys())
def test_data_that_nobody_gave_up_is_refused_with_nothing_touched(
    deployment: Deployment, account: Account, named: str, given_up: dict[str, object]
) -> None:
    before = deployment.resources()
    play = remove(deployment, **given_up)
    assert play.returncode != 0
    assert f"{named} is" in play.one_line, play.output
    assert deployment.resources() == before
    assert account.database["DeletionProtection"]


def test_what_was_given_up_goes_and_can_be_had_back_from_a_snapshot(deployment: Deployment, account: Account) -> None:
    instances = sorted(deployment.resources()["instances"])
    play = remove(deployment, backend_store_deletion_protection=False, artifact_store_delete_objects_in=account.bucket)
    assert play.returncode == 0, play.output
    assert {kind: names for kind, names in deployment.resources().items() if names} == {
        **{kind: names for kind, names in deployment.resources().items() if kind in ("vpcs", "subnets", "groups")},
        # EC2 goes on listing instances that it terminated.
        "instances": instances,
    }
    (snapshot,) = account.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert snapshot["DBInstanceIdentifier"] == account.name
    assert snapshot["Encrypted"]
    manager = account.client("secretsmanager")
    waiting = manager.list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert sorted(secret["Name"] for secret in waiting if secret["DeletedDate"]) == account.secrets


def test_a_second_removal_changes_nothing(deployment: Deployment) -> None:
    play = remove(deployment)
    assert play.returncode == 0, play.output
    assert play.changed == {"localhost": 0}, play.output
