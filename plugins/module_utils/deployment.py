"""What an AWS account already holds for one deployment: the reading behind deployment_info.

Nothing here knows about Ansible: clients come in as arguments, facts go out as plain dictionaries, and every
failure is one `DeploymentError` that says what was attempted and what to do next.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# AnsibleAWSModule reports a missing library before any of this is used.
with contextlib.suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

# S3 answers "this setting was never made" with an error of its own for each setting.
_NEVER_SET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
_REFUSED_CREDENTIALS = frozenset(
    {"AuthFailure", "ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
ACCOUNT_PLACEHOLDER = "{account_id}"


class DeploymentError(Exception):
    """The account could not be read, or holds something that must not be touched."""


# Gives the client of one AWS service, as `AnsibleAWSModule.client` does.
Clients = Callable[[str], Any]


def error_code(error: Any) -> str:
    """Return the code of a ClientError, "" for any other error."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def check_region(region: str | None, known: Iterable[str]) -> str:
    """Return the region, or say why it cannot be used. Asks no API: botocore carries the list."""
    if not region:
        raise DeploymentError(
            "mlflow_aws.region is empty: every resource lives in one AWS region. "
            "Set it in the inventory's group_vars/all.yml, for example to eu-central-1."
        )
    names = sorted(set(known))
    if region not in names:
        near = difflib.get_close_matches(region, names, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise DeploymentError(
            f"mlflow_aws.region is {region}: AWS has no region of that name.{hint} "
            "Correct it in the inventory's group_vars/all.yml; for a region newer than the installed botocore, "
            "upgrade boto3 and botocore."
        )
    return region


def read_account(clients: Clients) -> dict[str, str]:
    """Return who we are: the cheapest proof that there are credentials and that AWS accepts them."""
    try:
        identity = clients("sts").get_caller_identity()
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeploymentError(
            f"No AWS credentials were found ({error}). Set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`; then run again."
        ) from error
    except ClientError as error:
        if error_code(error) in _REFUSED_CREDENTIALS:
            raise DeploymentError(
                f"AWS refused the credentials ({error_code(error)}): they are expired or wrong. "
                "Renew them (`aws sso login`, or a fresh key), then run again."
            ) from error
        raise DeploymentError(f"Asking AWS whose credentials these are failed: {error}") from error
    except BotoCoreError as error:
        raise DeploymentError(
            f"AWS could not be reached to check the credentials: {error}. "
            "Check the network, any proxy, and mlflow_aws.endpoint_url if it is set."
        ) from error
    arn = str(identity["Arn"])
    return {"account_id": str(identity["Account"]), "caller_arn": arn, "partition": arn.split(":")[1]}


def as_filters(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return EC2 filters that match resources carrying every one of these tags."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in sorted(tags.items())]


def as_tags(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return AWS's list of key and value pairs as a dictionary."""
    return {pair["Key"]: pair["Value"] for pair in pairs}


def _tagged(
    ec2: Any, operation: str, key: str, id_key: str, filters: Any, filters_key: str = "Filters"
) -> list[dict[str, Any]]:
    """Return what the network role asks about everything of one kind that carries the tags."""
    pages = ec2.get_paginator(operation).paginate(**{filters_key: filters}).build_full_result()
    return [
        {
            "id": item[id_key],
            "name": item.get("GroupName") or as_tags(item.get("Tags") or []).get("Name", ""),
            "tags": as_tags(item.get("Tags") or []),
            # What a flow log belongs to is a resource of any kind.
            "vpc_id": item.get("VpcId") or item.get("ResourceId", ""),
            "cidr": item.get("CidrBlock", ""),
            "map_public": bool(item.get("MapPublicIpOnLaunch")),
            "route_table_ids": sorted(item.get("RouteTableIds") or []),
            "policy": json.loads(item.get("PolicyDocument") or "{}"),
            "destination": item.get("LogDestination", ""),
        }
        for item in pages[key]
        # AWS goes on listing a deleted endpoint for a while.
        if str(item.get("State", "")).lower() not in ("deleting", "deleted")
    ]


def read_network(ec2: Any, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the usable zones, and the parts of the network that carry the deployment's tags."""
    filters = as_filters(tags)
    zones = ec2.describe_availability_zones(
        Filters=[{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    )["AvailabilityZones"]
    return {
        "zones": sorted(zone["ZoneName"] for zone in zones),
        "vpcs": _tagged(ec2, "describe_vpcs", "Vpcs", "VpcId", filters),
        "subnets": _tagged(ec2, "describe_subnets", "Subnets", "SubnetId", filters),
        "route_tables": _tagged(ec2, "describe_route_tables", "RouteTables", "RouteTableId", filters),
        "network_acls": _tagged(ec2, "describe_network_acls", "NetworkAcls", "NetworkAclId", filters),
        "endpoints": _tagged(ec2, "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", filters),
        "flow_logs": _tagged(ec2, "describe_flow_logs", "FlowLogs", "FlowLogId", filters, "Filter"),
        "security_groups": _tagged(ec2, "describe_security_groups", "SecurityGroups", "GroupId", filters),
    }


def probe_bucket(s3: Any, name: str, account_id: str) -> dict[str, str]:
    """Say whether a bucket is missing, ours or someone else's. A bucket's name is unique in all of AWS."""
    try:
        answer = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account_id)
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status == 404:
            return {"name": name, "ownership": "missing", "region": ""}
        if status in (301, 400, 403):
            return {"name": name, "ownership": "foreign", "region": ""}
        raise
    return {"name": name, "ownership": "ours", "region": str(answer.get("BucketRegion") or "")}


def read_bucket(s3: Any, name: str, account_id: str) -> dict[str, Any]:
    """Return the settings of one of our buckets, each None where it was never made."""
    owned: dict[str, str] = {"Bucket": name, "ExpectedBucketOwner": account_id}

    def ask(operation: str, key: str) -> Any:
        try:
            return getattr(s3, operation)(**owned).get(key)
        except ClientError as error:
            if error_code(error) in _NEVER_SET:
                return None
            raise

    encryption = ask("get_bucket_encryption", "ServerSideEncryptionConfiguration")
    ownership = ask("get_bucket_ownership_controls", "OwnershipControls")
    policy = ask("get_bucket_policy", "Policy")
    versions = s3.list_object_versions(**owned, MaxKeys=1)
    return {
        "versioning": ask("get_bucket_versioning", "Status") or "Off",
        "encryption": (encryption or {}).get("Rules") or [],
        "public_access_block": ask("get_public_access_block", "PublicAccessBlockConfiguration") or {},
        "object_ownership": ((ownership or {}).get("Rules") or [{}])[0].get("ObjectOwnership", ""),
        "policy": json.loads(policy) if policy else {},
        "lifecycle": ask("get_bucket_lifecycle_configuration", "Rules") or [],
        "access_log": ask("get_bucket_logging", "LoggingEnabled") or {},
        "tags": as_tags(ask("get_bucket_tagging", "TagSet") or []),
        "empty": not (versions.get("Versions") or versions.get("DeleteMarkers")),
    }


def other_buckets(clients: Clients, tags: Mapping[str, str], name: str, account_id: str) -> list[str]:
    """Return the buckets other than `name` that carry the deployment's tags and still exist."""
    pages = (
        clients("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            ResourceTypeFilters=["s3"],
            TagFilters=[{"Key": key, "Values": [value]} for key, value in sorted(tags.items())],
        )
    )
    found = {item["ResourceARN"].rsplit(":", 1)[-1] for page in pages for item in page["ResourceTagMappingList"]}
    # The tagging index goes on naming a deleted bucket for a while, so each one is asked for.
    return sorted(
        other for other in found - {name} if probe_bucket(clients("s3"), other, account_id)["ownership"] == "ours"
    )


def read_bucket_and_others(clients: Clients, name: str, tags: Mapping[str, str], account_id: str) -> dict[str, Any]:
    """Return the state of the named bucket, and any other bucket of the same deployment."""
    bucket: dict[str, Any] = dict(probe_bucket(clients("s3"), name, account_id))
    bucket["settings"] = read_bucket(clients("s3"), name, account_id) if bucket["ownership"] == "ours" else {}
    bucket["others"] = other_buckets(clients, tags, name, account_id)
    return bucket


def read_secrets(secretsmanager: Any, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return ARN, tags and pending deletion of each secret that exists; never a value."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        try:
            secret = secretsmanager.describe_secret(SecretId=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                continue
            raise
        found[name] = {
            "arn": secret["ARN"],
            "tags": as_tags(secret.get("Tags") or []),
            "scheduled_for_deletion": bool(secret.get("DeletedDate")),
        }
    return found


def read_parameters(rds: Any, group: str) -> dict[str, str]:
    """Return the parameters of a database's parameter group that have a value; none where there is no such group."""
    try:
        pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group).build_full_result()
    except ClientError as error:
        if error_code(error) == "DBParameterGroupNotFound":
            return {}
        raise
    return {
        parameter["ParameterName"]: parameter["ParameterValue"]
        for parameter in pages["Parameters"]
        if "ParameterValue" in parameter
    }


def read_key_state(kms: Any, arn: str) -> str:
    """Return the state of a key in KMS's words; Missing where it has none, Unknown where the caller may not look."""
    try:
        return str(kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"])
    except ClientError as error:
        state = {"NotFoundException": "Missing", "AccessDeniedException": "Unknown"}.get(error_code(error))
        if state is None:
            raise
        return state


def read_deployment(
    clients: Clients,
    tags: Mapping[str, str],
    *,
    network: bool,
    bucket: str,
    secrets: Iterable[str],
    log_bucket: str = "",
    parameter_group: str = "",
    kms_key: str = "",
) -> dict[str, Any]:
    """Return everything that was asked for about one deployment."""
    facts: dict[str, Any] = dict(read_account(clients))
    name = bucket.replace(ACCOUNT_PLACEHOLDER, facts["account_id"])
    names = list(secrets)
    attempt = ""
    try:
        if network:
            attempt = "the deployment's network"
            facts["network"] = read_network(clients("ec2"), tags)
        if name:
            attempt = f"the bucket {name}"
            facts["bucket"] = read_bucket_and_others(clients, name, tags, facts["account_id"])
        if log_bucket:
            attempt = f"the bucket {log_bucket}"
            facts["log_bucket"] = probe_bucket(clients("s3"), log_bucket, facts["account_id"])
        if names:
            attempt = f"the secrets {', '.join(names)}"
            facts["secrets"] = read_secrets(clients("secretsmanager"), names)
        if parameter_group:
            attempt = f"the parameter group {parameter_group}"
            facts["parameters"] = read_parameters(clients("rds"), parameter_group)
        if kms_key:
            attempt = f"the key {kms_key}"
            facts["kms_key_state"] = read_key_state(clients("kms"), kms_key)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"Reading {attempt} as {facts['caller_arn']} failed: {error}. If AWS denied it, grant the actions that "
            "the role's README lists; else run again."
        ) from error
    return facts
