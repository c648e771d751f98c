"""Every setting that a request carried is in the account: `pytest tests/provision/settings.py`, after a first run.

A request that was accepted proves little: moto, and now and then AWS, drops what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy.deployment import Deployment
from tests.provision.account import Account
from tests.provision.recorded import Recorded, calls

Reader = Callable[[Account, dict[str, Any]], Any]
Leaf = tuple[str, str]


def ec2(operation: str, **filters: str) -> Reader:
    """Return a reader that describes what carries the ids of a call: an EC2 filter for each parameter."""

    def read(account: Account, parameters: dict[str, Any]) -> Any:
        wanted = [{"Name": name, "Values": [parameters[key]]} for key, name in filters.items()]
        return getattr(account.ec2, f"describe_{operation}")(**({"Filters": wanted} if wanted else {}))

    return read


def s3(operation: str) -> Reader:
    """Return a reader of one setting of a bucket."""
    return lambda account, parameters: getattr(account.s3, f"get_{operation}")(Bucket=parameters["Bucket"])


def vpc_attributes(account: Account, parameters: dict[str, Any]) -> Any:
    """Read the attributes that describing a VPC leaves out."""
    names = ("enableDnsSupport", "enableDnsHostnames")
    return [account.ec2.describe_vpc_attribute(VpcId=parameters["VpcId"], Attribute=name) for name in names]


def instances(account: Account, parameters: dict[str, Any]) -> Any:  # noqa: ARG001 - one reader's signature
    """Read the hosts, with their disks."""
    return [account.instances, account.ec2.describe_volumes()["Volumes"]]


def rds(operation: str, key: str, arn: str) -> Reader:
    """Return a reader of something of RDS's, with its tags."""

    def read(account: Account, parameters: dict[str, Any]) -> Any:
        answer = getattr(account.rds, operation)(**{key: parameters[key]})
        (found,) = next(value for value in answer.values() if isinstance(value, list))
        return [found, account.rds.list_tags_for_resource(ResourceName=found[arn])]

    return read


def parameters_of_a_group(account: Account, parameters: dict[str, Any]) -> Any:
    """Read the parameters, and the name of the group that they belong to."""
    name = parameters["DBParameterGroupName"]
    pages = account.rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name)
    return [pages.build_full_result(), {"DBParameterGroupName": name}]


def iam(operation: str, *keys: str) -> Reader:
    """Return a reader of something of IAM's."""
    return lambda account, parameters: getattr(account.iam, operation)(**{key: parameters[key] for key in keys})


# Where a setting is read that an operation made.
READERS: dict[str, Reader] = {
    "ec2:AllocateAddress": ec2("addresses"),
    "ec2:AssociateAddress": ec2("addresses", AllocationId="allocation-id"),
    "ec2:AssociateRouteTable": ec2("route_tables", RouteTableId="route-table-id"),
    "ec2:AttachInternetGateway": ec2("internet_gateways", InternetGatewayId="internet-gateway-id"),
    "ec2:AuthorizeSecurityGroupEgress": ec2("security_groups", GroupId="group-id"),
    "ec2:AuthorizeSecurityGroupIngress": ec2("security_groups", GroupId="group-id"),
    "ec2:CreateInternetGateway": ec2("internet_gateways"),
    "ec2:CreateNetworkAcl": ec2("network_acls", VpcId="vpc-id"),
    "ec2:CreateNetworkAclEntry": ec2("network_acls", NetworkAclId="association.network-acl-id"),
    "ec2:CreateRoute": ec2("route_tables", RouteTableId="route-table-id"),
    "ec2:CreateRouteTable": ec2("route_tables", VpcId="vpc-id"),
    "ec2:CreateSecurityGroup": ec2("security_groups", GroupName="group-name"),
    "ec2:CreateSubnet": ec2("subnets", CidrBlock="cidr-block"),
    "ec2:CreateTags": ec2("tags"),
    "ec2:CreateVpc": ec2("vpcs", CidrBlock="cidr"),
    "ec2:CreateVpcEndpoint": ec2("vpc_endpoints", VpcId="vpc-id"),
    "ec2:ImportKeyPair": lambda account, _: account.ec2.describe_key_pairs(IncludePublicKey=True),
    "ec2:ModifyInstanceAttribute": instances,
    "ec2:ModifyVpcAttribute": vpc_attributes,
    "ec2:ReplaceNetworkAclAssociation": ec2("network_acls", NetworkAclId="association.network-acl-id"),
    "ec2:RunInstances": instances,
    "iam:AddRoleToInstanceProfile": iam("get_instance_profile", "InstanceProfileName"),
    "iam:CreateInstanceProfile": iam("get_instance_profile", "InstanceProfileName"),
    "iam:CreateRole": iam("get_role", "RoleName"),
    "iam:PutRolePolicy": iam("get_role_policy", "RoleName", "PolicyName"),
    "rds:CreateDBInstance": rds("describe_db_instances", "DBInstanceIdentifier", "DBInstanceArn"),
    "rds:CreateDBParameterGroup": rds("describe_db_parameter_groups", "DBParameterGroupName", "DBParameterGroupArn"),
    "rds:CreateDBSubnetGroup": rds("describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroupArn"),
    "rds:ModifyDBParameterGroup": parameters_of_a_group,
    "s3:CreateBucket": s3("bucket_location"),
    "s3:PutBucketEncryption": s3("bucket_encryption"),
    "s3:PutBucketLifecycleConfiguration": s3("bucket_lifecycle_configuration"),
    "s3:PutBucketOwnershipControls": s3("bucket_ownership_controls"),
    "s3:PutBucketPolicy": s3("bucket_policy"),
    "s3:PutBucketTagging": s3("bucket_tagging"),
    "s3:PutBucketVersioning": s3("bucket_versioning"),
    "s3:PutPublicAccessBlock": s3("public_access_block"),
    "secretsmanager:CreateSecret": lambda account, parameters: account.client("secretsmanager").describe_secret(
        SecretId=parameters["Name"]
    ),
}

# How a setting is called where it is read, when otherwise.
RENAMED = {
    "ec2:ImportKeyPair": {"PublicKeyMaterial": "PublicKey"},
    "ec2:RunInstances": {"Groups": "GroupId", "VolumeSize": "Size"},
    "rds:CreateDBInstance": {
        "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
        "VpcSecurityGroupIds": "VpcSecurityGroupId",
    },
    "rds:CreateDBSubnetGroup": {"SubnetIds": "SubnetIdentifier"},
    "ec2:ModifyInstanceAttribute": {"Groups": "GroupId"},
}

# What says how to do something, once, and is no setting; and what account.py or session_manager.py reads, since a
# record masks it.
NO_SETTING = frozenset(
    {
        "AllowReassociation", "Bucket", "ChecksumAlgorithm", "ClientRequestToken", "ClientToken", "MasterUserPassword",
        "MaxCount", "MinCount", "ResourceType", "Resources", "SecretString", "UserData",
    }
)  # fmt: skip
TAKES_AWAY = ("Delete", "Disassociate", "Detach", "Release", "Remove", "Revoke", "Terminate", "Untag")

# What cannot be read back as it was asked for, and why. An entry goes when it can.
DROPPED = {
    ("ec2:ReplaceNetworkAclAssociation", "AssociationId"): "the one that is replaced; account.py reads what came of it",
    ("ec2:CreateSecurityGroup", "tag Name"): "made on the spot for the other's rule, with its tags; CreateTags follows",
    ("ec2:RunInstances", "AssociatePublicIpAddress"): "a host shows its address, not what it was told; see below",
    ("ec2:RunInstances", "Throughput"): "moto keeps a volume's throughput when the volume is created alone",
    (
        "rds:CreateDBInstance",
        "EngineVersion",
    ): "RDS completes a major version; account.py reads what became of it",
}


def leaves(value: Any, key: str = "") -> Iterator[Leaf]:
    """Return each setting by its own name and each tag by its key, however deep it stands."""
    # A policy; a formula of RDS's has no quotes.
    if isinstance(value, str) and value.startswith('{"'):
        value = json.loads(value)
    if isinstance(value, dict):
        if value.keys() >= {"Key", "Value"}:
            yield f"tag {value['Key']}", str(value["Value"])
        elif value.keys() == {"Value"}:
            yield from leaves(value["Value"], key)
        else:
            for name, item in value.items():
                yield from leaves(item, name)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item, key)
    else:
        yield key, str(value)


def lost(account: Account, call: Recorded) -> set[Leaf]:
    """Return the settings of a call that cannot be read back."""
    renamed = RENAMED.get(call.name, {})
    sent = {(renamed.get(key, key), value) for key, value in leaves(call.parameters) if key not in NO_SETTING}
    return sent - set(leaves(READERS[call.name](account, call.parameters)))


@pytest.fixture(scope="module")
def writing(deployment: Deployment) -> list[Recorded]:
    """Read the calls of the roles that set something."""
    made = [call for call in calls(deployment) if call.role and call.status < 300]
    return [call for call in made if not call.reads and not call.operation.startswith(TAKES_AWAY)]


def test_every_setting_that_was_asked_for_is_there(deployment: Deployment, writing: list[Recorded]) -> None:
    account = Account(deployment)
    assert {call.name for call in writing} == READERS.keys()
    missing = {(call.name, *leaf) for call in writing for leaf in lost(account, call)}
    assert sorted(entry for entry in missing if entry[:2] not in DROPPED) == []
    assert {entry[:2] for entry in missing} == DROPPED.keys()
    assert all(DROPPED.values())


def test_each_host_is_launched_with_a_public_address(writing: list[Recorded]) -> None:
    """Its Elastic IP comes later than its first boot, which may have to download something."""
    launches = [call.parameters["NetworkInterfaces"] for call in writing if call.name == "ec2:RunInstances"]
    assert [[each["AssociatePublicIpAddress"] for each in interfaces] for interfaces in launches] == [[True], [True]]
