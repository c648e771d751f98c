"""deployment_info at its boundary: arguments in, JSON out."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import deployment_info
from ansible_collections.mlops.mlflow.tests.unit.support.aws_models import read_models_once
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import (
    COMMON,
    documentable,
    specified,
    undocumented,
)
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun
from moto import mock_aws

Read = Callable[..., dict[str, Any]]

TAGS = {"mlflow_project": "mlflow", "mlflow_env": "dev"}
ARGUMENTS: dict[str, object] = {"tags": TAGS, "region": "eu-central-1", "access_key": "key", "secret_key": "hidden"}


EVERYTHING = {
    **ARGUMENTS,
    "network": True,
    "bucket": "ours",
    "log_bucket": "log-bucket",
    "secrets": ["mlflow/dev/x"],
    "parameter_group": "group",
    "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000",
}


@pytest.fixture
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture(scope="module")
def read(run_module: ModuleRun) -> Iterator[Read]:
    """Run the module on an AWS that stands for all tests here: loading its models is what takes time."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        read_models_once(patch)
        yield functools.partial(run_module, deployment_info)


@pytest.fixture(scope="module")
def empty(read: Read) -> dict[str, Any]:
    """Read an account in which nothing is."""
    return read({**EVERYTHING, "bucket": "mlflow-dev-{account_id}"})


@pytest.fixture(scope="module")
def deployed(empty: dict[str, Any]) -> dict[str, str]:
    """Put one of everything that the module looks for into the account; return the ids."""
    assert empty["network"]["vpcs"] == []
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    s3, ec2, manager, rds, kms = (
        boto3.client(name, region_name="eu-central-1", aws_access_key_id="key", aws_secret_access_key="hidden")
        for name in ("s3", "ec2", "secretsmanager", "rds", "kms")
    )
    for name in ("ours", "other"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})

    s3.create_bucket(Bucket="log-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    log_writer = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**log_writer, "Resource": "arn:aws:s3:::log-bucket/*"}]}
    s3.put_bucket_policy(Bucket="log-bucket", Policy=json.dumps(policy))
    s3.put_bucket_logging(
        Bucket="ours",
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "log-bucket", "TargetPrefix": "ours/"}},
    )

    def tagged(kind: str) -> list[dict[str, object]]:
        return [{"ResourceType": kind, "Tags": tags}]

    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged("network-acl"))
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.0.0/20", TagSpecifications=tagged("subnet"))
    ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))
    ec2.create_security_group(VpcId=vpc, GroupName="group", Description="-", TagSpecifications=tagged("security-group"))
    endpoint = {"VpcId": vpc, "ServiceName": "com.amazonaws.eu-central-1.s3"}
    ec2.create_vpc_endpoint(**endpoint, TagSpecifications=tagged("vpc-endpoint"))
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::log-bucket",
        TagSpecifications=tagged("vpc-flow-log"),
    )
    rds.create_db_parameter_group(DBParameterGroupName="group", DBParameterGroupFamily="postgres16", Description="-")
    force = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="group", Parameters=[force])
    secret = manager.create_secret(Name="mlflow/dev/x", SecretString="not to be seen")
    return {"vpc": vpc, "secret": secret["ARN"], "key": kms.create_key()["KeyMetadata"]["Arn"]}


@pytest.fixture(scope="module")
def found(read: Read, deployed: dict[str, str]) -> dict[str, Any]:
    """Read the account with everything in it."""
    return read({**EVERYTHING, "kms_key": deployed["key"]})


def test_an_empty_account(empty: dict[str, Any]) -> None:
    assert empty["changed"] is False
    assert empty["bucket"] == {
        "name": f"mlflow-dev-{empty['account_id']}",
        "ownership": "missing",
        "region": "",
        "settings": {},
        "others": [],
    }
    assert empty["log_bucket"] == {"name": "log-bucket", "ownership": "missing", "region": ""}
    assert empty["secrets"] == {}
    assert empty["parameters"] == {}
    assert empty["kms_key_state"] == "Missing"
    assert len(empty["network"].pop("zones")) >= 2
    assert set(map(tuple, empty["network"].values())) == {()}


def test_what_exists_is_found(found: dict[str, Any], deployed: dict[str, str]) -> None:
    assert found["bucket"]["ownership"] == "ours"
    assert found["bucket"]["settings"]["tags"] == TAGS
    assert found["bucket"]["others"] == ["other"]
    assert found["bucket"]["settings"]["access_log"] == {"TargetBucket": "log-bucket", "TargetPrefix": "ours/"}
    assert found["log_bucket"]["ownership"] == "ours"
    assert found["secrets"]["mlflow/dev/x"]["arn"] == deployed["secret"]
    assert found["parameters"]["rds.force_ssl"] == "1"
    assert found["kms_key_state"] == "Enabled"
    assert [vpc["id"] for vpc in found["network"]["vpcs"]] == [deployed["vpc"]]
    for kind in ("subnets", "route_tables", "network_acls", "endpoints", "flow_logs", "security_groups"):
        assert [part["vpc_id"] for part in found["network"][kind]] == [deployed["vpc"]]


def test_no_secrets_value_is_read(found: dict[str, Any]) -> None:
    assert "not to be seen" not in str(found)


def test_check_mode_does_the_same(found: dict[str, Any], read: Read, deployed: dict[str, str]) -> None:
    assert read({**EVERYTHING, "kms_key": deployed["key"]}, check_mode=True) == found
    assert found["changed"] is False


def test_what_is_not_asked_for_is_not_read(read: Read) -> None:
    assert read(ARGUMENTS).keys() - COMMON == {"account_id", "caller_arn", "partition"}


def test_documented_results_are_the_modules_own(found: dict[str, Any]) -> None:
    documented = yaml.safe_load(deployment_info.RETURN)
    assert undocumented(documented, {key: value for key, value in found.items() if key not in COMMON}) == []
    # The secrets' own names are keys, so what stands under them is documented in words.
    words = re.findall(r"C\((\w+)\)", documented["secrets"]["description"])
    assert set(words) == set(found["secrets"]["mlflow/dev/x"])


def test_documented_options_are_the_modules_own() -> None:
    documented = yaml.safe_load(deployment_info.DOCUMENTATION)["options"]
    assert specified(documented) == documentable(deployment_info.ARGUMENTS)


def test_an_unknown_region_is_told_without_asking_anyone(run_module: ModuleRun) -> None:
    result = run_module(deployment_info, {**ARGUMENTS, "region": "eu-centrel-1"})
    assert "Did you mean eu-central-1" in result["msg"]


@pytest.mark.usefixtures("_no_credentials")
def test_missing_credentials_are_told(run_module: ModuleRun) -> None:
    result = run_module(deployment_info, {"tags": TAGS, "region": "eu-central-1"})
    assert result["msg"].startswith("No AWS credentials were found")
