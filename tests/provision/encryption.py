"""The key of objects that exist: `pytest tests/provision/encryption.py`, in an account that looks as `account.py` says.

The last of these leaves it so.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.deployment import Deployment, Play
from tests.provision.account import Account

KEY = "1/run/artifacts/model"
S3_OWN = {"SSEAlgorithm": "AES256"}


@pytest.fixture(scope="module")
def account(deployment: Deployment) -> Account:
    """Look into the account."""
    return Account(deployment)


@pytest.fixture(scope="module")
def kms(account: Account) -> dict[str, str]:
    """Let the bucket encrypt with a key of ours, as an earlier run would have, and hold an object."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": account.client("kms").create_key()["KeyMetadata"]["Arn"]}
    rule: Any = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    account.s3.put_bucket_encryption(Bucket=account.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    account.s3.put_object(Bucket=account.bucket, Key=KEY, Body=b"under the key")
    return default


def encryption(account: Account) -> dict[str, str]:
    """Return what the bucket encrypts with."""
    (rule,) = account.s3.get_bucket_encryption(Bucket=account.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    found: dict[str, str] = rule["ApplyServerSideEncryptionByDefault"]
    return found


def provision(deployment: Deployment) -> Play:
    """Play the bucket's part, without a key of ours."""
    return deployment.play("playbooks/provision.yml", "--tags", "artifact_store")


def test_a_key_is_not_taken_from_objects_that_hosts_have_to_read(
    deployment: Deployment, account: Account, kms: dict[str, str]
) -> None:
    play = provision(deployment)
    assert play.returncode != 0
    assert f'artifact_store_kms_key is "": {account.bucket} holds objects' in play.one_line, play.output
    assert f"Set artifact_store_kms_key to the ARN of {kms['KMSMasterKeyID']}" in play.one_line, play.output
    assert encryption(account) == kms


def test_an_empty_bucket_takes_any(deployment: Deployment, account: Account, kms: dict[str, str]) -> None:
    for entry in account.s3.list_object_versions(Bucket=account.bucket)["Versions"]:
        account.s3.delete_object(Bucket=account.bucket, Key=entry["Key"], VersionId=entry["VersionId"])
    assert encryption(account) == kms
    play = provision(deployment)
    assert play.returncode == 0, play.output
    assert play.changed == {"localhost": 1}, play.output
    assert encryption(account) == S3_OWN
