"""bucket_access_log at its boundary: arguments in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import bucket_access_log
from ansible_collections.mlops.mlflow.tests.unit.support.aws_models import read_models_once
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import (
    COMMON,
    documentable,
    specified,
    undocumented,
)
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun
from moto import mock_aws

REGION = "eu-central-1"
ARGUMENTS: dict[str, object] = {
    "bucket": "artifacts",
    "account_id": "123456789012",
    "target_bucket": "log-bucket",
    "target_prefix": "artifacts/",
    "region": REGION,
    "access_key": "key",
    "secret_key": "hidden",
}
# What https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html asks of the target.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::log-bucket/*",
        }
    ],
}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def s3() -> Iterator[Any]:
    """Have a bucket of artifacts and one for logs, as S3 makes them: without access control lists."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        read_models_once(patch)
        s3 = boto3.client("s3", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="hidden")
        for name in ("artifacts", "log-bucket"):
            s3.create_bucket(
                Bucket=name,
                CreateBucketConfiguration={"LocationConstraint": REGION},
                ObjectOwnership="BucketOwnerEnforced",
            )
        s3.put_bucket_policy(Bucket="log-bucket", Policy=json.dumps(POLICY))
        yield s3


@pytest.fixture
def change(run_module: ModuleRun, s3: Any) -> Run:
    """Run the module."""
    assert s3

    def run(*, check_mode: bool = False, **arguments: object) -> dict[str, Any]:
        return run_module(bucket_access_log, {**ARGUMENTS, **arguments}, check_mode=check_mode)

    return run


def logging(s3: Any) -> Any:
    """Return what S3 says of the artifacts' log."""
    return s3.get_bucket_logging(Bucket="artifacts").get("LoggingEnabled")


def of_the_target(s3: Any) -> tuple[Any, Any]:
    """Return who may write into the bucket for logs."""
    return s3.get_bucket_acl(Bucket="log-bucket")["Grants"], s3.get_bucket_policy(Bucket="log-bucket")["Policy"]


def test_it_is_turned_on_once_and_nothing_of_the_target_changes(change: Run, s3: Any) -> None:
    before = of_the_target(s3)
    checked = change(check_mode=True)
    assert (checked["changed"], logging(s3)) == (True, None)
    made = change()
    assert (made["changed"], made["diff"], made["access_log"]) == (True, checked["diff"], checked["access_log"])
    assert logging(s3) == {"TargetBucket": "log-bucket", "TargetPrefix": "artifacts/"}
    assert change()["changed"] is False
    assert of_the_target(s3) == before
    documented = yaml.safe_load(bucket_access_log.RETURN)
    assert undocumented(documented, {key: made[key] for key in made.keys() - COMMON - {"diff"}}) == []


def test_it_is_pointed_elsewhere(change: Run, s3: Any) -> None:
    change()
    moved = change(target_prefix="elsewhere/")
    assert moved["diff"] == {
        "before": {"target_bucket": "log-bucket", "target_prefix": "artifacts/"},
        "after": {"target_bucket": "log-bucket", "target_prefix": "elsewhere/"},
    }
    assert logging(s3) == {"TargetBucket": "log-bucket", "TargetPrefix": "elsewhere/"}


def test_a_target_that_is_not_there_is_named(change: Run, s3: Any) -> None:
    assert change(target_bucket="nowhere")["msg"].startswith("Having the access logs of artifacts in nowhere failed")
    assert logging(s3) is None


def test_documented_options_are_the_modules_own() -> None:
    documented = yaml.safe_load(bucket_access_log.DOCUMENTATION)["options"]
    assert specified(documented) == documentable(bucket_access_log.ARGUMENTS)
