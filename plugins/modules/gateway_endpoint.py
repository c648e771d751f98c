#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Change the policy and the route tables of a gateway endpoint that exists."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gateway_endpoint
short_description: Change the policy and the route tables of a gateway endpoint that exists
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - M(amazon.aws.ec2_vpc_endpoint) makes an endpoint and keeps its tags. It changes neither its policy nor its route
    tables, and an endpoint that is made anew breaks the transfers that run through the old one.
options:
  endpoint_id:
    description: Id of the endpoint.
    type: str
    required: true
  policy:
    description: The policy that it shall have.
    type: dict
    required: true
  route_table_ids:
    description: The route tables that shall lead to it, and no others.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode, where it tells what it would change.
    support: full
  diff_mode:
    description: Shows policy and route tables before and after.
    support: full
seealso:
  - module: amazon.aws.ec2_vpc_endpoint
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Let nobody but this account's principals use the endpoint
  mlops.mlflow.gateway_endpoint:
    endpoint_id: vpce-0a1b2c3d
    route_table_ids: [rtb-0a1b2c3d]
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: "*"
          Action: "s3:*"
          Resource: "*"
          Condition: {StringEquals: {"aws:PrincipalAccount": "123456789012"}}
    region: eu-central-1
"""

RETURN = r"""
request:
  description: What EC2's C(ModifyVpcEndpoint) was asked for, or would be in check mode. Empty when nothing changed.
  returned: success
  type: dict
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError
from ansible_collections.mlops.mlflow.plugins.module_utils.endpoint import modify_endpoint, plan, read_endpoint

ARGUMENTS: dict[str, dict[str, Any]] = {
    "endpoint_id": {"type": "str", "required": True},
    "policy": {"type": "dict", "required": True},
    "route_table_ids": {"type": "list", "elements": "str", "required": True},
}


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    endpoint_id, policy = module.params["endpoint_id"], module.params["policy"]
    ec2 = module.client("ec2")
    try:
        now = read_endpoint(ec2, endpoint_id)
        request = plan(now, policy, module.params["route_table_ids"])
        if request and not module.check_mode:
            modify_endpoint(ec2, endpoint_id, request)
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    after = {"policy": policy, "route_table_ids": sorted(module.params["route_table_ids"])}
    module.exit_json(changed=bool(request), diff={"before": now, "after": after}, request=request)


if __name__ == "__main__":
    main()
