"""Where AWS delivers the logs of a VPC and of a bucket: what there is, and how to have it delivered elsewhere.

Nothing here knows about Ansible.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError, as_tags

# AnsibleAWSModule reports a missing library before any of this is used.
with contextlib.suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError


def same_destination(one: str, other: str) -> bool:
    """Say whether two ARNs name one folder: AWS takes it with and without the slash at its end."""
    return one.rstrip("/") == other.rstrip("/")


def read_flow_logs(ec2: Any, vpc_id: str, name: str) -> list[dict[str, Any]]:
    """Return id, destination and tags of a VPC's flow logs of one name; a VPC may have others beside."""
    filters = [{"Name": "resource-id", "Values": [vpc_id]}, {"Name": "tag:Name", "Values": [name]}]
    try:
        pages = ec2.get_paginator("describe_flow_logs").paginate(Filter=filters).build_full_result()
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(f"Reading the flow logs of {vpc_id} failed: {error}") from error
    return [
        {"id": log["FlowLogId"], "destination": log["LogDestination"], "tags": as_tags(log.get("Tags") or [])}
        for log in pages["FlowLogs"]
    ]


def make_flow_log(ec2: Any, vpc_id: str, destination: str, tags: Mapping[str, str]) -> str:
    """Let AWS deliver what the VPC's interfaces accept and refuse to a bucket; return the flow log's id.

    EC2 answers 200 where it made nothing, and says beside what was in the way.
    """
    request = {
        "ResourceType": "VPC",
        "ResourceIds": [vpc_id],
        "TrafficType": "ALL",
        "LogDestinationType": "s3",
        "LogDestination": destination,
        "TagSpecifications": [
            {
                "ResourceType": "vpc-flow-log",
                "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            }
        ],
    }
    advice = (
        "Check that the bucket exists and that its policy lets delivery.logs.amazonaws.com write; "
        "the caller needs ec2:CreateFlowLogs and logs:CreateLogDelivery."
    )
    try:
        answer = ec2.create_flow_logs(**request)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(f"Having the flow logs of {vpc_id} in {destination} failed: {error}. {advice}") from error
    for refused in answer.get("Unsuccessful") or []:
        reason = refused["Error"].get("Message") or refused["Error"].get("Code", "")
        raise DeploymentError(f"Having the flow logs of {vpc_id} in {destination} failed: {reason}. {advice}")
    return str(answer["FlowLogIds"][0])


def end_flow_logs(ec2: Any, ids: Iterable[str]) -> None:
    """Let AWS deliver no more of these. What was delivered stays where it is."""
    wanted = list(ids)
    try:
        answer = ec2.delete_flow_logs(FlowLogIds=wanted)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"Ending the flow logs {', '.join(wanted)} failed: {error}. If AWS denied it, grant ec2:DeleteFlowLogs "
            "and logs:DeleteLogDelivery; else run again."
        ) from error
    for refused in answer.get("Unsuccessful") or []:
        raise DeploymentError(f"Ending the flow log {refused['ResourceId']} failed: {refused['Error'].get('Message')}.")


def read_access_log(s3: Any, bucket: str, account_id: str) -> dict[str, str]:
    """Return the bucket and the folder that take a bucket's server access logs, both "" where none are kept."""
    try:
        answer = s3.get_bucket_logging(Bucket=bucket, ExpectedBucketOwner=account_id)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(f"Reading where the access logs of {bucket} go failed: {error}") from error
    enabled = answer.get("LoggingEnabled") or {}
    return {"target_bucket": enabled.get("TargetBucket", ""), "target_prefix": enabled.get("TargetPrefix", "")}


def keep_access_log(s3: Any, bucket: str, account_id: str, target: Mapping[str, str]) -> None:
    """Let S3 deliver a bucket's server access logs to another bucket of the same account and region.

    Its policy, not its access control list, has to let them in: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    status = {"TargetBucket": target["target_bucket"], "TargetPrefix": target["target_prefix"]}
    try:
        s3.put_bucket_logging(
            Bucket=bucket, ExpectedBucketOwner=account_id, BucketLoggingStatus={"LoggingEnabled": status}
        )
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"Having the access logs of {bucket} in {target['target_bucket']} failed: {error}. That bucket has to be "
            "of the same account and region; the caller needs s3:PutBucketLogging."
        ) from error
