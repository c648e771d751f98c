"""What people do to an account by hand: a dry run names each of these and touches nothing.

`pytest tests/provision/drift.py`, in an account that looks as `account.py` says; the next run puts all of it right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.deploy.deployment import Deployment, Play
from tests.provision.account import Account, as_list
from tests.provision.recorded import calls, control


@dataclass(frozen=True)
class Drift:
    """One thing done by hand, and what a dry run says of it: a task's name and words of what it prints."""

    introduce: Callable[[Account], object]
    task: str
    words: str = ""


def permission(port: int, **end: object) -> list[dict[str, object]]:
    """Return one rule of a security group in EC2's words."""
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **end}]


def database_group(account: Account) -> str:
    """Return the id of the database's security group."""
    return str(account.groups[f"{account.name}-database"]["GroupId"])


def tracking_group(account: Account) -> str:
    """Return the id of the tracking hosts' security group."""
    return str(account.groups[f"{account.name}-tracking"]["GroupId"])


def cut_off_database(account: Account) -> None:
    """Take the tracking hosts' rule that lets them out to the database."""
    group = account.groups[f"{account.name}-tracking"]
    rules = [rule for rule in group["IpPermissionsEgress"] if rule["FromPort"] == 5432]
    account.ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=rules)


def table(account: Account, tier: str) -> str:
    """Return the id of a route table."""
    filters = [{"Name": "tag:Name", "Values": [f"{account.name}-{tier}"]}]
    return str(account.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"])


def gateway(account: Account) -> str:
    """Return the id of the internet gateway."""
    found = account.in_vpc("describe_internet_gateways", "InternetGateways", "attachment.vpc-id")
    return str(found[0]["InternetGatewayId"])


def untie_endpoint(account: Account) -> None:
    """Take the private route table off the S3 endpoint."""
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=account.endpoint["VpcEndpointId"], RemoveRouteTableIds=[table(account, "private")]
    )


def open_endpoint(account: Account) -> None:
    """Let everybody's keys do everything in S3 through the endpoint, as one without a policy of its own does."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=account.endpoint["VpcEndpointId"],
        PolicyDocument=json.dumps({"Version": "2008-10-17", "Statement": [statement]}),
    )


def widen_policy(account: Account) -> None:
    """Let the host's role do everything in S3."""
    (name,) = account.iam.list_role_policies(RoleName=account.host)["PolicyNames"]
    document = account.iam.get_role_policy(RoleName=account.host, PolicyName=name)["PolicyDocument"]
    document["Statement"][0] |= {"Action": "s3:*", "Resource": "*"}
    account.iam.put_role_policy(RoleName=account.host, PolicyName=name, PolicyDocument=json.dumps(document))


def stop_answering_sessions(account: Account) -> None:
    """Take from the host's role what Session Manager's agent needs."""
    (name,) = account.iam.list_role_policies(RoleName=account.host)["PolicyNames"]
    document = account.iam.get_role_policy(RoleName=account.host, PolicyName=name)["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "AnswerSessionManager"]
    account.iam.put_role_policy(RoleName=account.host, PolicyName=name, PolicyDocument=json.dumps(document))


def forget_user_data(account: Account) -> None:
    """Make a host look as if it had been launched before Session Manager was asked for."""
    account.ec2.modify_instance_attribute(InstanceId=instance(account, 2), Attribute="userData", Value="")


def widen_trust(account: Account) -> None:
    """Let another account take the host's role."""
    document = account.iam.get_role(RoleName=account.host)["Role"]["AssumeRolePolicyDocument"]
    document["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com", "AWS": "arn:aws:iam::999999999999:root"}
    account.iam.update_assume_role_policy(RoleName=account.host, PolicyDocument=json.dumps(document))


def lift_policy_condition(account: Account) -> None:
    """Let the bucket's policy refuse no one: a condition that never holds."""
    policy = json.loads(account.s3.get_bucket_policy(Bucket=account.bucket)["Policy"])
    policy["Statement"][0]["Condition"]["Bool"] = {"aws:SecureTransport": "true"}
    account.s3.put_bucket_policy(Bucket=account.bucket, Policy=json.dumps(policy))


def keep_versions_longer(account: Account) -> None:
    """Keep old versions for ten times as long."""
    rules = account.s3.get_bucket_lifecycle_configuration(Bucket=account.bucket)["Rules"]
    rules[0]["NoncurrentVersionExpiration"] = {"NoncurrentDays": 900}
    account.s3.put_bucket_lifecycle_configuration(
        Bucket=account.bucket, LifecycleConfiguration={"Rules": as_list(rules)}
    )


def exchange_bucket_key(account: Account) -> None:
    """Encrypt new objects with another key."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    account.s3.put_bucket_encryption(Bucket=account.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def instance(account: Account, number: int = 1) -> str:
    """Return a host's id."""
    return str(account.instances[number - 1]["InstanceId"])


def association(account: Account, number: int) -> str:
    """Return the id under which a host has its instance profile."""
    found = account.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    return next(str(e["AssociationId"]) for e in found if e["InstanceId"] == instance(account, number))


# Made here, and removed by removal.py when no host has it any more.
SOMEBODY = "somebody"


def exchange_profile(account: Account) -> None:
    """Give a host another identity."""
    made = account.iam.create_instance_profile(InstanceProfileName=SOMEBODY)["InstanceProfile"]
    account.ec2.replace_iam_instance_profile_association(
        AssociationId=association(account, 2), IamInstanceProfile={"Arn": made["Arn"]}
    )


def address(account: Account, number: int) -> dict[str, str]:
    """Return a host's lasting address."""
    found: list[dict[str, str]] = account.ec2.describe_addresses()["Addresses"]
    return next(entry for entry in found if entry.get("InstanceId") == instance(account, number))


def launch_one_more(account: Account) -> None:
    """Launch a host past the count, with an address of its own."""
    like = account.instances[1]
    tags = [{"Key": k, "Value": v} for k, v in account.tagged(f"{account.host}-3", mlflow_role="tracking_host").items()]
    made = account.ec2.run_instances(
        ImageId=like["ImageId"], InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=like["SubnetId"],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )  # fmt: skip
    surplus = made["Instances"][0]["InstanceId"]
    new = account.ec2.allocate_address(Domain="vpc")["AllocationId"]
    account.ec2.associate_address(AllocationId=new, InstanceId=surplus)


def network_acl(account: Account, *, default: bool) -> dict[str, Any]:
    """Return the network ACL of the hosts' subnets, which AWS made with the VPC, or that of the database's."""
    found = account.in_vpc("describe_network_acls", "NetworkAcls")
    return next(acl for acl in found if acl["IsDefault"] is default)


def open_acl(account: Account, *, default: bool) -> None:
    """Let everything in by a rule before all others."""
    account.ec2.create_network_acl_entry(
        NetworkAclId=network_acl(account, default=default)["NetworkAclId"],
        RuleNumber=1, Protocol="-1", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0",
    )  # fmt: skip


def take_subnet_from_acl(account: Account) -> None:
    """Put a subnet of the database's under the network ACL of the hosts' subnets."""
    entry = network_acl(account, default=False)["Associations"][0]
    account.ec2.replace_network_acl_association(
        AssociationId=entry["NetworkAclAssociationId"],
        NetworkAclId=network_acl(account, default=True)["NetworkAclId"],
    )


def default_group(account: Account) -> str:
    """Return the id of the security group that the VPC was made with."""
    found = account.in_vpc("describe_security_groups", "SecurityGroups")
    return next(str(group["GroupId"]) for group in found if group["GroupName"] == "default")


def move_subnet(account: Account, cidr: str, tier: str) -> None:
    """Give a subnet another route table."""
    subnet = account.subnets[cidr]["SubnetId"]
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (found,) = account.ec2.describe_route_tables(Filters=filters)["RouteTables"]
    (entry,) = (entry for entry in found["Associations"] if entry.get("SubnetId") == subnet)
    account.ec2.replace_route_table_association(
        AssociationId=entry["RouteTableAssociationId"], RouteTableId=table(account, tier)
    )


def describe_differently(account: Account, name: str, direction: str) -> None:
    """Give a rule of a security group another description."""
    group = account.groups[f"{account.name}-{name}"]
    rule = group["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"][0]
    for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs"):
        rule[key] = [{**end, "Description": "by hand"} for end in rule[key]]
    update = getattr(account.ec2, f"update_security_group_rule_descriptions_{direction}")
    update(GroupId=group["GroupId"], IpPermissions=[{key: end for key, end in rule.items() if end != []}])


def widen_subnet_group(account: Account) -> None:
    """Let the database be put into a public subnet."""
    subnets = [account.subnets[cidr]["SubnetId"] for cidr in (*account.private, account.public[0])]
    account.rds.modify_db_subnet_group(DBSubnetGroupName=account.name, SubnetIds=subnets)


def tag(account: Account, *resources: str) -> None:
    """Put a tag onto something of EC2's."""
    account.ec2.create_tags(Resources=list(resources), Tags=[{"Key": "by", "Value": "hand"}])


BY_HAND = [{"Key": "by", "Value": "hand"}]


def modify_database(**settings: object) -> Callable[[Account], object]:
    """Change settings of the database."""
    return lambda a: a.rds.modify_db_instance(DBInstanceIdentifier=a.name, ApplyImmediately=True, **settings)


def secret(account: Account, name: str) -> str:
    """Return a secret's whole name."""
    return next(whole for whole in account.secrets if whole.endswith(f"/{name}"))


def untag_database(account: Account) -> None:
    """Take a tag off the database."""
    account.rds.remove_tags_from_resource(ResourceName=account.database["DBInstanceArn"], TagKeys=["Name"])


def untag(account: Account, resource: str, key: str = "Name") -> None:
    """Take a tag off something of EC2's."""
    account.ec2.delete_tags(Resources=[resource], Tags=[{"Key": key}])


DRIFT = {
    "a port of the database opened to the world": Drift(
        lambda a: a.ec2.authorize_security_group_ingress(
            GroupId=database_group(a), IpPermissions=permission(5432, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
        ),
        "Make the database's security group",
        "-        -   cidr_ip: 0.0.0.0/0",
    ),
    "the database let out": Drift(
        lambda a: a.ec2.authorize_security_group_egress(
            GroupId=database_group(a), IpPermissions=permission(443, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
        ),
        "Make the database's security group",
        "-    -   from_port: 443",
    ),
    "a client locked out": Drift(
        lambda a: a.ec2.revoke_security_group_ingress(
            GroupId=tracking_group(a), IpPermissions=permission(443, IpRanges=[{"CidrIp": a.clients[0]}])
        ),
        "Make the tracking hosts' security group",
    ),
    "MLflow's usual port opened": Drift(
        lambda a: a.ec2.authorize_security_group_ingress(
            GroupId=tracking_group(a), IpPermissions=permission(5000, IpRanges=[{"CidrIp": "192.0.2.0/24"}])
        ),
        "Make the tracking hosts' security group",
        "-    -   from_port: 5000",
    ),
    "the tracking hosts' way to the database taken": Drift(
        cut_off_database, "Make the tracking hosts' security group", "+    -   from_port: '5432'"
    ),
    "a way out for the database's subnets": Drift(
        lambda a: a.ec2.create_route(
            RouteTableId=table(a, "private"), DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway(a)
        ),
        "Make the private route table",
    ),
    "the way out of the hosts' subnets bent to one of them": Drift(
        lambda a: a.ec2.replace_route(
            RouteTableId=table(a, "public"), DestinationCidrBlock="0.0.0.0/0", InstanceId=instance(a)
        ),
        "Make the public route table",
    ),
    "a private subnet made public": Drift(
        lambda a: move_subnet(a, a.private[0], "public"), "Make the private route table"
    ),
    "a public subnet made private": Drift(
        lambda a: move_subnet(a, a.public[1], "private"), "Make the public route table"
    ),
    "a rule described in other words": Drift(
        lambda a: describe_differently(a, "tracking", "ingress"), "Make the tracking hosts' security group", "by hand"
    ),
    "a rule for the way out described in other words": Drift(
        lambda a: describe_differently(a, "tracking", "egress"), "Make the tracking hosts' security group", "by hand"
    ),
    "a tag put onto the VPC": Drift(lambda a: tag(a, a.vpc["VpcId"]), "Make the VPC"),
    "public addresses for whatever is launched beside the hosts": Drift(
        lambda a: a.ec2.modify_subnet_attribute(
            SubnetId=a.subnets[a.public[1]]["SubnetId"], MapPublicIpOnLaunch={"Value": True}
        ),
        "Make the subnets",
        "public 10.46.16.0/20",
    ),
    "public addresses for the database's subnets": Drift(
        lambda a: a.ec2.modify_subnet_attribute(
            SubnetId=a.subnets[a.private[1]]["SubnetId"], MapPublicIpOnLaunch={"Value": True}
        ),
        "Make the subnets",
        "private 10.46.144.0/20",
    ),
    "the hosts' subnets opened to the world": Drift(
        lambda a: open_acl(a, default=True), "Let the hosts' subnets be met"
    ),
    "the database's subnets opened to the world": Drift(
        lambda a: open_acl(a, default=False), "Put the database's subnets under"
    ),
    "a subnet of the database's put among the hosts'": Drift(take_subnet_from_acl, "Put the database's subnets under"),
    "a tag put onto the network ACL": Drift(
        lambda a: tag(a, network_acl(a, default=False)["NetworkAclId"]), "Put the database's subnets under"
    ),
    "S3's endpoint untied": Drift(untie_endpoint, "Change who may use the S3 endpoint", "+  - rtb-"),
    "S3's endpoint opened to everybody's keys": Drift(
        open_endpoint, "Change who may use the S3 endpoint", "+ aws:PrincipalAccount:"
    ),
    "names in the VPC switched off": Drift(
        lambda a: a.ec2.modify_vpc_attribute(VpcId=a.vpc["VpcId"], EnableDnsHostnames={"Value": False}), "Make the VPC"
    ),
    "a tag of the gateway removed": Drift(lambda a: untag(a, gateway(a)), "Make the internet gateway"),
    "a tag of a security group removed": Drift(
        lambda a: untag(a, database_group(a)), "Make the database's security group"
    ),
    "a tag of a subnet removed": Drift(lambda a: untag(a, a.subnets[a.public[0]]["SubnetId"]), "Make the subnets"),
    "versioning suspended": Drift(
        lambda a: a.s3.put_bucket_versioning(Bucket=a.bucket, VersioningConfiguration={"Status": "Suspended"}),
        "Say what a dry run would change",
        "versioning: Suspended -> Enabled",
    ),
    "the bucket's encryption changed": Drift(
        exchange_bucket_key, "Say what a dry run would change", "encryption: aws:kms -> AES256"
    ),
    "a public access block lifted": Drift(
        lambda a: a.s3.put_public_access_block(
            Bucket=a.bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": False,
                "RestrictPublicBuckets": True,
            },
        ),
        "Say what a dry run would change",
        "public access block: not all on -> all on",
    ),
    "the bucket given access lists": Drift(
        lambda a: a.s3.put_bucket_ownership_controls(
            Bucket=a.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
        "Say what a dry run would change",
        "object ownership: ObjectWriter -> BucketOwnerEnforced",
    ),
    "plain HTTP let in": Drift(lift_policy_condition, "Say what a dry run would change", "policy: not the one"),
    "old versions kept for years": Drift(
        keep_versions_longer, "Say what a dry run would change", "old versions end after 900 days"
    ),
    "a tag of the bucket removed": Drift(
        lambda a: a.s3.put_bucket_tagging(
            Bucket=a.bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in a.tags.items()]}
        ),
        "Say what a dry run would change",
        "tag Name: none ->",
    ),
    "TLS made optional": Drift(
        lambda a: a.rds.modify_db_parameter_group(
            DBParameterGroupName=a.parameter_group,
            Parameters=[
                {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"},
            ],
        ),
        "Say which parameter a dry run would set",
        "rds.force_ssl: 0 -> 1",
    ),
    "the database made public": Drift(modify_database(PubliclyAccessible=True), "Make the database instance"),
    "the database's protection lifted": Drift(modify_database(DeletionProtection=False), "Make the database instance"),
    "the database's log kept from CloudWatch": Drift(
        modify_database(CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]}),
        "Make the database instance",
    ),
    "backups cut to a day": Drift(modify_database(BackupRetentionPeriod=1), "Make the database instance"),
    "a tag of the database removed": Drift(untag_database, "Make the database instance"),
    "a tag put onto the database": Drift(
        lambda a: a.rds.add_tags_to_resource(ResourceName=a.database["DBInstanceArn"], Tags=BY_HAND),
        "Make the database instance",
    ),
    "the database taken out of its security group": Drift(
        lambda a: modify_database(VpcSecurityGroupIds=[default_group(a)])(a), "Make the database instance"
    ),
    "the database let into a public subnet": Drift(widen_subnet_group, "Make the subnet group"),
    "a tag put onto a secret": Drift(
        lambda a: a.client("secretsmanager").tag_resource(SecretId=secret(a, "backend-store/master"), Tags=BY_HAND),
        "Make the secrets",
    ),
    "a secret on its way out": Drift(
        lambda a: a.client("secretsmanager").delete_secret(
            SecretId=secret(a, "backend-store/service"), RecoveryWindowInDays=7
        ),
        "Make the secrets",
    ),
    "a tag of a secret removed": Drift(
        lambda a: a.client("secretsmanager").untag_resource(
            SecretId=secret(a, "backend-store/master"), TagKeys=["Name"]
        ),
        "Make the secrets",
    ),
    "a secret that an older release did not make": Drift(
        lambda a: a.client("secretsmanager").delete_secret(
            SecretId=secret(a, "backend-store/auth"), ForceDeleteWithoutRecovery=True
        ),
        "Make the secrets",
    ),
    "a tag put onto a login's secret": Drift(
        lambda a: a.client("secretsmanager").tag_resource(SecretId=secret(a, "tracking-server/admin"), Tags=BY_HAND),
        "Make the logins' secrets",
    ),
    "a tag of a login's secret removed": Drift(
        lambda a: a.client("secretsmanager").untag_resource(
            SecretId=secret(a, "tracking-server/admin"), TagKeys=["Name"]
        ),
        "Make the logins' secrets",
    ),
    "a login's secret on its way out": Drift(
        lambda a: a.client("secretsmanager").delete_secret(
            SecretId=secret(a, "tracking-server/session"), RecoveryWindowInDays=7
        ),
        "Make the logins' secrets",
    ),
    "the host's role widened": Drift(widen_policy, "Allow what the server needs"),
    "Session Manager locked out": Drift(stop_answering_sessions, "Allow what the server needs", "AnswerSessionManager"),
    "the host's role lent out": Drift(widen_trust, "Make the role"),
    "a tag of the role removed": Drift(lambda a: a.iam.untag_role(RoleName=a.host, TagKeys=["Name"]), "Make the role"),
    "a tag of the instance profile removed": Drift(
        lambda a: a.iam.untag_instance_profile(InstanceProfileName=a.host, TagKeys=["Name"]),
        "Make the instance profile",
    ),
    "the host's role described in other words": Drift(
        lambda a: a.iam.update_role(RoleName=a.host, Description="by hand"), "Make the role"
    ),
    "a tag put onto the role": Drift(lambda a: a.iam.tag_role(RoleName=a.host, Tags=BY_HAND), "Make the role"),
    "a tag put onto the instance profile": Drift(
        lambda a: a.iam.tag_instance_profile(InstanceProfileName=a.host, Tags=BY_HAND), "Make the instance profile"
    ),
    "a host's identity taken away": Drift(
        lambda a: a.ec2.disassociate_iam_instance_profile(AssociationId=association(a, 1)),
        "Say which hosts a dry run would give their identity back",
        "instance profile none ->",
    ),
    "a host's identity exchanged": Drift(
        exchange_profile,
        "Say which hosts a dry run would give their identity back",
        f"instance profile {SOMEBODY} ->",
    ),
    "the old metadata service switched on": Drift(
        lambda a: a.ec2.modify_instance_metadata_options(
            InstanceId=instance(a), HttpTokens="optional", HttpPutResponseHopLimit=2
        ),
        "Make the hosts",
        "tracking-host-1)",
    ),
    "a host taken out of its security group": Drift(
        lambda a: a.ec2.modify_instance_attribute(InstanceId=instance(a, 2), Groups=[default_group(a)]),
        "Make the hosts",
        "tracking-host-2)",
    ),
    "a tag put onto a host": Drift(lambda a: tag(a, instance(a, 2)), "Make the hosts", "tracking-host-2)"),
    "a host's address taken away": Drift(
        lambda a: a.ec2.disassociate_address(AssociationId=address(a, 1)["AssociationId"]),
        "Give each host a lasting address",
        "tracking-host-1)",
    ),
    "a tag of an address removed": Drift(
        lambda a: untag(a, address(a, 2)["AllocationId"], "mlflow_role"),
        "Give each host a lasting address",
        "tracking-host-2)",
    ),
    "a host too many": Drift(launch_one_more, "End hosts past the count"),
}


@pytest.fixture(scope="module")
def account(deployment: Deployment) -> Account:
    """Look into the account, once all of it was done."""
    found = Account(deployment)
    control(deployment, "calls", "POST", {"role": "", "task": "done by hand"})
    for drift in DRIFT.values():
        drift.introduce(found)
    forget_user_data(found)
    return found


@pytest.fixture(scope="module")
def dry_run(deployment: Deployment, account: Account) -> Play:  # noqa: ARG001 - it comes after what was done by hand
    """Look at what a run would do."""
    return deployment.play("playbooks/provision.yml", "--check", "--diff")


def reported(play: Play, task: str) -> str:
    """Return what a play printed of the tasks whose names begin so, where they report a change.

    Of a loop, what is as it shall be is left out: it is named there too.
    """
    blocks = re.split(r"^TASK \[", play.output, flags=re.MULTILINE)
    found = [block for block in blocks if block.partition(" : ")[2].startswith(task)]
    changed = (block for block in found if re.search(r"^changed: ", block, re.MULTILINE))
    return "".join(re.sub(r"^(ok|skipping): .*$", "", block, flags=re.MULTILINE) for block in changed)


@pytest.mark.parametrize("drift", DRIFT.values(), ids=DRIFT.keys())
def test_a_dry_run_names_what_was_done_by_hand(drift: Drift, dry_run: Play) -> None:
    assert dry_run.returncode == 0, dry_run.output
    assert reported(dry_run, drift.task), dry_run.output
    # Ansible folds long lines.
    assert " ".join(drift.words.split()) in " ".join(reported(dry_run, drift.task).split())


def test_a_dry_run_only_reads(deployment: Deployment, dry_run: Play) -> None:
    made = calls(deployment)
    last = max(index for index, call in enumerate(made) if call.task == "done by hand")
    assert len(made) > last + 1, dry_run.output
    assert [str(call) for call in made[last + 1 :] if not call.reads] == []


def test_a_dry_run_names_the_host_that_session_manager_does_not_reach(dry_run: Play, account: Account) -> None:
    said = re.findall(r"The tracking host \S+ \((\S+)\) was launched without", dry_run.one_line)
    assert said == [instance(account, 2)]
