#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Have the server access logs of a bucket delivered to another one."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bucket_access_log
short_description: Have the server access logs of a bucket delivered to another one
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Turns S3's server access logging on for a bucket, or points it elsewhere.
  - M(community.aws.s3_logging) does so by the target's access control list, which buckets have not had unless asked for
    since April 2023. Here nothing of the target is changed; its policy has to let C(logging.s3.amazonaws.com) write.
options:
  bucket:
    description: Name of the bucket whose requests are logged.
    type: str
    required: true
  account_id:
    description: Number of the account that owns the bucket.
    type: str
    required: true
  target_bucket:
    description: Name of the bucket that takes the logs, of the same account and region.
    type: str
    required: true
  target_prefix:
    description: Beginning of the logs' names.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode, where it tells what it would change.
    support: full
  diff_mode:
    description: Shows the target before and after.
    support: full
seealso:
  - module: community.aws.s3_logging
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep who asked for which artifact
  mlops.mlflow.bucket_access_log:
    bucket: mlflow-prod-artifacts-123456789012
    account_id: "123456789012"
    target_bucket: company-logs
    target_prefix: mlflow-prod-artifacts-123456789012/
    region: eu-central-1
"""

RETURN = r"""
access_log:
  description: Where the logs go now, or would without check mode.
  returned: success
  type: dict
  contains:
    target_bucket:
      description: The bucket that takes them.
      returned: always
      type: str
      sample: company-logs
    target_prefix:
      description: Beginning of their names.
      returned: always
      type: str
      sample: mlflow-prod-artifacts-123456789012/
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError
from ansible_collections.mlops.mlflow.plugins.module_utils.log_delivery import keep_access_log, read_access_log

ARGUMENTS: dict[str, dict[str, Any]] = {
    "bucket": {"type": "str", "required": True},
    "account_id": {"type": "str", "required": True},
    "target_bucket": {"type": "str", "required": True},
    "target_prefix": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    owned = module.params["bucket"], module.params["account_id"]
    wanted = {key: module.params[key] for key in ("target_bucket", "target_prefix")}
    s3 = module.client("s3")
    try:
        now = read_access_log(s3, *owned)
        if now != wanted and not module.check_mode:
            keep_access_log(s3, *owned, wanted)
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=now != wanted, access_log=wanted, diff={"before": now, "after": wanted})


if __name__ == "__main__":
    main()
