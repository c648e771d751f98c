#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Tell who may do what on an MLflow tracking server."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_access_info
short_description: Tell who may do what on an MLflow tracking server
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Returns all users with what was granted to them, and all roles, for an audit or as the input of further tasks.
  - Reads only.
  - What nothing was granted on is up to the server's C(default_permission), which MLflow tells nobody.
options: {}
attributes:
  check_mode:
    description: Can run in check mode, where it does the same.
    support: full
  diff_mode:
    description: Shows what it changes.
    support: none
extends_documentation_fragment:
  - mlops.mlflow.connection
seealso:
  - module: mlops.mlflow.mlflow_user
  - module: mlops.mlflow.mlflow_role
  - module: mlops.mlflow.mlflow_permission
"""

EXAMPLES = r"""
- name: Read who may do what
  mlops.mlflow.mlflow_access_info:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
  register: access

- name: Show the admins
  ansible.builtin.debug:
    msg: "{{ access.users | selectattr('admin') | map(attribute='name') }}"
"""

RETURN = r"""
users:
  description: All users, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      returned: always
      type: str
      sample: alice
    admin:
      description: Whether the user is an admin, who may do everything.
      returned: always
      type: bool
      sample: false
    enabled:
      description: Whether the user can log in, as far as M(mlops.mlflow.mlflow_user) disabled them.
      returned: always
      type: bool
      sample: true
    roles:
      description: Names of the user's roles.
      returned: always
      type: list
      elements: str
      sample: [data-scientists]
    permissions:
      description: All that was granted to the user, through roles too.
      returned: always
      type: list
      elements: dict
      contains:
        resource_type:
          description: What it is about.
          returned: always
          type: str
          sample: experiment
        resource:
          description: Its name, or V(*). Null when the experiment is gone for good.
          returned: always
          type: str
          sample: churn
        resource_id:
          description: The same as MLflow's grants have it, an experiment by its id.
          returned: always
          type: str
          sample: "12"
        experiment:
          description: The scorer's experiment. Null when it is gone for good.
          returned: when it is about a single scorer
          type: str
          sample: churn
        permission:
          description: What is allowed.
          returned: always
          type: str
          sample: EDIT
        source:
          description:
            - V(declared) when M(mlops.mlflow.mlflow_permission) granted it to this user.
            - V(direct) when MLflow did, as to a creator, or somebody by hand.
            - V(role) when it comes from a role.
          returned: always
          type: str
          sample: role
        role:
          description: The role that it comes from. Null where it comes from none.
          returned: always
          type: str
          sample: data-scientists
roles:
  description: All roles, by name, without those in which MLflow and these modules note things about single users.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      returned: always
      type: str
      sample: data-scientists
    description:
      description: What it is for.
      returned: always
      type: str
      sample: Reads everything
    users:
      description: Names of the users who have it.
      returned: always
      type: list
      elements: str
      sample: [alice]
    permissions:
      description: What it grants.
      returned: always
      type: list
      elements: dict
      contains:
        resource_type:
          description: What it is about.
          returned: always
          type: str
          sample: experiment
        resource:
          description: Its name, or V(*). Null when the experiment is gone for good.
          returned: always
          type: str
          sample: churn
        resource_id:
          description: The same as MLflow's grants have it, an experiment by its id.
          returned: always
          type: str
          sample: "12"
        experiment:
          description: The scorer's experiment. Null when it is gone for good.
          returned: when it is about a single scorer
          type: str
          sample: churn
        permission:
          description: What is allowed.
          returned: always
          type: str
          sample: EDIT
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import AccessApi
from ansible_collections.mlops.mlflow.plugins.module_utils.access_plan import Catalogue, overview
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

ARGUMENTS: dict[str, dict[str, Any]] = {**connection.ADMIN_ARGUMENTS}


def main() -> None:
    """Read, and report as Ansible expects it."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        api = AccessApi.of(module.params)
        found = overview(api.users(), api.roles(), Catalogue(api.experiments()))
    except TrackingError as error:
        module.fail_json(msg=error.reason)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
