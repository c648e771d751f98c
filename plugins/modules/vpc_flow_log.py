#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Have the flow logs of a VPC delivered to a bucket."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpc_flow_log
short_description: Have the flow logs of a VPC delivered to a bucket
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Makes a flow log of all traffic of a VPC, accepted and refused, with S3 as its destination. It is known by the VPC
    and its tag C(Name); the VPC's other flow logs are left alone.
  - AWS changes no flow log's destination, so for another one a new flow log is made, and the old one ended after that.
    What was delivered stays where it is.
options:
  vpc_id:
    description: Id of the VPC.
    type: str
    required: true
  name:
    description: The flow log's tag C(Name).
    type: str
    required: true
  destination:
    description:
      - ARN of the bucket that takes the logs, with a folder behind a slash if they shall be in one. Needed to have it.
      - Its policy has to let C(delivery.logs.amazonaws.com) write. The bucket may be another account's.
    type: str
  tags:
    description: All its other tags.
    type: dict
    default: {}
  state:
    description: Whether there shall be such a flow log.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode, where it tells what it would change.
    support: full
  diff_mode:
    description: Shows the destinations and tags before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep who talked to whom in the bucket for logs
  mlops.mlflow.vpc_flow_log:
    vpc_id: vpc-0a1b2c3d
    name: mlflow-prod
    destination: arn:aws:s3:::company-logs/mlflow/
    region: eu-central-1
"""

RETURN = r"""
flow_log_ids:
  description: Ids of the flow logs of that name. Empty where none is left, and in check mode where it would be made.
  returned: success
  type: list
  elements: str
  sample: [fl-0a1b2c3d]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.ec2 import ensure_ec2_tags
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError
from ansible_collections.mlops.mlflow.plugins.module_utils.log_delivery import (
    end_flow_logs,
    make_flow_log,
    read_flow_logs,
    same_destination,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "vpc_id": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "destination": {"type": "str"},
    "tags": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(
        argument_spec=ARGUMENTS, required_if=[("state", "present", ["destination"])], supports_check_mode=True
    )
    vpc_id, name, destination = (module.params[key] for key in ("vpc_id", "name", "destination"))
    tags = {**{key: str(value) for key, value in module.params["tags"].items()}, "Name": name}
    present = module.params["state"] == "present"
    ec2 = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    try:
        found = read_flow_logs(ec2, vpc_id, name)
        kept = [log for log in found if present and same_destination(log["destination"], destination)][:1]
        ended = [log["id"] for log in found if log not in kept]
        made = []
        if present and not kept and not module.check_mode:
            made = [make_flow_log(ec2, vpc_id, destination, tags)]
        # Only now, so that nothing goes unlogged between the two.
        if ended and not module.check_mode:
            end_flow_logs(ec2, ended)
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    tagged = False
    if kept and kept[0]["tags"] != tags:
        tagged = ensure_ec2_tags(ec2, module, kept[0]["id"], tags=tags, purge_tags=True)
    before = [{"destination": log["destination"], "tags": log["tags"]} for log in found]
    after = [{"destination": kept[0]["destination"] if kept else destination, "tags": tags}] if present else []
    module.exit_json(
        changed=bool(ended) or tagged or (present and not kept),
        flow_log_ids=[log["id"] for log in kept] + made,
        diff={"before": {"flow_logs": before}, "after": {"flow_logs": after}},
    )


if __name__ == "__main__":
    main()
