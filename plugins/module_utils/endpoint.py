"""A gateway endpoint of a VPC: what has to change so that its policy and route tables are the wanted ones.

Nothing here knows about Ansible.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError

# AnsibleAWSModule reports a missing library before any of this is used.
with contextlib.suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError


def settings_of(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what EC2 describes, as far as it can be changed here."""
    return {
        "policy": json.loads(endpoint.get("PolicyDocument") or "{}"),
        "route_table_ids": sorted(endpoint.get("RouteTableIds") or []),
    }


def plan(now: Mapping[str, Any], policy: Mapping[str, Any], route_table_ids: Iterable[str]) -> dict[str, Any]:
    """Return the request that leads from what is to what is wanted; {} when there is nothing to do."""
    found, wanted = set(now["route_table_ids"]), set(route_table_ids)
    request = {
        "PolicyDocument": json.dumps(policy) if now["policy"] != policy else "",
        "AddRouteTableIds": sorted(wanted - found),
        "RemoveRouteTableIds": sorted(found - wanted),
    }
    return {key: value for key, value in request.items() if value}


def read_endpoint(ec2: Any, endpoint_id: str) -> dict[str, Any]:
    """Return the settings of an endpoint that exists."""
    try:
        (endpoint,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(f"Reading the endpoint {endpoint_id} failed: {error}") from error
    return settings_of(endpoint)


def modify_endpoint(ec2: Any, endpoint_id: str, request: Mapping[str, Any]) -> None:
    """Send the request of a plan."""
    try:
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, **request)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"Changing {', '.join(request)} of the endpoint {endpoint_id} failed: {error}. If AWS denied it, grant "
            "ec2:ModifyVpcEndpoint; else run again."
        ) from error
