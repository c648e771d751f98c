"""What the account must look like after `provision.yml`, exactly: no less, and nothing beside it.

Said once, for every run that ends with a deployment that stands: `pytest tests/provision/account.py`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.deploy.deployment import Deployment


class Account:
    """The account as the API describes it, and the names and ranges that the inventory makes one expect."""

    def __init__(self, deployment: Deployment) -> None:
        variables = deployment.variables
        self.client = deployment.client
        self.ec2, self.rds, self.iam, self.s3 = (deployment.client(name) for name in ("ec2", "rds", "iam", "s3"))
        self.region = variables["mlflow_aws"]["region"]
        self.number = str(deployment.client("sts").get_caller_identity()["Account"])
        self.name = f"{variables['mlflow_project']}-{variables['mlflow_env']}"
        self.tags = {key: variables[key] for key in ("mlflow_project", "mlflow_env")}
        self.clients, self.admins = variables["network_allowed_cidrs"], variables["network_admin_cidrs"]
        self.cidr, self.count = variables["network_cidr"], variables["tracking_host_count"]
        self.session_manager = variables["tracking_host_session_manager"]
        blocks = [str(block) for block in ipaddress.IPv4Network(self.cidr).subnets(prefixlen_diff=4)]
        self.public, self.private = blocks[:2], blocks[8:10]
        self.bucket = f"{self.name}-artifacts-{self.number}"
        self.host = f"{self.name}-tracking-host"
        self.postgresql = variables["backend_store_engine_version"]
        self.parameter_group = f"{self.name}-postgres{self.postgresql}"
        self.secrets = [f"{variables['mlflow_project']}/{variables['mlflow_env']}/{name}" for name in SECRETS]

    def tagged(self, name: str, **more: str) -> dict[str, str]:
        """Return all the tags that something of this name carries."""
        return {**self.tags, "Name": name, **more}

    @property
    def vpc(self) -> dict[str, Any]:
        """The one VPC that is not the account's own."""
        (vpc,) = (vpc for vpc in self.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"])
        return dict(vpc)

    def in_vpc(self, operation: str, key: str, filter_name: str = "vpc-id") -> list[dict[str, Any]]:
        """List everything of one kind in that VPC."""
        filters = [{"Name": filter_name, "Values": [self.vpc["VpcId"]]}]
        return list(getattr(self.ec2, operation)(Filters=filters)[key])

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        """The security groups by name."""
        found = self.in_vpc("describe_security_groups", "SecurityGroups")
        return {group["GroupName"]: group for group in found if group["GroupName"] != "default"}

    @property
    def subnets(self) -> dict[str, dict[str, Any]]:
        """The subnets by address range."""
        return {subnet["CidrBlock"]: subnet for subnet in self.in_vpc("describe_subnets", "Subnets")}

    @property
    def endpoint(self) -> dict[str, Any]:
        """The one VPC endpoint."""
        found = self.in_vpc("describe_vpc_endpoints", "VpcEndpoints")
        # AWS goes on listing a deleted one for a while.
        (endpoint,) = (entry for entry in found if entry["State"].lower() not in ("deleting", "deleted"))
        return endpoint

    @property
    def database(self) -> dict[str, Any]:
        """The one database."""
        (database,) = self.rds.describe_db_instances()["DBInstances"]
        return dict(database)

    @property
    def instances(self) -> list[dict[str, Any]]:
        """Every instance that was not terminated, by name."""
        found = [
            instance
            for reservation in self.ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] != "terminated"
        ]
        return sorted(found, key=lambda instance: tags(instance["Tags"])["Name"])


# What each secret holds, by its name: the user where it is one's, and the name and length of what was generated.
SECRETS = {
    "backend-store/auth": ("mlflow_auth", "password", 40),
    "backend-store/master": ("mlflow_admin", "password", 40),
    "backend-store/service": ("mlflow", "password", 40),
    "tracking-server/admin": ("admin", "password", 40),
    "tracking-server/session": (None, "key", 64),
}


@pytest.fixture
def account(deployment: Deployment) -> Account:
    """Look into the account."""
    return Account(deployment)


def tags(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return AWS's pairs as a dictionary."""
    return {pair["Key"]: pair["Value"] for pair in pairs}


def rules(permissions: Iterable[Mapping[str, Any]]) -> set[tuple[str, int, int, str]]:
    """Return a group's rules as protocol, ports and the other end, one tuple for each."""
    return {
        (rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1), end)
        for rule in permissions
        for end in [
            *(entry["CidrIp"] for entry in rule.get("IpRanges", [])),
            *(entry["CidrIpv6"] for entry in rule.get("Ipv6Ranges", [])),
            *(entry["GroupId"] for entry in rule.get("UserIdGroupPairs", [])),
            *(entry["PrefixListId"] for entry in rule.get("PrefixListIds", [])),
        ]
    }


def test_the_vpc_names_its_hosts_and_has_one_way_out(account: Account) -> None:
    vpc = account.vpc
    assert (vpc["CidrBlock"], tags(vpc["Tags"])) == (account.cidr, account.tagged(account.name))
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        described = account.ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
        assert described[key] == {"Value": True}
    (gateway,) = account.in_vpc("describe_internet_gateways", "InternetGateways", "attachment.vpc-id")
    assert tags(gateway["Tags"]) == account.tagged(account.name)
    assert account.in_vpc("describe_nat_gateways", "NatGateways") == []


def test_the_subnets_are_public_and_private_in_two_zones(account: Account) -> None:
    zones = [f"{account.region}a", f"{account.region}b"]
    wanted = {
        cidr: (zone, False, account.tagged(f"{account.name}-{tier}-{zone}"))
        for tier, cidrs in (("public", account.public), ("private", account.private))
        for cidr, zone in zip(cidrs, zones, strict=True)
    }
    assert wanted == {
        cidr: (subnet["AvailabilityZone"], subnet["MapPublicIpOnLaunch"], tags(subnet["Tags"]))
        for cidr, subnet in account.subnets.items()
    }


def test_the_public_subnets_lead_to_the_internet_and_the_private_ones_nowhere(account: Account) -> None:
    (gateway,) = account.in_vpc("describe_internet_gateways", "InternetGateways", "attachment.vpc-id")
    out = {("0.0.0.0/0", gateway["InternetGatewayId"])}
    local = {(account.cidr, "local")}
    found = account.in_vpc("describe_route_tables", "RouteTables")
    tables = {tags(table["Tags"])["Name"]: table for table in found if table["Tags"]}
    assert set(tables) == {f"{account.name}-public", f"{account.name}-private"}
    for tier, cidrs, wanted in (("public", account.public, local | out), ("private", account.private, local)):
        name = f"{account.name}-{tier}"
        table = tables[name]
        assert tags(table["Tags"]) == account.tagged(name)
        # On AWS an endpoint is a route as well, to a prefix list.
        routes = [route for route in table["Routes"] if "DestinationPrefixListId" not in route]
        assert {(route["DestinationCidrBlock"], route["GatewayId"]) for route in routes} == wanted
        subnets = {account.subnets[cidr]["SubnetId"] for cidr in cidrs}
        assert {entry.get("SubnetId") for entry in table["Associations"] if not entry.get("Main")} == subnets


def entries(acl: Mapping[str, Any], *, egress: bool) -> list[tuple[Any, ...]]:
    """Return a network ACL's rules of one direction in their order, without the last one, which refuses the rest."""
    return [
        (rule["RuleAction"], rule["Protocol"], *(rule.get("PortRange") or rule.get("IcmpTypeCode") or {}).values(), end)
        for rule in sorted(acl["Entries"], key=lambda rule: rule["RuleNumber"])
        for end in [rule.get("CidrBlock") or rule["Ipv6CidrBlock"]]
        if rule["Egress"] is egress and rule["RuleNumber"] < 32767
    ]


def test_the_subnets_acls_close_ports_for_administration_and_the_database_to_the_world(account: Account) -> None:
    acls = {acl["IsDefault"]: acl for acl in account.in_vpc("describe_network_acls", "NetworkAcls")}
    assert set(acls) == {True, False}
    under = {default: {entry["SubnetId"] for entry in acl["Associations"]} for default, acl in acls.items()}
    assert under == {
        default: {account.subnets[cidr]["SubnetId"] for cidr in cidrs}
        for default, cidrs in ((True, account.public), (False, account.private))
    }
    world, tcp, icmp = "0.0.0.0/0", "6", "1"
    assert entries(acls[True], egress=False) == [
        ("allow", "-1", account.cidr),
        ("allow", tcp, 443, 443, world),
        ("allow", tcp, 80, 80, world),
        # Fragmentation needed: code 4 of type 3.
        ("allow", icmp, 4, 3, world),
        ("deny", tcp, 3389, 3389, world),
        ("allow", tcp, 1024, 65535, world),
        *(("allow", tcp, 22, 22, cidr) for cidr in account.admins),
    ]
    assert entries(acls[True], egress=True) == [("allow", "-1", world)]
    for egress in (False, True):
        assert entries(acls[False], egress=egress) == [("allow", "-1", account.cidr)]
    name = f"{account.name}-private-{account.vpc['VpcId']}"
    assert tags(acls[False]["Tags"]) == account.tagged(name)


def test_s3_is_reached_inside_aws_from_both_tables(account: Account) -> None:
    endpoint = account.endpoint
    tables = account.in_vpc("describe_route_tables", "RouteTables")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"] == f"com.amazonaws.{account.region}.s3"
    assert set(endpoint["RouteTableIds"]) == {table["RouteTableId"] for table in tables if table["Tags"]}
    assert tags(endpoint["Tags"]) == account.tagged(account.name)


def test_through_the_s3_endpoint_other_accounts_keys_only_download(account: Account) -> None:
    own, anybody = json.loads(account.endpoint["PolicyDocument"])["Statement"]
    everywhere = {"Effect": "Allow", "Principal": "*", "Resource": "*"}
    assert own == {
        **everywhere,
        "Sid": "UseAsThisAccount",
        "Action": "s3:*",
        "Condition": {"StringEquals": {"aws:PrincipalAccount": account.number}},
    }
    assert anybody == {
        **everywhere,
        "Sid": "Download",
        "Action": "s3:GetObject",
        "Condition": {"StringEquals": {"aws:SourceVpc": account.vpc["VpcId"]}},
    }


def test_clients_reach_https_administrators_ssh_and_nobody_anything_else(account: Account) -> None:
    assert set(account.groups) == {f"{account.name}-tracking", f"{account.name}-database"}
    tracking, database = (account.groups[f"{account.name}-{end}"] for end in ("tracking", "database"))
    assert rules(tracking["IpPermissions"]) == {
        *(("tcp", port, port, cidr) for port in (80, 443) for cidr in account.clients),
        *(("tcp", 22, 22, cidr) for cidr in account.admins),
    }
    assert rules(tracking["IpPermissionsEgress"]) == {
        ("tcp", 443, 443, "0.0.0.0/0"),
        ("tcp", 5432, 5432, database["GroupId"]),
    }
    assert tags(tracking["Tags"]) == account.tagged(f"{account.name}-tracking")


def test_the_database_is_reached_by_the_tracking_hosts_alone_and_reaches_nothing(account: Account) -> None:
    tracking, database = (account.groups[f"{account.name}-{end}"] for end in ("tracking", "database"))
    assert rules(database["IpPermissions"]) == {("tcp", 5432, 5432, tracking["GroupId"])}
    assert rules(database["IpPermissionsEgress"]) == set()
    assert tags(database["Tags"]) == account.tagged(f"{account.name}-database")


def test_the_bucket_keeps_versions_encrypts_and_is_its_accounts_alone(account: Account) -> None:
    s3 = account.s3
    (bucket,) = (entry["Name"] for entry in s3.list_buckets()["Buckets"])
    assert bucket == account.bucket
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == account.region
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (encryption,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    assert tags(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == account.tagged(bucket)


def test_the_bucket_refuses_plain_http_and_nothing_else(account: Account) -> None:
    (statement,) = json.loads(account.s3.get_bucket_policy(Bucket=account.bucket)["Policy"])["Statement"]
    arn = f"arn:aws:s3:::{account.bucket}"
    assert statement.pop("Sid")
    assert statement == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_bucket_is_rid_of_old_versions_and_stale_uploads(account: Account) -> None:
    (rule,) = account.s3.get_bucket_lifecycle_configuration(Bucket=account.bucket)["Rules"]
    assert rule["Status"] == "Enabled"
    assert (rule.get("Filter") or {}).get("Prefix", rule.get("Prefix")) == ""
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Expiration" not in rule, "a run's artifacts never end by themselves"


def test_the_database_is_encrypted_private_protected_and_backed_up(account: Account) -> None:
    database = account.database
    group = database["DBSubnetGroup"]
    assert {key: database.get(key) for key in DATABASE} == DATABASE
    assert database["DBInstanceIdentifier"] == account.name
    assert re.fullmatch(rf"{account.postgresql}\.\d+", database["EngineVersion"])
    assert database["BackupRetentionPeriod"] >= 7
    assert sorted(database["EnabledCloudwatchLogsExports"]) == ["postgresql", "upgrade"]
    assert [entry["VpcSecurityGroupId"] for entry in database["VpcSecurityGroups"]] == [
        account.groups[f"{account.name}-database"]["GroupId"]
    ]
    assert group["VpcId"] == account.vpc["VpcId"]
    assert {subnet["SubnetIdentifier"] for subnet in group["Subnets"]} == {
        account.subnets[cidr]["SubnetId"] for cidr in account.private
    }
    assert tags(database["TagList"]) == account.tagged(account.name)
    described = account.rds.describe_db_subnet_groups(DBSubnetGroupName=account.name)["DBSubnetGroups"][0]
    listed = account.rds.list_tags_for_resource(ResourceName=described["DBSubnetGroupArn"])["TagList"]
    assert tags(listed) == account.tagged(account.name)


DATABASE = {
    "DBInstanceStatus": "available",
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.small",
    "DBName": "mlflow",
    "MasterUsername": "mlflow_admin",
    "AllocatedStorage": 20,
    "MaxAllocatedStorage": 100,
    "StorageType": "gp3",
    "StorageEncrypted": True,
    "PubliclyAccessible": False,
    "MultiAZ": False,
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "AutoMinorVersionUpgrade": True,
}


def test_the_database_requires_tls(account: Account) -> None:
    assert [entry["DBParameterGroupName"] for entry in account.database["DBParameterGroups"]] == [
        account.parameter_group
    ]
    (group,) = account.rds.describe_db_parameter_groups(DBParameterGroupName=account.parameter_group)[
        "DBParameterGroups"
    ]
    assert group["DBParameterGroupFamily"] == f"postgres{account.postgresql}"
    pages = account.rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=account.parameter_group)
    parameters = {entry["ParameterName"]: entry for entry in pages.build_full_result()["Parameters"]}
    assert parameters["rds.force_ssl"]["ParameterValue"] == "1"
    assert {name for name, entry in parameters.items() if entry["Source"] == "user"} <= {"rds.force_ssl"}
    listed = account.rds.list_tags_for_resource(ResourceName=group["DBParameterGroupArn"])["TagList"]
    assert tags(listed) == account.tagged(account.parameter_group)


def test_each_secret_holds_something_long_of_its_own_that_was_written_once(account: Account) -> None:
    manager = account.client("secretsmanager")
    found = {secret["Name"]: secret for secret in manager.list_secrets(IncludePlannedDeletion=True)["SecretList"]}
    assert sorted(found) == account.secrets
    generated = set()
    for name, (user, key, length) in zip(account.secrets, SECRETS.values(), strict=True):
        assert tags(found[name]["Tags"]) == account.tagged(name)
        assert "DeletedDate" not in found[name]
        content = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
        assert content.keys() == {key} | ({"username"} if user else set())
        assert content.get("username") == user
        assert re.fullmatch(rf"[A-Za-z0-9]{{{length}}}", content[key])
        generated.add(content[key])
        # Each writing would be a version.
        (version,) = manager.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
        assert version["VersionStages"] == ["AWSCURRENT"]
    assert len(generated) == len(SECRETS)


def test_a_host_takes_its_identity_from_the_metadata_service_in_version_2_alone(account: Account) -> None:
    profile = account.iam.get_instance_profile(InstanceProfileName=account.host)["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == [account.host]
    assert tags(profile["Tags"]) == account.tagged(account.host, mlflow_role="tracking_host")
    for instance in account.instances:
        assert instance["IamInstanceProfile"]["Arn"] == profile["Arn"]
        assert METADATA.items() <= instance["MetadataOptions"].items()


METADATA = {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_each_host_stands_in_a_public_subnet_behind_its_group_with_an_encrypted_disk(account: Account) -> None:
    tracking = account.groups[f"{account.name}-tracking"]["GroupId"]
    names = [f"{account.host}-{number}" for number in range(1, account.count + 1)]
    assert [tags(instance["Tags"]) for instance in account.instances] == [
        account.tagged(name, mlflow_role="tracking_host") for name in names
    ]
    for index, (name, instance) in enumerate(zip(names, account.instances, strict=True)):
        assert instance["State"]["Name"] == "running"
        assert (instance["InstanceType"], instance["KeyName"]) == ("t3.medium", account.host)
        assert instance["SubnetId"] == account.subnets[account.public[index % 2]]["SubnetId"]
        for interface in instance["NetworkInterfaces"]:
            assert [group["GroupId"] for group in interface["Groups"]] == [tracking]
        (image,) = account.ec2.describe_images(ImageIds=[instance["ImageId"]])["Images"]
        assert re.fullmatch(r"debian-13-amd64-20251006-\d+", image["Name"]), "the newest one of Debian 13"
        assert image["OwnerId"] == "136693071363"
        ids = [device["Ebs"]["VolumeId"] for device in instance["BlockDeviceMappings"]]
        (volume,) = account.ec2.describe_volumes(VolumeIds=ids)["Volumes"]
        assert (volume["VolumeType"], volume["Size"], volume["Encrypted"]) == ("gp3", 20, True)
        assert tags(volume["Tags"]) == account.tagged(name, mlflow_role="tracking_host")


def test_each_host_has_an_address_that_lasts_and_the_administrators_key(account: Account) -> None:
    found = {address["InstanceId"]: address for address in account.ec2.describe_addresses()["Addresses"]}
    assert found.keys() == {instance["InstanceId"] for instance in account.instances}
    for instance in account.instances:
        address = found[instance["InstanceId"]]
        assert instance["PublicIpAddress"] == address["PublicIp"]
        assert tags(address["Tags"]) == tags(instance["Tags"])
    (pair,) = account.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert pair["KeyName"] == account.host
    assert pair["PublicKey"].startswith("ssh-ed25519 ")
    assert tags(pair["Tags"]) == account.tagged(account.host, mlflow_role="tracking_host")


def test_the_hosts_role_may_use_its_own_bucket_and_answer_session_manager_and_nothing_else(account: Account) -> None:
    (role,) = account.iam.list_roles()["Roles"]
    assert (role["RoleName"], role["Description"]) == (account.host, "What an MLflow tracking host may do")
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert tags(account.iam.list_role_tags(RoleName=account.host)["Tags"]) == account.tagged(
        account.host, mlflow_role="tracking_host"
    )
    assert account.iam.list_attached_role_policies(RoleName=account.host)["AttachedPolicies"] == []
    (name,) = account.iam.list_role_policies(RoleName=account.host)["PolicyNames"]
    document = account.iam.get_role_policy(RoleName=account.host, PolicyName=name)["PolicyDocument"]
    arn = f"arn:aws:s3:::{account.bucket}"
    assert {
        (statement["Effect"], action, resource)
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    } == {
        *(("Allow", f"s3:{action}", arn) for action in ON_BUCKET),
        *(("Allow", f"s3:{action}", f"{arn}/*") for action in ON_OBJECTS),
        *(("Allow", action, "*") for action in TO_SESSION_MANAGER if account.session_manager),
    }
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        own = None if statement["Resource"] == "*" else {"StringEquals": {"aws:ResourceAccount": account.number}}
        assert statement.get("Condition") == own


TO_SESSION_MANAGER = (
    "ssm:UpdateInstanceInformation",
    *(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")),
)
ON_BUCKET = ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads")
ON_OBJECTS = ("AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject")


def as_list(value: Any) -> list[Any]:
    """Return a policy's one item as the list of it that it also could have been."""
    return value if isinstance(value, list) else [value]
