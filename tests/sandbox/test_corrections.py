"""Both sides of each correction: what stock moto does, which fails once it is fixed there, and what AWS does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import MultipartChecksumBuilder

from sandbox import corrections

from .conftest import Clients

DATABASE: dict[str, Any] = {
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "EngineVersion": "16",
    "AllocatedStorage": 20,
    "StorageType": "gp3",
    "MasterUsername": "mlflow_admin",
    "MasterUserPassword": "a-password",
}


def create_database(rds: Any, name: str = "db", **overrides: Any) -> dict[str, Any]:
    """Create a database and describe it."""
    rds.create_db_instance(DBInstanceIdentifier=name, **{**DATABASE, **overrides})
    return describe_database(rds, name)


def describe_database(rds: Any, name: str = "db") -> dict[str, Any]:
    """Describe one database."""
    described: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return described


def run_instance(ec2: Any) -> str:
    """Run one instance."""
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance_id: str = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return instance_id


def state_of(ec2: Any, instance_id: str) -> str:
    """Tell an instance's state."""
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    state: str = found["State"]["Name"]
    return state


def test_address_tag_types(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """amazon.aws looks for the tags of an address under AWS's name of its type."""
    ec2 = aws("ec2")

    def tagged() -> bool:
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.create_tags(Resources=[address], Tags=[{"Key": "a", "Value": "b"}])
        filters = [{"Name": "resource-id", "Values": [address]}, {"Name": "resource-type", "Values": ["elastic-ip"]}]
        return bool(ec2.describe_tags(Filters=filters)["Tags"])

    assert not tagged()
    corrections.address_tag_types(monkeypatch)
    assert tagged()


def test_nat_gateway_tag_type(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a NAT gateway."""
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    def tagged() -> bool:
        gateway = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
        ec2.create_tags(Resources=[gateway], Tags=[{"Key": "a", "Value": "b"}])
        filters = [{"Name": "resource-id", "Values": [gateway]}, {"Name": "resource-type", "Values": ["natgateway"]}]
        return bool(ec2.describe_tags(Filters=filters)["Tags"])

    assert not tagged()
    corrections.address_tag_types(monkeypatch)
    assert tagged()


def test_parameter_group_not_found(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """rds_instance_param_group takes the first of an empty list."""
    rds = aws("rds")
    assert rds.describe_db_parameter_groups(DBParameterGroupName="none")["DBParameterGroups"] == []
    corrections.parameter_group_not_found(monkeypatch)
    with pytest.raises(ClientError, match="DBParameterGroupNotFound"):
        rds.describe_db_parameter_groups(DBParameterGroupName="none")
    assert rds.describe_db_parameter_groups()["DBParameterGroups"] == []


def test_parameter_group_defaults(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter that is not listed cannot be set."""
    rds = aws("rds")

    def parameters(name: str, family: str) -> dict[str, dict[str, Any]]:
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d")
        listed = rds.describe_db_parameters(DBParameterGroupName=name)["Parameters"]
        return {parameter["ParameterName"]: parameter for parameter in listed}

    assert parameters("stock", "postgres16") == {}
    corrections.parameter_group_defaults(monkeypatch)
    corrected = parameters("corrected", "postgres16")
    assert corrected["rds.force_ssl"]["ParameterValue"] == "1"
    assert corrected["rds.force_ssl"]["IsModifiable"] is True
    assert corrected["max_connections"]["ApplyType"] == "static"
    assert "ParameterValue" not in corrected["log_min_duration_statement"]
    assert parameters("older", "postgres14")["rds.force_ssl"]["ParameterValue"] == "0"
    rds.modify_db_parameter_group(
        DBParameterGroupName="corrected",
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )
    listed = rds.describe_db_parameters(DBParameterGroupName="corrected")["Parameters"]
    changed = next(p for p in listed if p["ParameterName"] == "rds.force_ssl")
    assert (changed["ParameterValue"], changed["DataType"]) == ("0", "integer")


def test_gp3_performance(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """rds_instance compares both with what it was told."""
    rds = aws("rds")
    stock = create_database(rds, "stock")
    assert "Iops" not in stock
    assert "StorageThroughput" not in stock
    corrections.gp3_performance(monkeypatch)
    small = create_database(rds, "small")
    assert (small["Iops"], small["StorageThroughput"]) == (3000, 125)
    large = create_database(rds, "large", AllocatedStorage=400)
    assert (large["Iops"], large["StorageThroughput"]) == (12000, 500)
    assert "Iops" not in create_database(rds, "older", StorageType="gp2")
    rds.modify_db_instance(DBInstanceIdentifier="older", StorageType="gp3", ApplyImmediately=True)
    assert describe_database(rds, "older")["Iops"] == 3000


def test_engine_versions(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A major version becomes a full one, and a version that never was is refused."""
    rds = aws("rds")
    assert create_database(rds, "stock")["EngineVersion"] == "16"
    assert create_database(rds, "bogus", EngineVersion="99.9")["EngineVersion"] == "99.9"
    corrections.engine_versions(monkeypatch)
    assert create_database(rds, "major")["EngineVersion"].startswith("16.")
    assert create_database(rds, "minor", EngineVersion="15.7")["EngineVersion"] == "15.7"
    with pytest.raises(ClientError, match=r"Cannot find version 99\.9 for postgres"):
        create_database(rds, "refused", EngineVersion="99.9")


def test_database_resource_ids(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id tells a database from its successor of the same name."""
    rds = aws("rds")
    assert create_database(rds, "a")["DbiResourceId"] == create_database(rds, "b")["DbiResourceId"]
    corrections.database_resource_ids(monkeypatch)
    assert create_database(rds, "c")["DbiResourceId"] != create_database(rds, "d")["DbiResourceId"]


TLS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}


def test_policy_conditions(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that refuses plain HTTP still serves its owner over TLS."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps(TLS_ONLY))
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket="bucket", Key="key", Body=b"")
    corrections.policy_conditions(monkeypatch)
    s3.put_object(Bucket="bucket", Key="key", Body=b"")


def judge(effect: str, condition: dict[str, Any]) -> PermissionResult:
    """Judge one statement about an object of the bucket."""
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
    policy = IAMPolicy(json.dumps({"Statement": [statement]}))
    return policy.is_action_permitted("s3:GetObject", "arn:aws:s3:::bucket/key")


@pytest.mark.parametrize(
    ("effect", "condition", "result"),
    [
        ("Deny", {}, PermissionResult.DENIED),
        ("Allow", {}, PermissionResult.PERMITTED),
        ("Deny", {"Bool": {"aws:SecureTransport": False}}, PermissionResult.NEUTRAL),
        ("Deny", {"Bool": {"aws:SecureTransport": "true"}}, PermissionResult.DENIED),
        ("Allow", {"Bool": {"aws:SecureTransport": "false"}}, PermissionResult.NEUTRAL),
        ("Deny", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}, PermissionResult.NEUTRAL),
        ("Deny", {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, PermissionResult.NEUTRAL),
        ("Allow", {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, PermissionResult.PERMITTED),
        ("Deny", {"SomethingNew": {"aws:SecureTransport": "x"}}, PermissionResult.NEUTRAL),
    ],
)
def test_what_a_condition_decides(
    monkeypatch: pytest.MonkeyPatch, effect: str, condition: dict[str, Any], result: PermissionResult
) -> None:
    """A statement counts where its condition holds; what cannot be judged locks nobody out."""
    corrections.policy_conditions(monkeypatch)
    assert judge(effect, condition) is result


def test_instance_transitions(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance is pending until it has a body; moto's is running before it could have one."""
    ec2 = aws("ec2")
    stock = run_instance(ec2)
    assert state_of(ec2, stock) == "running"
    ec2.stop_instances(InstanceIds=[stock])
    assert state_of(ec2, stock) == "stopped"
    corrections.instance_transitions(monkeypatch)
    ec2.stop_instances(InstanceIds=[stock])
    assert state_of(ec2, stock) == "stopped"
    ec2.start_instances(InstanceIds=[stock])
    assert state_of(ec2, stock) == "pending"
    corrected = run_instance(ec2)
    assert state_of(ec2, corrected) == "pending"
    ec2.stop_instances(InstanceIds=[corrected])
    assert state_of(ec2, corrected) == "stopping"
    ec2.terminate_instances(InstanceIds=[corrected])
    assert state_of(ec2, corrected) == "terminated"


def test_database_transitions(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database is creating until it has a body; moto's is available before it could have one."""
    rds = aws("rds")
    assert create_database(rds, "stock")["DBInstanceStatus"] == "available"
    rds.modify_db_instance(DBInstanceIdentifier="stock", MasterUserPassword="another-password")
    assert describe_database(rds, "stock")["DBInstanceStatus"] == "available"
    corrections.database_transitions(monkeypatch)
    assert create_database(rds)["DBInstanceStatus"] == "creating"
    rds.modify_db_instance(DBInstanceIdentifier="stock", BackupRetentionPeriod=9)
    assert describe_database(rds, "stock")["DBInstanceStatus"] == "available"
    rds.modify_db_instance(DBInstanceIdentifier="stock", MasterUserPassword="yet-another")
    assert describe_database(rds, "stock")["DBInstanceStatus"] == "resetting-master-credentials"


def test_all_of_them_work_together(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several wrap the same function: none may undo another."""
    corrections.correct_all(monkeypatch)
    database = create_database(aws("rds"))
    assert database["DBInstanceStatus"] == "creating"
    assert database["Iops"] == 3000
    assert database["EngineVersion"].startswith("16.")


def test_every_correction_is_applied() -> None:
    """A correction that is not listed corrects nothing."""
    written = {
        function
        for name, function in vars(corrections).items()
        if callable(function)
        and getattr(function, "__module__", "") == corrections.__name__
        and not name.startswith("_")
        and getattr(function, "__annotations__", {}).get("patch") == "Patcher"
    } - {corrections.correct_all}
    assert written == set(corrections.CORRECTIONS)


def test_folders_of_deleted_objects(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that deleted a run's artifacts must not find their folder."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
    for key in ("1/kept/a", "1/deleted/a"):
        s3.put_object(Bucket="artifacts", Key=key, Body=b"a")
    s3.delete_object(Bucket="artifacts", Key="1/deleted/a")

    def folders() -> list[str]:
        listed = s3.list_objects_v2(Bucket="artifacts", Prefix="1/", Delimiter="/")
        return [folder["Prefix"] for folder in listed["CommonPrefixes"]]

    assert folders() == ["1/deleted/", "1/kept/"]
    corrections.folders_of_deleted_objects(monkeypatch)
    assert folders() == ["1/kept/"]


def test_sums_of_uploads(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums are the same, and nothing is held for the one that nobody asked for."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def upload(**checksum: str) -> dict[str, Any]:
        of = {"Bucket": "artifacts", "Key": "model"}
        upload_id = s3.create_multipart_upload(**of, **checksum)["UploadId"]
        parts = []
        for number, body in enumerate([b"a" * 5 * 2**20, b"b" * 10], start=1):
            part = s3.upload_part(**of, UploadId=upload_id, PartNumber=number, Body=body, **checksum)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        s3.complete_multipart_upload(**of, UploadId=upload_id, MultipartUpload={"Parts": parts})
        found = s3.head_object(**of, ChecksumMode="ENABLED")
        return {name: value for name, value in found.items() if name.startswith(("Checksum", "ETag"))}

    def sums() -> tuple[list[Any], int]:
        builder = MultipartChecksumBuilder(None, None)
        for part in (b"a", b"bc"):
            builder.addPart(part)
        return [builder.build(), upload(), upload(ChecksumAlgorithm="CRC32")], len(builder.complete_object)

    stock, held = sums()
    assert held == 3
    corrections.sums_of_uploads(monkeypatch)
    assert sums() == (stock, 0)


def test_metadata_options_kept(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that a request leaves out stays as it was."""
    ec2 = aws("ec2")
    instance_id = run_instance(ec2)

    def change(**options: Any) -> dict[str, Any]:
        ec2.modify_instance_metadata_options(InstanceId=instance_id, **options)
        found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        changed: dict[str, Any] = found["MetadataOptions"]
        return changed

    change(HttpEndpoint="enabled", HttpTokens="optional")
    assert "HttpEndpoint" not in change(HttpTokens="required")
    corrections.metadata_options_kept(monkeypatch)
    change(HttpEndpoint="enabled", HttpPutResponseHopLimit=2)
    after = change(HttpTokens="optional")
    assert (after["HttpEndpoint"], after["HttpTokens"], after["HttpPutResponseHopLimit"]) == ("enabled", "optional", 2)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_described_rules_are_answered(aws: Clients, monkeypatch: pytest.MonkeyPatch, direction: str) -> None:
    """amazon.aws reads the answer, and fails where there is none."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    getattr(ec2, f"authorize_security_group_{direction}")(GroupId=group, IpPermissions=[rule])
    described = {**rule, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "other"}]}

    def describe() -> dict[str, Any]:
        update = getattr(ec2, f"update_security_group_rule_descriptions_{direction}")
        answer: dict[str, Any] = update(GroupId=group, IpPermissions=[described])
        return answer

    assert "Return" not in describe()
    corrections.described_rules_are_answered(monkeypatch)
    assert describe()["Return"] is True


def test_account_defaults(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """account_info asks for what nobody set yet."""
    ec2 = aws("ec2")
    for ask in (ec2.get_instance_metadata_defaults, ec2.get_snapshot_block_public_access_state):
        with pytest.raises(NotImplementedError):
            ask()
    corrections.account_defaults(monkeypatch)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {}
    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"


def test_network_acl_by_id(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network ACL that exists is found by its id."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "network-acl-id", "Values": [made]}]
    with pytest.raises(NotImplementedError):
        ec2.describe_network_acls(Filters=filters)
    corrections.network_acl_by_id(monkeypatch)
    assert [acl["NetworkAclId"] for acl in ec2.describe_network_acls(Filters=filters)["NetworkAcls"]] == [made]


def test_folders_of_flow_logs(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flow logs go to a folder of a bucket, if there is the bucket, and to each folder once."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    aws("s3").create_bucket(Bucket="company-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def deliver_to(destination: str) -> Any:
        request = {"ResourceType": "VPC", "ResourceIds": [vpc], "TrafficType": "ALL", "LogDestinationType": "s3"}
        return ec2.create_flow_logs(**request, LogDestination=f"arn:aws:s3:::{destination}")

    assert deliver_to("company-logs/one/")["Unsuccessful"]
    corrections.folders_of_flow_logs(monkeypatch)
    for folder in ("one", "two"):
        assert deliver_to(f"company-logs/{folder}/")["Unsuccessful"] == []
    assert deliver_to("nobodys-logs/one/")["Unsuccessful"]
    found = [log["LogDestination"] for log in ec2.describe_flow_logs()["FlowLogs"]]
    assert found == [f"arn:aws:s3:::company-logs/{folder}/" for folder in ("one", "two")]
    with pytest.raises(ClientError, match="FlowLogAlreadyExists"):
        deliver_to("company-logs/one/")


def test_icmp_of_network_acls(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule for "fragmentation needed" is not one for pings."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    needed = {"Type": 3, "Code": 4}

    def kind() -> Any:
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        rule = {"RuleNumber": 100, "Egress": False, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        ec2.create_network_acl_entry(NetworkAclId=acl, Protocol="1", IcmpTypeCode=needed, **rule)
        (entry,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return entry.get("IcmpTypeCode")

    assert kind() is None
    corrections.icmp_of_network_acls(monkeypatch)
    assert kind() == needed


def test_subnet_group_stays(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subnet group is there after it was modified, with its new subnets."""
    rds = aws("rds")
    subnets = [subnet["SubnetId"] for subnet in aws("ec2").describe_subnets()["Subnets"]]

    def modified(name: str) -> list[str]:
        rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=subnets[:2])
        rds.modify_db_subnet_group(DBSubnetGroupName=name, SubnetIds=subnets)
        (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"]
        return [subnet["SubnetIdentifier"] for subnet in group["Subnets"]]

    with pytest.raises(rds.exceptions.DBSubnetGroupNotFoundFault):
        modified("one")
    corrections.subnet_group_stays(monkeypatch)
    assert sorted(modified("two")) == sorted(subnets)


def test_replaced_profile_shows(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance tells the profile that it was given last."""
    ec2, iam = aws("ec2"), aws("iam")
    arns = [iam.create_instance_profile(InstanceProfileName=n)["InstanceProfile"]["Arn"] for n in ("one", "two")]

    def shown() -> str:
        instance_id = run_instance(ec2)
        made = ec2.associate_iam_instance_profile(IamInstanceProfile={"Arn": arns[0]}, InstanceId=instance_id)
        ec2.replace_iam_instance_profile_association(
            AssociationId=made["IamInstanceProfileAssociation"]["AssociationId"], IamInstanceProfile={"Arn": arns[1]}
        )
        found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        arn: str = found["IamInstanceProfile"]["Arn"]
        return arn

    assert shown() == arns[0]
    corrections.replaced_profile_shows(monkeypatch)
    assert shown() == arns[1]
