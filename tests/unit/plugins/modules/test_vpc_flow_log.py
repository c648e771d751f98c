"""vpc_flow_log at its boundary: arguments in, JSON out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.module_utils.log_delivery import end_flow_logs
from ansible_collections.mlops.mlflow.plugins.modules import vpc_flow_log
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
ARGUMENTS: dict[str, object] = {"name": "mlflow-dev", "region": REGION, "access_key": "key", "secret_key": "hidden"}
OLD, NEW = "arn:aws:s3:::log-bucket", "arn:aws:s3:::another"

OTHERS = "arn:aws:s3:::others"

Run = Callable[..., dict[str, Any]]


class Aws:
    """An account with a VPC, a bucket for logs, and a flow log of the VPC that is somebody else's."""

    def __init__(self) -> None:
        self.ec2, s3 = (
            boto3.client(name, region_name=REGION, aws_access_key_id="key", aws_secret_access_key="hidden")
            for name in ("ec2", "s3")
        )
        for name in ("log-bucket", "another", "others"):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.vpc = self.ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
        (self.others,) = self.ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[self.vpc],
            TrafficType="REJECT",
            LogDestinationType="s3",
            LogDestination=OTHERS,
        )["FlowLogIds"]

    @property
    def ours(self) -> list[tuple[str, dict[str, str]]]:
        """Destination and tags of every flow log but the other's, which has to be there."""
        logs = {log["FlowLogId"]: log for log in self.ec2.describe_flow_logs()["FlowLogs"]}
        assert logs.pop(self.others)["TrafficType"] == "REJECT"
        assert all((log["ResourceId"], log["TrafficType"]) == (self.vpc, "ALL") for log in logs.values())
        return [
            (log["LogDestination"], {tag["Key"]: tag["Value"] for tag in log["Tags"]})
            for log in logs.values()
        ]  # fmt: skip


@pytest.fixture
def aws() -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        read_models_once(patch)
        yield Aws()


@pytest.fixture
def change(run_module: ModuleRun, aws: Aws) -> Run:
    """Run the module on the VPC."""

    def run(*, check_mode: bool = False, **arguments: object) -> dict[str, Any]:
        return run_module(vpc_flow_log, {"vpc_id": aws.vpc, **ARGUMENTS, **arguments}, check_mode=check_mode)

    return run


def test_it_is_made_once(change: Run, aws: Aws) -> None:
    wanted = {"destination": OLD, "tags": {"mlflow_env": "dev"}}
    checked = change(**wanted, check_mode=True)
    assert (checked["changed"], checked["flow_log_ids"], aws.ours) == (True, [], [])
    made = change(**wanted)
    assert (made["changed"], made["diff"]) == (True, checked["diff"])
    assert aws.ours == [(OLD, {"mlflow_env": "dev", "Name": "mlflow-dev"})]
    again = change(**wanted)
    assert (again["changed"], again["flow_log_ids"]) == (False, made["flow_log_ids"])
    assert again["diff"]["before"] == again["diff"]["after"]
    documented = yaml.safe_load(vpc_flow_log.RETURN)
    assert undocumented(documented, {key: made[key] for key in made.keys() - COMMON - {"diff"}}) == []


def test_another_destination_is_another_flow_log_and_the_old_one_ends_last(
    change: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = change(destination=OLD)
    assert change(destination=NEW, check_mode=True)["changed"]
    assert [destination for destination, _tags in aws.ours] == [OLD]

    def there_are_two(ec2: Any, ids: list[str]) -> None:
        assert [destination for destination, _tags in aws.ours] == [OLD, NEW]
        end_flow_logs(ec2, ids)

    monkeypatch.setattr(f"{vpc_flow_log.__name__}.end_flow_logs", there_are_two)
    moved = change(destination=NEW)
    assert moved["changed"]
    assert moved["flow_log_ids"] != before["flow_log_ids"]
    assert [destination for destination, _tags in aws.ours] == [NEW]


def test_tags_are_changed_in_place(change: Run, aws: Aws) -> None:
    made = change(destination=OLD, tags={"team": "one", "old": "tag"})
    assert change(destination=OLD, tags={"team": 2}, check_mode=True)["changed"]
    assert aws.ours == [(OLD, {"team": "one", "old": "tag", "Name": "mlflow-dev"})]
    tagged = change(destination=OLD, tags={"team": 2})
    assert (tagged["changed"], tagged["flow_log_ids"]) == (True, made["flow_log_ids"])
    assert aws.ours == [(OLD, {"team": "2", "Name": "mlflow-dev"})]


def test_it_ends_once(change: Run, aws: Aws) -> None:
    change(destination=OLD)
    assert change(state="absent", check_mode=True)["changed"]
    assert len(aws.ours) == 1
    ended = change(state="absent")
    assert (ended["changed"], ended["flow_log_ids"], aws.ours) == (True, [], [])
    assert change(state="absent")["changed"] is False


def test_a_bucket_that_is_not_there_is_named(change: Run, aws: Aws) -> None:
    change(destination=OLD)
    result = change(destination="arn:aws:s3:::nowhere")
    assert "in arn:aws:s3:::nowhere failed: LogDestination: nowhere does not exist" in result["msg"]
    assert [destination for destination, _tags in aws.ours] == [OLD], "the one that there is goes on"


def test_documented_options_are_the_modules_own() -> None:
    documented = yaml.safe_load(vpc_flow_log.DOCUMENTATION)["options"]
    assert specified(documented) == documentable(vpc_flow_log.ARGUMENTS)
