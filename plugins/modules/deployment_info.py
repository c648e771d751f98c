#!/usr/bin/python
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
  secrets:
    description: Names of secrets to look up in Secrets Manager.
    type: list
    elements: str
    default: []
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
  description:
    - C(zones), the names of the zones that can be used; and C(vpcs), C(subnets), C(route_tables), C(endpoints) and
      C(security_groups) that carry the tags, each with C(id), C(name), C(tags), C(vpc_id), C(cidr) and
      C(map_public).
  returned: when O(network) is true
  type: dict
bucket:
  description:
    - C(name), C(ownership) (C(missing), C(ours) or C(foreign)), C(region), C(settings) when it is ours, and C(others),
      the names of other buckets that carry the tags.
  returned: when O(bucket) is given
  type: dict
secrets:
  description: For each name that exists its C(arn), C(tags) and C(scheduled_for_deletion).
  returned: when O(secrets) is given
  type: dict
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


def known_regions() -> list[str]:
    """Return every region that the installed botocore knows, in every partition."""
    partitions = botocore.session.Session().get_data("endpoints")["partitions"]
    return [region for partition in partitions for region in partition["regions"]]


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(
        argument_spec={
            "tags": {"type": "dict", "required": True},
            "network": {"type": "bool", "default": False},
            "bucket": {"type": "str", "default": ""},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        check_region(module.region, known_regions())
        facts = read_deployment(
            module.client,
            module.params["tags"],
            network=module.params["network"],
            bucket=module.params["bucket"],
            secrets=module.params["secrets"],
        )
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
