"""Logs in a bucket that the account has for them: `pytest tests/provision/log_delivery.py`.

In an account that looks as `account.py` says. The last of these leaves it so but for a flow log, whose bucket is gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.deployment import ROOT, Deployment, Play
from tests.provision.account import Account, tags

BUCKET, OTHER = "company-logs", "company-archive"
# The policy that operators are given for such a bucket.
(POLICY,) = re.findall(
    r"^## Logs of the network and the bucket$.*?```json\n(.*?)```", (ROOT / "docs/operator.md").read_text(), re.S | re.M
)


@pytest.fixture(scope="module")
def account(deployment: Deployment) -> Iterator[Account]:
    """Have two buckets for logs beside the deployment."""
    found = Account(deployment)
    for name in (BUCKET, OTHER):
        found.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": found.region})
        found.s3.put_bucket_policy(Bucket=name, Policy=POLICY.replace(BUCKET, name))
    yield found
    # S3 has no other request that ends a bucket's log.
    found.s3.put_bucket_logging(Bucket=found.bucket, BucketLoggingStatus={})
    for name in (BUCKET, OTHER):
        for entry in found.s3.list_objects_v2(Bucket=name).get("Contents", []):
            found.s3.delete_object(Bucket=name, Key=entry["Key"])
        found.s3.delete_bucket(Bucket=name)


def flow_logs(account: Account) -> list[tuple[str, str, dict[str, str]]]:
    """Return traffic, destination and tags of each flow log of the VPC."""
    found = account.ec2.describe_flow_logs(Filter=[{"Name": "resource-id", "Values": [account.vpc["VpcId"]]}])
    return [(log["TrafficType"], log["LogDestination"], tags(log["Tags"])) for log in found["FlowLogs"]]


def access_log(account: Account) -> Any:
    """Return where the artifacts' access log goes."""
    return account.s3.get_bucket_logging(Bucket=account.bucket).get("LoggingEnabled")


def provision(deployment: Deployment, *arguments: str, **variables: object) -> Play:
    """Play the network's and the bucket's part."""
    extra = "--extra-vars", json.dumps(variables)
    return deployment.play("playbooks/provision.yml", "--tags", "network,artifact_store", *extra, *arguments)


WANTED = {"network_flow_log_destination": f"arn:aws:s3:::{BUCKET}", "artifact_store_access_log_bucket": BUCKET}


def test_both_go_where_they_shall_and_a_dry_run_says_so(deployment: Deployment, account: Account) -> None:
    dry = provision(deployment, "--check", **WANTED)
    assert (dry.returncode, dry.changed) == (0, {"localhost": 2}), dry.output
    assert f"access log: none -> to {BUCKET}, below {account.bucket}/" in dry.output
    assert (flow_logs(account), access_log(account)) == ([], None)
    play = provision(deployment, **WANTED)
    assert play.returncode == 0, play.output
    assert flow_logs(account) == [("ALL", f"arn:aws:s3:::{BUCKET}", account.tagged(account.name))]
    assert access_log(account) == {"TargetBucket": BUCKET, "TargetPrefix": f"{account.bucket}/"}


def test_neither_is_touched_again_nor_taken_away_by_who_asks_for_none(deployment: Deployment, account: Account) -> None:
    before = flow_logs(account), access_log(account)
    play = provision(deployment, network_flow_log_destination=WANTED["network_flow_log_destination"])
    assert (play.returncode, play.changed) == (0, {"localhost": 0}), play.output
    assert (flow_logs(account), access_log(account)) == before


def test_a_bucket_that_is_not_there_is_refused_with_nothing_touched(deployment: Deployment, account: Account) -> None:
    before = flow_logs(account), access_log(account)
    moved = {**WANTED, "network_flow_log_destination": f"arn:aws:s3:::{OTHER}"}
    play = provision(deployment, **{**moved, "artifact_store_access_log_bucket": "nobodys-bucket"})
    assert play.returncode != 0
    assert "artifact_store_access_log_bucket is nobodys-bucket" in play.one_line, play.output
    assert (flow_logs(account), access_log(account)) == before


def test_another_bucket_takes_its_place(deployment: Deployment, account: Account) -> None:
    kept = access_log(account)
    play = provision(deployment, **{**WANTED, "network_flow_log_destination": f"arn:aws:s3:::{OTHER}"})
    assert (play.returncode, play.changed) == (0, {"localhost": 1}), play.output
    assert [destination for _traffic, destination, _tags in flow_logs(account)] == [f"arn:aws:s3:::{OTHER}"]
    assert access_log(account) == kept
