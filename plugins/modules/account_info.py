#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Tell how an AWS account as a whole is kept."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: account_info
short_description: Tell how an AWS account as a whole is kept
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Looks at settings of the account that no deployment in it may change, and that each of them rests on. Public access
    to S3, encryption and snapshots of disks, the default of the instance metadata service, the root user, the policy
    for passwords, CloudTrail, GuardDuty.
  - Reads only. What isn't as it should be is a finding with its remedy, never an error; so is what the caller may not
    look at, or what AWS doesn't answer.
options: {}
attributes:
  check_mode:
    description: Can run in check mode, where it does the same.
    support: full
  diff_mode:
    description: Shows what it changes.
    support: none
seealso:
  - module: mlops.mlflow.deployment_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Look at the account
  mlops.mlflow.account_info:
    region: eu-central-1
  register: account

- name: Name what isn't as it should be
  ansible.builtin.debug:
    msg: "{{ account.findings | rejectattr('ok') | items2dict(key_name='check', value_name='remedy') }}"
"""

RETURN = r"""
account_id:
  description: Number of the account.
  returned: success
  type: str
  sample: "123456789012"
findings:
  description: What each check found, good or bad.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description:
        - Name of the check. V(s3_public), V(ebs_encryption), V(ebs_snapshots), V(metadata), V(root_user), V(passwords),
          V(cloudtrail) or V(guardduty).
      returned: always
      type: str
      sample: ebs_encryption
    ok:
      description: Whether all is well. Null where the caller may not look, or AWS didn't answer.
      returned: always
      type: bool
      sample: false
    detail:
      description: What is wrong, or why nobody knows. Empty where all is well.
      returned: always
      type: str
      sample: a new disk is encrypted only if somebody asks for it
    remedy:
      description: What to do about it. Empty where all is well.
      returned: always
      type: str
      sample: aws ec2 enable-ebs-encryption-by-default --region eu-central-1
"""

import functools
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.mlops.mlflow.plugins.module_utils.account import read_account_checks
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError, read_account

ARGUMENTS: dict[str, dict[str, Any]] = {}


def main() -> None:
    """Run the module."""
    module: Any = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    clients = functools.cache(module.client)
    try:
        account = read_account(clients)
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    findings = read_account_checks(clients, account, module.region)
    module.exit_json(changed=False, account_id=account["account_id"], findings=findings)


if __name__ == "__main__":
    main()
