"""The judges of recorded calls, judged: what each must object to, and what it must let pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provision.iam import actions
from tests.provision.legality import problems
from tests.provision.recorded import Recorded
from tests.provision.settings import leaves


def call(name: str, **parameters: Any) -> Recorded:
    """Return a call as a role makes it."""
    service, _, operation = name.partition(":")
    return Recorded(service, operation, parameters, 200, "role", "task")


VPC = {"CidrBlock": "10.0.0.0/16"}
TAGS = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "a"}]}]
LIFECYCLE = {"Rules": [{"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 90}}]}
LEGAL = [
    call("ec2:CreateVpc", **VPC, TagSpecifications=TAGS),
    call("s3:PutBucketLifecycleConfiguration", Bucket="b", LifecycleConfiguration=LIFECYCLE),
    call("secretsmanager:CreateSecret", Name="a/b", SecretString="*" * 80),
    call("iam:CreateRole", RoleName="a", AssumeRolePolicyDocument="{}", Description="Café"),
    call("rds:DeleteDBInstance", DBInstanceIdentifier="a-b", SkipFinalSnapshot=True),
]
ILLEGAL = {
    "an unreadable call": (call("ec2:", unreadable="POST /"), "no operation"),
    "a required member left out": (call("iam:GetRole"), "RoleName is missing"),
    "an unknown member": (call("ec2:CreateVpc", **VPC, Colour="red"), "Colour is unknown"),
    "another type": (call("ec2:CreateVpc", CidrBlock=["10.0.0.0/16"]), "no string"),
    "text for a truth": (call("rds:DeleteDBInstance", DBInstanceIdentifier="a", SkipFinalSnapshot="yes"), "no boolean"),
    "none of an enum": (call("ec2:CreateVpc", **VPC, InstanceTenancy="shared"), "none of"),
    "a pattern missed": (call("iam:GetRole", RoleName="a b"), "AWS takes"),
    "a letter that IAM has not": (
        call("iam:UpdateRole", RoleName="a", Description="one \u2014 two"),
        "iam:UpdateRole.Description",
    ),
    "too long": (call("iam:GetRole", RoleName="a" * 65), "AWS takes 1 to 64"),
    "too large": (call("iam:UpdateRole", RoleName="a", MaxSessionDuration=99999), "AWS takes 3600 to 43200"),
    "deep inside": (
        call("ec2:CreateVpc", **VPC, TagSpecifications=[{"ResourceType": "vcp"}]),
        "ec2:CreateVpc.TagSpecifications[].ResourceType is 'vcp'",
    ),
    "a reserved tag": (
        call("ec2:CreateVpc", **VPC, TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "aws:x"}]}]),
        "AWS documents",
    ),
    "a documented range missed": (
        call("secretsmanager:DeleteSecret", SecretId="a", RecoveryWindowInDays=31),
        "RecoveryWindowInDays is '31'",
    ),
    "a documented name missed": (
        call("rds:DeleteDBInstance", DBInstanceIdentifier="a--b", SkipFinalSnapshot=True),
        "DBInstanceIdentifier is 'a--b'",
    ),
}


@pytest.mark.parametrize("legal", LEGAL, ids=lambda legal: legal.name)
def test_a_legal_request_passes(legal: Recorded) -> None:
    assert problems(legal) == []


@pytest.mark.parametrize(("illegal", "said"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_an_illegal_request_is_named(illegal: Recorded, said: str) -> None:
    (problem,) = problems(illegal)
    assert said in problem
    assert problem.endswith("(by role | task)") or not illegal.operation


ONE, VERSIONED = [{"Key": "a"}], [{"Key": "a", "VersionId": "1"}]
ACTIONS = [
    (call("ec2:DescribeVpcs"), {"ec2:DescribeVpcs"}),
    (call("ec2:CreateVpc", **VPC), {"ec2:CreateVpc"}),
    (call("ec2:CreateVpc", **VPC, TagSpecifications=TAGS), {"ec2:CreateVpc", "ec2:CreateTags"}),
    (call("s3:HeadBucket"), {"s3:ListBucket"}),
    (call("s3:GetBucketEncryption"), {"s3:GetEncryptionConfiguration"}),
    (call("s3:DeleteObjects", Delete={"Objects": ONE}), {"s3:DeleteObject"}),
    (call("s3:DeleteObjects", Delete={"Objects": VERSIONED}), {"s3:DeleteObject", "s3:DeleteObjectVersion"}),
    (call("resourcegroupstaggingapi:GetResources"), {"tag:GetResources"}),
    (call("rds:DeleteDBInstance", SkipFinalSnapshot=True), {"rds:DeleteDBInstance"}),
    (call("rds:DeleteDBInstance", FinalDBSnapshotIdentifier="a"), {"rds:DeleteDBInstance", "rds:CreateDBSnapshot"}),
]


@pytest.mark.parametrize(("made", "needed"), ACTIONS, ids=lambda value: getattr(value, "name", ""))
def test_a_call_needs_its_actions(made: Recorded, needed: set[str]) -> None:
    assert actions(made) == needed


def test_a_setting_is_known_by_its_own_name_however_deep_it_stands() -> None:
    sent = {
        "TagSpecifications": [{"Tags": [{"Key": "Name", "Value": "a"}]}],
        "EnableDnsSupport": {"Value": True},
        "Policy": '{"Condition": {"Bool": {"aws:SecureTransport": "false"}}}',
        "Groups": ["sg-1", "sg-2"],
    }
    assert set(leaves(sent)) == {
        ("tag Name", "a"),
        ("EnableDnsSupport", "True"),
        ("aws:SecureTransport", "false"),
        ("Groups", "sg-1"),
        ("Groups", "sg-2"),
    }
