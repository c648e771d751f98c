"""Which IAM actions AWS asks for when it is called: one table, read from AWS's Service Authorization Reference."""

from __future__ import annotations

from collections.abc import Callable

from tests.provision.recorded import Recorded

PREFIXES = {"resourcegroupstaggingapi": "tag"}

# Most actions have their operation's name. These have not.
RENAMED = {
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBucketInventoryConfigurations": "s3:GetInventoryConfiguration",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


def deletes_versions(call: Recorded) -> bool:
    """Say whether objects are deleted by version."""
    return any("VersionId" in entry for entry in call.parameters["Delete"]["Objects"])


def has(parameter: str) -> Callable[[Recorded], bool]:
    """Return whether a call carries a parameter."""
    return lambda call: bool(call.parameters.get(parameter))


# What AWS asks for beside: operations, the action, when.
BESIDE: tuple[tuple[tuple[str, ...], str, Callable[[Recorded], bool]], ...] = (
    (
        (
            "ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
            "ec2:ImportKeyPair", "ec2:RunInstances",
        ),
        "ec2:CreateTags",
        has("TagSpecifications"),
    ),
    (("ec2:RunInstances", "ec2:AssociateIamInstanceProfile"), "iam:PassRole", has("IamInstanceProfile")),
    (("ec2:ReplaceIamInstanceProfileAssociation",), "iam:PassRole", has("IamInstanceProfile")),
    (("iam:AddRoleToInstanceProfile",), "iam:PassRole", has("RoleName")),
    (("iam:CreateRole",), "iam:TagRole", has("Tags")),
    (("iam:CreateInstanceProfile",), "iam:TagInstanceProfile", has("Tags")),
    (
        ("rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSubnetGroup"),
        "rds:AddTagsToResource",
        has("Tags"),
    ),
    (("rds:DeleteDBInstance",), "rds:CreateDBSnapshot", has("FinalDBSnapshotIdentifier")),
    (("s3:CreateBucket",), "s3:PutBucketOwnershipControls", has("ObjectOwnership")),
    (("s3:DeleteObjects",), "s3:DeleteObjectVersion", deletes_versions),
    (("secretsmanager:CreateSecret",), "secretsmanager:TagResource", has("Tags")),
)  # fmt: skip


def actions(call: Recorded) -> set[str]:
    """Return the IAM actions that whoever makes this call needs."""
    if call.name == "s3:DeleteObjects":
        own = "s3:DeleteObject"
    else:
        own = RENAMED.get(call.name, f"{PREFIXES.get(call.service, call.service)}:{call.operation}")
    return {own} | {action for operations, action, when in BESIDE if call.name in operations and when(call)}
