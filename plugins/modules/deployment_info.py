#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Read what an AWS account already holds for one deployment."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deployment_info
short_description: Read what an AWS account already holds for one deployment
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Answers, in one process and without changing anything, the questions that the provisioning roles ask before
    they touch an account, and that no C(amazon.aws) module answers. Whose account is this, which zones can be used,
    is the bucket's name free, ours or someone else's and how is the bucket set up, do the secrets exist.
  - Says in plain words when the region is unknown (without asking an API), when there are no credentials and
    when AWS refuses them.
  - Never reads the value of a secret.
options:
  tags:
    description: The tags that mark the deployment's resources.
    type: dict
    required: true
  network:
    description: Read the zones, and the parts of the network that carry O(tags).
    type: bool
    default: false
  bucket:
    description:
      - Name of a bucket to look up, with its settings and any other bucket that carries O(tags).
      - The text C({account_id}) in it stands for the account's number.
    type: str
    default: ""
  log_bucket:
    description: Name of a bucket that shall take the access logs of O(bucket), to look up.
    type: str
    default: ""
  secrets:
    description: Names of secrets to look up in Secrets Manager.
    type: list
    elements: str
    default: []
  parameter_group:
    description: Name of a parameter group of RDS whose parameters to read.
    type: str
    default: ""
  kms_key:
    description: ARN of a KMS key to look up.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode, where it does the same.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Is the bucket's name free, ours or someone else's
  mlops.mlflow.deployment_info:
    tags:
      mlflow_project: mlflow
      mlflow_env: dev
    bucket: "mlflow-dev-artifacts-{account_id}"
    region: eu-central-1
  register: found
"""

RETURN = r"""
account_id:
  description: Number of the account.
  returned: success
  type: str
  sample: "123456789012"
caller_arn:
  description: Who asked.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:user/ops
partition:
  description: Partition of AWS, as it stands in ARNs.
  returned: success
  type: str
  sample: aws
network:
  description: The zones, and the parts of the network that carry O(tags).
  returned: when O(network) is true
  type: dict
  contains:
    zones:
      description: Names of the availability zones that can be used.
      returned: always
      type: list
      elements: str
      sample: [eu-central-1a, eu-central-1b]
    vpcs:
      description: VPCs.
      returned: always
      type: list
      elements: dict
      contains: &part
        id:
          description: Its id.
          returned: always
          type: str
          sample: vpc-0a1b2c3d
        name:
          description: Its group name or its tag C(Name), empty without either.
          returned: always
          type: str
          sample: mlflow-dev
        tags:
          description: All its tags.
          returned: always
          type: dict
        vpc_id:
          description: The VPC that it belongs to, or is.
          returned: always
          type: str
          sample: vpc-0a1b2c3d
        cidr:
          description: Its address range, empty where it has none.
          returned: always
          type: str
          sample: 10.42.0.0/16
        map_public:
          description: Whether an instance that starts in it gets a public address.
          returned: always
          type: bool
        route_table_ids:
          description: Ids of the route tables that lead to it, where it is an endpoint.
          returned: always
          type: list
          elements: str
        policy:
          description: Its policy, where it is an endpoint.
          returned: always
          type: dict
        destination:
          description: ARN of what takes the logs, where it is a flow log.
          returned: always
          type: str
          sample: arn:aws:s3:::company-logs/mlflow/
    subnets:
      description: Subnets, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
    route_tables:
      description: Route tables, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
    network_acls:
      description: Network ACLs, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
    endpoints:
      description: VPC endpoints that are not being deleted, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
    flow_logs:
      description: Flow logs, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
    security_groups:
      description: Security groups, in the same form.
      returned: always
      type: list
      elements: dict
      contains: *part
bucket:
  description: The bucket, as far as it is the account's own.
  returned: when O(bucket) is given
  type: dict
  contains:
    name:
      description: Its name, with the account's number in place.
      returned: always
      type: str
      sample: mlflow-dev-artifacts-123456789012
    ownership: &ownership
      description: V(missing), V(ours), or V(foreign) when another account has the name.
      returned: always
      type: str
      sample: ours
    region: &region
      description: Its region, empty unless it is ours.
      returned: always
      type: str
      sample: eu-central-1
    settings:
      description: Its settings in the form of S3's API. Empty unless it is ours.
      returned: always
      type: dict
      contains:
        versioning:
          description: V(Enabled), V(Suspended) or V(Off).
          returned: when the bucket is ours
          type: str
          sample: Enabled
        encryption:
          description: The rules of its default encryption.
          returned: when the bucket is ours
          type: list
          elements: dict
        public_access_block:
          description: Its four blocks of public access.
          returned: when the bucket is ours
          type: dict
        object_ownership:
          description: Who owns its objects, empty where nobody ever said.
          returned: when the bucket is ours
          type: str
          sample: BucketOwnerEnforced
        policy:
          description: Its policy.
          returned: when the bucket is ours
          type: dict
        lifecycle:
          description: Its lifecycle rules.
          returned: when the bucket is ours
          type: list
          elements: dict
        access_log:
          description: Where its server access logs go. Empty where none are kept.
          returned: when the bucket is ours
          type: dict
        tags:
          description: Its tags.
          returned: when the bucket is ours
          type: dict
        empty:
          description: Whether it holds no object, no old version and no delete marker.
          returned: when the bucket is ours
          type: bool
    others:
      description: Names of other buckets of the account that carry O(tags).
      returned: always
      type: list
      elements: str
log_bucket:
  description: The bucket for access logs.
  returned: when O(log_bucket) is given
  type: dict
  contains:
    name:
      description: Its name.
      returned: always
      type: str
      sample: company-logs
    ownership: *ownership
    region: *region
secrets:
  description: For each name that exists its C(arn), C(tags) and C(scheduled_for_deletion).
  returned: when O(secrets) is given
  type: dict
parameters:
  description: Each parameter of O(parameter_group) that has a value. Empty where there is no such group.
  returned: when O(parameter_group) is given
  type: dict
kms_key_state:
  description:
    - State of the key in KMS's words, V(Enabled) where it can be used. V(Missing) where there is no such key,
      V(Unknown) where the caller may not look.
  returned: when O(kms_key) is given
  type: str
  sample: Enabled
"""

import contextlib
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import (
    DeploymentError,
    check_region,
    read_deployment,
)

with contextlib.suppress(ImportError):  # AnsibleAWSModule reports it
    import botocore.session

ARGUMENTS: dict[str, dict[str, Any]] = {
    "tags": {"type": "dict", "required": True},
    "network": {"type": "bool", "default": False},
    "bucket": {"type": "str", "default": ""},
    "log_bucket": {"type": "str", "default": ""},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "parameter_group": {"type": "str", "default": ""},
    "kms_key": {"type": "str", "default": "", "no_log": False},
}


def known_regions() -> list[str]:
    """Return every region that the installed botocore knows, in every partition."""
    partitions = botocore.session.Session().get_data("endpoints")["partitions"]
    return [region for partition in partitions for region in partition["regions"]]


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_region(module.region, known_regions())
        facts = read_deployment(
            module.client,
            module.params["tags"],
            network=module.params["network"],
            bucket=module.params["bucket"],
            log_bucket=module.params["log_bucket"],
            secrets=module.params["secrets"],
            parameter_group=module.params["parameter_group"],
            kms_key=module.params["kms_key"],
        )
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
