"""What the account holds: asked of clients that answer as AWS does, errors included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import (
    DeploymentError,
    check_region,
    probe_bucket,
    read_account,
    read_bucket,
    read_deployment,
    read_key_state,
    read_network,
    read_parameters,
    read_secrets,
)
from ansible_collections.mlops.mlflow.tests.unit.support.canned import canned
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

ACCOUNT = "123456789012"
TAGS = {"mlflow_project": "mlflow", "mlflow_env": "dev"}


def refusal(code: str, status: int = 400) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")


class Client:
    """A client with canned answers: a value, an error, or a function of the request."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.requests.append((operation, request))
            return canned(self._answers[operation], request)

        return call

    def get_paginator(self, operation: str) -> Any:
        """Return a paginator with one page."""

        class Pages(list[Any]):
            def build_full_result(self) -> Any:
                return self[0]

        class Paginator:
            paginate = staticmethod(lambda **request: Pages([getattr(self, operation)(**request)]))

        return Paginator()


IDENTITY = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ops"}


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1"])
def test_a_known_region_is_taken(region: str) -> None:
    assert check_region(region, ["eu-central-1", "us-gov-west-1"]) == region


def test_an_unknown_region_names_those_that_look_like_it() -> None:
    with pytest.raises(DeploymentError, match=r"eu-centrel-1: .* Did you mean eu-central-1"):
        check_region("eu-centrel-1", ["eu-central-1", "us-east-1"])


@pytest.mark.parametrize("region", ["", None])
def test_no_region_is_an_error(region: str | None) -> None:
    with pytest.raises(DeploymentError, match=r"mlflow_aws\.region is empty"):
        check_region(region, ["eu-central-1"])


def test_the_account_tells_the_partition() -> None:
    identity = {**IDENTITY, "Arn": f"arn:aws-us-gov:iam::{ACCOUNT}:user/ops"}
    account = read_account(lambda _: Client(get_caller_identity=identity))
    assert (account["account_id"], account["partition"]) == (ACCOUNT, "aws-us-gov")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "No AWS credentials were found"),
        (refusal("ExpiredToken", 403), "AWS refused the credentials"),
        (refusal("InvalidClientTokenId", 403), "AWS refused the credentials"),
        (refusal("Throttling"), "Asking AWS whose credentials"),
        (EndpointConnectionError(endpoint_url="https://sts"), "AWS could not be reached"),
    ],
)
def test_why_there_is_no_account_is_said(error: Exception, said: str) -> None:
    with pytest.raises(DeploymentError, match=said):
        read_account(lambda _: Client(get_caller_identity=error))


@pytest.mark.parametrize(
    ("answer", "ownership"),
    [
        ({"BucketRegion": "eu-central-1"}, "ours"),
        (refusal("404", 404), "missing"),
        (refusal("403", 403), "foreign"),
        (refusal("301", 301), "foreign"),
        (refusal("400", 400), "foreign"),
    ],
)
def test_whose_a_bucket_is(answer: Any, ownership: str) -> None:
    s3 = Client(head_bucket=answer)
    assert probe_bucket(s3, "b", ACCOUNT)["ownership"] == ownership
    assert s3.requests == [("head_bucket", {"Bucket": "b", "ExpectedBucketOwner": ACCOUNT})]


def test_our_buckets_region_is_told() -> None:
    s3 = Client(head_bucket={"BucketRegion": "eu-central-1"})
    assert probe_bucket(s3, "b", ACCOUNT)["region"] == "eu-central-1"
    assert probe_bucket(Client(head_bucket={}), "b", ACCOUNT)["region"] == ""


def test_a_failure_of_s3_is_no_answer() -> None:
    with pytest.raises(ClientError):
        probe_bucket(Client(head_bucket=refusal("503", 503)), "b", ACCOUNT)


def bare_bucket(**answers: Any) -> Client:
    """Return an S3 whose bucket was just created."""
    return Client(
        **{
            "head_bucket": {"BucketRegion": "eu-central-1"},
            "get_bucket_encryption": refusal("ServerSideEncryptionConfigurationNotFoundError"),
            "get_bucket_ownership_controls": refusal("OwnershipControlsNotFoundError"),
            "get_bucket_policy": refusal("NoSuchBucketPolicy"),
            "get_bucket_versioning": {},
            "get_public_access_block": refusal("NoSuchPublicAccessBlockConfiguration"),
            "get_bucket_lifecycle_configuration": refusal("NoSuchLifecycleConfiguration"),
            "get_bucket_logging": {},
            "get_bucket_tagging": refusal("NoSuchTagSet"),
            "list_object_versions": {},
            **answers,
        }
    )


def test_a_bare_bucket_has_no_settings() -> None:
    assert read_bucket(bare_bucket(), "b", ACCOUNT) == {
        "versioning": "Off",
        "encryption": [],
        "public_access_block": {},
        "object_ownership": "",
        "policy": {},
        "lifecycle": [],
        "access_log": {},
        "tags": {},
        "empty": True,
    }


@pytest.mark.parametrize("what", ["Versions", "DeleteMarkers"])
def test_an_old_version_or_a_marker_is_content(what: str) -> None:
    bucket = bare_bucket(list_object_versions={what: [{"Key": "a"}]})
    assert read_bucket(bucket, "b", ACCOUNT)["empty"] is False


def test_every_question_about_a_bucket_names_the_owner_it_expects() -> None:
    s3 = bare_bucket()
    read_bucket(s3, "b", ACCOUNT)
    assert all(request["ExpectedBucketOwner"] == ACCOUNT for _operation, request in s3.requests)


def test_a_denied_setting_is_an_error_with_who_asked() -> None:
    clients = {
        "sts": Client(get_caller_identity=IDENTITY),
        "s3": bare_bucket(get_bucket_policy=refusal("AccessDenied", 403)),
    }
    with pytest.raises(DeploymentError, match=r"Reading the bucket b as arn:aws:iam::\d+:user/ops failed"):
        read_deployment(clients.__getitem__, TAGS, network=False, bucket="b", secrets=[])


@pytest.mark.parametrize(
    ("service", "operation", "asked", "said"),
    [
        ("ec2", "describe_availability_zones", {"network": True}, "the deployment's network"),
        ("secretsmanager", "describe_secret", {"secrets": ["x", "y"]}, "the secrets x, y"),
        ("rds", "describe_db_parameters", {"parameter_group": "g"}, "the parameter group g"),
    ],
)
def test_whatever_is_denied_is_named(service: str, operation: str, asked: dict[str, Any], said: str) -> None:
    clients = {
        "sts": Client(get_caller_identity=IDENTITY),
        service: Client(**{operation: refusal("AccessDeniedException")}),
    }
    with pytest.raises(DeploymentError, match=rf"Reading {said} as arn:aws:iam::\d+:user/ops failed"):
        read_deployment(clients.__getitem__, TAGS, **{"network": False, "bucket": "", "secrets": [], **asked})


def test_the_account_stands_in_the_buckets_name_and_deleted_buckets_are_left_out() -> None:
    def head(request: dict[str, Any]) -> Any:
        return refusal("404", 404) if request["Bucket"] in ("gone", f"b-{ACCOUNT}") else {}

    arns = [{"ResourceARN": f"arn:aws:s3:::{name}"} for name in ("gone", "old")]
    clients = {
        "sts": Client(get_caller_identity=IDENTITY),
        "s3": Client(head_bucket=head),
        "resourcegroupstaggingapi": Client(get_resources={"ResourceTagMappingList": arns}),
    }
    facts = read_deployment(clients.__getitem__, TAGS, network=False, bucket="b-{account_id}", secrets=[])
    assert facts["bucket"] == {
        "name": f"b-{ACCOUNT}",
        "ownership": "missing",
        "region": "",
        "settings": {},
        "others": ["old"],
    }


def test_secrets_that_are_missing_are_left_out_and_no_value_is_read() -> None:
    def describe(request: dict[str, Any]) -> Any:
        if request["SecretId"] == "missing":
            return refusal("ResourceNotFoundException")
        return {"ARN": "arn:1", "Tags": [{"Key": "a", "Value": "b"}], "DeletedDate": datetime.now(tz=UTC)}

    manager = Client(describe_secret=describe)
    found = read_secrets(manager, ["there", "missing"])
    assert found == {"there": {"arn": "arn:1", "tags": {"a": "b"}, "scheduled_for_deletion": True}}
    assert {operation for operation, _request in manager.requests} == {"describe_secret"}


def test_the_network_is_what_carries_the_tags_and_is_not_deleted() -> None:
    ec2 = Client(
        describe_availability_zones={
            "AvailabilityZones": [{"ZoneName": "eu-central-1b"}, {"ZoneName": "eu-central-1a"}]
        },
        describe_vpcs={"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.42.0.0/16", "State": "available"}]},
        describe_subnets={"Subnets": []},
        describe_route_tables={"RouteTables": [{"RouteTableId": "rtb-1", "Tags": [{"Key": "Name", "Value": "n"}]}]},
        describe_network_acls={"NetworkAcls": [{"NetworkAclId": "acl-1", "Tags": [{"Key": "Name", "Value": "a"}]}]},
        describe_vpc_endpoints={"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "State": "Deleted"}]},
        describe_flow_logs={
            "FlowLogs": [{"FlowLogId": "fl-1", "ResourceId": "vpc-1", "LogDestination": "arn:aws:s3:::logs"}]
        },
        describe_security_groups={"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "g", "VpcId": "vpc-1"}]},
    )
    network = read_network(ec2, TAGS)
    assert network["zones"] == ["eu-central-1a", "eu-central-1b"]
    assert [(vpc["id"], vpc["cidr"]) for vpc in network["vpcs"]] == [("vpc-1", "10.42.0.0/16")]
    assert [table["name"] for table in network["route_tables"]] == ["n"]
    assert [(acl["id"], acl["name"]) for acl in network["network_acls"]] == [("acl-1", "a")]
    assert network["endpoints"] == []
    assert [(log["id"], log["vpc_id"], log["destination"]) for log in network["flow_logs"]] == [
        ("fl-1", "vpc-1", "arn:aws:s3:::logs")
    ]
    assert [(group["name"], group["vpc_id"]) for group in network["security_groups"]] == [("g", "vpc-1")]
    # EC2 has another name for it where flow logs are meant.
    filters = [
        request["Filter" if operation == "describe_flow_logs" else "Filters"]
        for operation, request in ec2.requests
        if operation != "describe_availability_zones"
    ]
    assert all(
        found == [{"Name": "tag:mlflow_env", "Values": ["dev"]}, {"Name": "tag:mlflow_project", "Values": ["mlflow"]}]
        for found in filters
    )


def test_parameters_without_a_value_are_left_out_and_a_missing_group_has_none() -> None:
    parameters = [{"ParameterName": "rds.force_ssl", "ParameterValue": "0"}, {"ParameterName": "work_mem"}]
    assert read_parameters(Client(describe_db_parameters={"Parameters": parameters}), "g") == {"rds.force_ssl": "0"}
    assert read_parameters(Client(describe_db_parameters=refusal("DBParameterGroupNotFound", 404)), "g") == {}
    with pytest.raises(ClientError):
        read_parameters(Client(describe_db_parameters=refusal("AccessDenied", 403)), "g")


def test_an_endpoint_names_its_route_tables_and_its_policy() -> None:
    pages: dict[str, Any] = {
        "describe_vpcs": {"Vpcs": []},
        "describe_subnets": {"Subnets": []},
        "describe_route_tables": {"RouteTables": []},
        "describe_network_acls": {"NetworkAcls": []},
        "describe_flow_logs": {"FlowLogs": []},
        "describe_security_groups": {"SecurityGroups": []},
    }
    endpoint = {"VpcEndpointId": "vpce-1", "RouteTableIds": ["rtb-2", "rtb-1"], "PolicyDocument": '{ "Statement": [] }'}
    ec2 = Client(
        describe_availability_zones={"AvailabilityZones": []},
        describe_vpc_endpoints={"VpcEndpoints": [endpoint]},
        **pages,
    )
    (found,) = read_network(ec2, TAGS)["endpoints"]
    assert (found["route_table_ids"], found["policy"]) == (["rtb-1", "rtb-2"], {"Statement": []})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"KeyMetadata": {"KeyState": "Enabled"}}, "Enabled"),
        ({"KeyMetadata": {"KeyState": "PendingDeletion"}}, "PendingDeletion"),
        (refusal("NotFoundException"), "Missing"),
        (refusal("AccessDeniedException"), "Unknown"),
    ],
)
def test_the_state_of_a_key(answer: Any, state: str) -> None:
    kms = Client(describe_key=answer)
    assert read_key_state(kms, "arn:key") == state
    assert kms.requests == [("describe_key", {"KeyId": "arn:key"})]


def test_a_key_that_is_not_answered_for_is_named() -> None:
    clients = {"sts": Client(get_caller_identity=IDENTITY), "kms": Client(describe_key=refusal("KMSInternalException"))}
    with pytest.raises(DeploymentError, match=r"Reading the key arn:key as arn:aws:iam::\d+:user/ops failed"):
        read_deployment(clients.__getitem__, TAGS, network=False, bucket="", secrets=[], kms_key="arn:key")
