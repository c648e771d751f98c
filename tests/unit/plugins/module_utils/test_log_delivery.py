"""What AWS says of logs that it delivers, and what is said where it doesn't."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError
from ansible_collections.mlops.mlflow.plugins.module_utils.log_delivery import (
    end_flow_logs,
    keep_access_log,
    make_flow_log,
    read_access_log,
    read_flow_logs,
    same_destination,
)
from botocore.exceptions import ClientError, EndpointConnectionError

LOGS = "arn:aws:s3:::logs/mlflow/"
TARGET = {"target_bucket": "logs", "target_prefix": "b/"}


@pytest.mark.parametrize(
    ("other", "same"),
    [(LOGS, True), ("arn:aws:s3:::logs/mlflow", True), ("arn:aws:s3:::logs", False), ("arn:aws:s3:::logs/ml", False)],
)
def test_a_slash_at_the_end_makes_no_other_folder(other: str, same: bool) -> None:
    assert same_destination(LOGS, other) is same
    assert same_destination(other, LOGS) is same


class Broken:
    """A client that answers everything with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, operation: str) -> Any:
        def call(*_operation: str, **_request: Any) -> Any:
            raise self._error

        return call


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "CreateFlowLogs"),
        EndpointConnectionError(endpoint_url="https://ec2"),
    ],
)
def test_a_failure_names_what_was_attempted_and_what_it_takes(error: Exception) -> None:
    client = Broken(error)
    with pytest.raises(DeploymentError, match="Reading the flow logs of vpc-1 failed"):
        read_flow_logs(client, "vpc-1", "name")
    with pytest.raises(DeploymentError, match=rf"of vpc-1 in {LOGS} failed: .*logs:CreateLogDelivery"):
        make_flow_log(client, "vpc-1", LOGS, {})
    with pytest.raises(DeploymentError, match=r"Ending the flow logs fl-1, fl-2 failed: .*logs:DeleteLogDelivery"):
        end_flow_logs(client, ["fl-1", "fl-2"])
    with pytest.raises(DeploymentError, match="Reading where the access logs of b go failed"):
        read_access_log(client, "b", "123456789012")
    with pytest.raises(DeploymentError, match=r"Having the access logs of b in logs failed: .*s3:PutBucketLogging"):
        keep_access_log(client, "b", "123456789012", TARGET)


class Halfhearted:
    """An EC2 that answers 200 to what it refuses, as AWS's does where a bucket's policy lets no logs in."""

    def __getattr__(self, operation: str) -> Any:
        error = {"Code": "400", "Message": "Access Denied for logs"}
        return lambda **_request: {"FlowLogIds": [], "Unsuccessful": [{"ResourceId": "vpc-1", "Error": error}]}


def test_what_is_refused_in_a_good_answer_is_a_failure() -> None:
    with pytest.raises(DeploymentError, match=r"Access Denied for logs.*its policy lets delivery\.logs"):
        make_flow_log(Halfhearted(), "vpc-1", LOGS, {})
    with pytest.raises(DeploymentError, match="Ending the flow log vpc-1 failed: Access Denied for logs"):
        end_flow_logs(Halfhearted(), ["fl-1"])
