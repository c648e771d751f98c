"""account_info at its boundary: arguments in, JSON out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import account_info
from ansible_collections.mlops.mlflow.tests.unit.support.aws_models import read_models_once
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import COMMON, specified, undocumented
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from moto.core.responses import ActionResult
from moto.ec2.responses.settings import Settings
from moto.iam.models import AccountSummary

Read = Callable[..., dict[str, Any]]

ACCOUNT = "123456789012"
REGION = "eu-central-1"
KEY = {"access_key": "key", "secret_key": "hidden"}
OURS = {"region_name": REGION, "aws_access_key_id": "key", "aws_secret_access_key": "hidden"}


def answers_of_ec2(patch: pytest.MonkeyPatch, metadata: dict[str, Any], snapshots: dict[str, Any]) -> None:
    """Let moto answer two questions that it doesn't know."""
    patch.setattr(Settings, "get_instance_metadata_defaults", lambda _: ActionResult(metadata), raising=False)
    patch.setattr(Settings, "get_snapshot_block_public_access_state", lambda _: ActionResult(snapshots), raising=False)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def read(run_module: ModuleRun, patch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Run the module on an AWS that stands for all tests here."""
    patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    read_models_once(patch)
    answers_of_ec2(patch, {"AccountLevel": {}}, {"State": "unblocked"})
    with mock_aws():
        yield functools.partial(run_module, account_info)


@pytest.fixture(scope="module")
def fresh(read: Read) -> dict[str, Any]:
    """Read an account in which nobody has set anything."""
    return read({"region": REGION, **KEY})


@pytest.fixture(scope="module")
def denied(read: Read, fresh: dict[str, Any]) -> dict[str, Any]:
    """Read it as somebody who may do nothing."""
    assert fresh
    iam = boto3.client("iam", **OURS)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    theirs = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
    found: dict[str, Any] = set_initial_no_auth_action_count(0)(read)({"region": REGION, **theirs})
    return found


@pytest.fixture(scope="module")
def kept(read: Read, denied: dict[str, Any], patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Read it after somebody has put everything right."""
    assert denied
    s3control, ec2, iam, s3, guardduty = (
        boto3.client(name, **OURS) for name in ("s3control", "ec2", "iam", "s3", "guardduty")
    )
    s3control.put_public_access_block(
        AccountId=ACCOUNT,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    ec2.enable_ebs_encryption_by_default()
    iam.update_account_password_policy(MinimumPasswordLength=14)
    s3.create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": REGION})
    # In another region than the one that is asked.
    cloudtrail = boto3.client("cloudtrail", **{**OURS, "region_name": "eu-west-1"})
    trail = cloudtrail.create_trail(Name="all", S3BucketName="trail", IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name=trail["TrailARN"])
    guardduty.create_detector(Enable=True)
    # What moto has no call for.
    patch.setattr(AccountSummary, "summary_map", {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0})
    answers_of_ec2(patch, {"AccountLevel": {"HttpTokens": "required"}}, {"State": "block-all-sharing"})
    return read({"region": REGION, **KEY})


def results(found: dict[str, Any]) -> dict[str, Any]:
    """Return whether all is well, by the checks' names."""
    return {finding["check"]: finding["ok"] for finding in found["findings"]}


NAMES = [
    "s3_public",
    "ebs_encryption",
    "ebs_snapshots",
    "metadata",
    "root_user",
    "passwords",
    "cloudtrail",
    "guardduty",
]


def test_a_fresh_account_is_told_what_it_lacks(fresh: dict[str, Any]) -> None:
    assert fresh["changed"] is False
    assert fresh["account_id"] == ACCOUNT
    assert results(fresh) == dict.fromkeys(NAMES, False)
    assert list(results(fresh)) == NAMES


def test_a_well_kept_account_passes_every_check(kept: dict[str, Any]) -> None:
    assert results(kept) == dict.fromkeys(NAMES, True)


def test_what_the_caller_may_not_look_at_is_no_error(denied: dict[str, Any]) -> None:
    assert results(denied) == dict.fromkeys(NAMES)
    (root,) = [finding for finding in denied["findings"] if finding["check"] == "root_user"]
    assert root["detail"] == f"arn:aws:iam::{ACCOUNT}:user/nobody may not look (AccessDenied)"
    assert root["remedy"] == "allow iam:GetAccountSummary"


def test_check_mode_does_the_same(kept: dict[str, Any], read: Read) -> None:
    assert read({"region": REGION, **KEY}, check_mode=True) == kept


def test_documented_results_are_the_modules_own(fresh: dict[str, Any], denied: dict[str, Any]) -> None:
    documented = yaml.safe_load(account_info.RETURN)
    for found in (fresh, denied):
        assert undocumented(documented, {key: value for key, value in found.items() if key not in COMMON}) == []
    (check,) = documented["findings"]["contains"]["check"]["description"]
    assert re.findall(r"V\((\w+)\)", check) == NAMES


def test_documented_options_are_the_modules_own() -> None:
    assert specified(yaml.safe_load(account_info.DOCUMENTATION)["options"]) == account_info.ARGUMENTS == {}


def test_missing_credentials_are_told(run_module: ModuleRun, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    result = run_module(account_info, {"region": REGION})
    assert result["msg"].startswith("No AWS credentials were found")
