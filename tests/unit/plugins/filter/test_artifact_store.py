"""Drift of the bucket: every setting that matters is noticed, no other spelling of the same is; and its key."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.artifact_store import bucket_drift, key_left_behind

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "RefusePlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
WANTED: dict[str, Any] = {
    "encryption": "AES256",
    "rule_id": "mlflow-housekeeping",
    "noncurrent_days": 90,
    "multipart_days": 7,
    "policy": POLICY,
    "access_log": {},
    "tags": {"mlflow_env": "dev"},
}
CONVERGED: dict[str, Any] = {
    "versioning": "Enabled",
    "encryption": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}],
    "public_access_block": {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    },
    "object_ownership": "BucketOwnerEnforced",
    "policy": POLICY,
    "lifecycle": [
        {
            "ID": "mlflow-housekeeping",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ],
    "access_log": {},
    "tags": {"mlflow_env": "dev", "aws:cloudformation:stack-name": "x"},
    "empty": False,
}


def test_a_converged_bucket_has_no_drift() -> None:
    assert bucket_drift(CONVERGED, WANTED) == []


def test_awss_other_spellings_of_the_policy_are_no_drift() -> None:
    found = copy.deepcopy(CONVERGED)
    statement = found["policy"]["Statement"][0]
    statement["Principal"] = {"AWS": "*"}
    statement["Action"] = ["s3:*"]
    statement["Resource"].reverse()
    statement["Condition"] = {"Bool": {"aws:SecureTransport": [False]}}
    assert bucket_drift(found, WANTED) == []


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("versioning", "Suspended", "versioning: Suspended -> Enabled"),
        ("encryption", [], "encryption: none -> AES256"),
        ("public_access_block", {}, "public access block: not all on -> all on"),
        ("public_access_block", {"BlockPublicAcls": True}, "public access block: not all on -> all on"),
        (
            "public_access_block",
            {**CONVERGED["public_access_block"], "BlockPublicPolicy": False},
            "public access block: not all on -> all on",
        ),
        ("object_ownership", "", "object ownership: none -> BucketOwnerEnforced"),
        ("policy", {}, "policy: not the one that refuses plain HTTP -> refuses plain HTTP"),
        (
            "lifecycle",
            [],
            "lifecycle: no rule -> old versions end after 90 days, stale uploads after 7 days",
        ),
        ("tags", {}, "tag mlflow_env: none -> dev"),
        ("tags", {"mlflow_env": "dev", "by": "hand"}, "tag by: hand -> none"),
    ],
)
def test_each_setting_that_drifts_is_named(setting: str, value: object, said: str) -> None:
    assert bucket_drift({**CONVERGED, setting: value}, WANTED) == [said]


LOGGED = {"TargetBucket": "logs", "TargetPrefix": "b/"}


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (LOGGED, LOGGED, []),
        ({}, LOGGED, ["access log: none -> to logs, below b/"]),
        ({**LOGGED, "TargetPrefix": ""}, LOGGED, ["access log: to logs, below / -> to logs, below b/"]),
        # What somebody set up by hand is no drift where nothing is asked for.
        (LOGGED, {}, []),
    ],
)
def test_a_log_is_kept_where_it_shall_be_and_never_taken_away(
    found: dict[str, str], wanted: dict[str, str], said: list[str]
) -> None:
    assert bucket_drift({**CONVERGED, "access_log": found}, {**WANTED, "access_log": wanted}) == said


def test_a_disabled_rule_is_no_rule() -> None:
    rule = {**CONVERGED["lifecycle"][0], "Status": "Disabled"}
    (line,) = bucket_drift({**CONVERGED, "lifecycle": [rule]}, WANTED)
    assert line.startswith("lifecycle: no rule")


def test_another_kms_key_is_drift() -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:one"}}]
    assert bucket_drift({**CONVERGED, "encryption": rules}, {**WANTED, "encryption": "aws:kms arn:one"}) == []
    assert bucket_drift({**CONVERGED, "encryption": rules}, {**WANTED, "encryption": "aws:kms arn:two"}) == [
        "encryption: aws:kms arn:one -> aws:kms arn:two"
    ]


ONE, TWO = (f"arn:aws:kms:eu-central-1:123456789012:key/{number * 8}" for number in "12")


def encrypted(algorithm: str, key: str = "", *, empty: bool = False) -> dict[str, Any]:
    """Return the settings of a bucket that encrypts so."""
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    return {**CONVERGED, "encryption": [{"ApplyServerSideEncryptionByDefault": default}], "empty": empty}


@pytest.mark.parametrize("wanted", [TWO, ""])
def test_another_key_leaves_the_objects_under_the_old_one_behind(wanted: str) -> None:
    assert key_left_behind(encrypted("aws:kms", ONE), wanted) == ONE


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (encrypted("aws:kms", ONE), ONE),
        (encrypted("aws:kms", ONE.rpartition("/")[2]), ONE),
        (encrypted("aws:kms", ONE, empty=True), TWO),
        (encrypted("aws:kms", ONE, empty=True), ""),
        (encrypted("AES256"), ONE),
        ({**CONVERGED, "encryption": []}, ONE),
        (encrypted("aws:kms"), ""),
        (encrypted("aws:kms", "alias/aws/s3"), ONE),
    ],
)
def test_no_object_is_left_behind_that_hosts_could_not_read(settings: dict[str, Any], wanted: str) -> None:
    assert key_left_behind(settings, wanted) == ""
