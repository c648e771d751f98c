#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Manage a role of an MLflow tracking server."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_role
short_description: Manage a role of an MLflow tracking server
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Creates, changes and deletes roles, which grant the same to each user who has them.
  - M(mlops.mlflow.mlflow_user) says who has which.
  - What is not given stays as it is.
options:
  name:
    description:
      - The role. At most 248 characters.
      - C(disabled) and names that start with C(__user_) or C(grants:) are kept for what MLflow and these modules note.
    type: str
    required: true
  description:
    description: What the role is for. At most 1024 characters.
    type: str
  permissions:
    description: What the role grants, all of it.
    type: list
    elements: dict
    suboptions:
      resource_type:
        description:
          - What it is about. A prompt is one even though MLflow keeps it among the registered models.
          - V(workspace) is everything at once. V(USE) there lets in and create, V(MANAGE) makes an admin of all but the
            users' passwords.
          - The types from V(run) on are granted as a whole only. They narrow or widen what the experiment's, model's,
            prompt's, scorer's or MCP server's own permission says about what is in it.
        type: str
        required: true
        choices:
          - experiment
          - registered_model
          - prompt
          - scorer
          - mcp_server
          - gateway_secret
          - gateway_endpoint
          - gateway_model_definition
          - run
          - trace
          - assessment
          - logged_model
          - review_queue
          - registered_model_version
          - prompt_version
          - scorer_version
          - mcp_server_version
          - workspace
      resource:
        description:
          - Which one, by its name, for the gateway's by its id, or V(*) for all of them, future ones included.
          - An experiment must exist. Anything else may come to exist later, and the permission then counts.
        type: str
        required: true
      experiment:
        description: The experiment of a single scorer. Nothing else has one.
        type: str
      permission:
        description:
          - What is allowed. V(USE) includes V(READ), V(EDIT) includes V(USE), V(MANAGE) includes V(EDIT) and deletion.
          - V(DENY) refuses everything, whatever else the user was granted on the same type.
          - MLflow's C(NO_PERMISSIONS) can't be granted. Take the permission away instead.
        type: str
        choices: [READ, USE, EDIT, MANAGE, DENY]
  state:
    description:
      - Whether the role exists.
      - With V(absent) it is taken from all who have it.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode, where it only reads.
    support: full
  diff_mode:
    description: Shows what it changes.
    support: full
extends_documentation_fragment:
  - mlops.mlflow.connection
seealso:
  - module: mlops.mlflow.mlflow_user
  - module: mlops.mlflow.mlflow_permission
  - module: mlops.mlflow.mlflow_access_info
"""

EXAMPLES = r"""
- name: Data scientists read everything and register models
  mlops.mlflow.mlflow_role:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    name: data-scientists
    description: Reads everything
    permissions:
      - resource_type: experiment
        resource: "*"
        permission: READ
      - resource_type: registered_model
        resource: "*"
        permission: EDIT

- name: Nobody is a guest any more
  mlops.mlflow.mlflow_role:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    name: guests
    state: absent
"""

RETURN = r"""
role:
  description: The role as it is now, or would be without check mode.
  returned: success
  type: dict
  contains:
    name:
      description: The name.
      returned: when the role exists
      type: str
      sample: data-scientists
    state:
      description: V(present) or V(absent).
      returned: always
      type: str
      sample: present
    description:
      description: What it is for.
      returned: when the role exists
      type: str
      sample: Reads everything
    permissions:
      description: What it grants.
      returned: when the role exists
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
actions:
  description: What was done, or would be without check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [create the role data-scientists]
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import AccessApi
from ansible_collections.mlops.mlflow.plugins.module_utils.access_plan import (
    GRANT_ARGUMENTS,
    Catalogue,
    Plan,
    WantedRole,
    check_entries,
    check_role,
    grants_of,
    plan_role,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

ARGUMENTS: dict[str, dict[str, Any]] = {
    **connection.ADMIN_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "permissions": {"type": "list", "elements": "dict", "options": GRANT_ARGUMENTS},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def plan(api: AccessApi, params: Mapping[str, Any]) -> Plan:
    """Read the server and plan what to change there."""
    check_role(params["name"], params["description"])
    entries = params["permissions"] if params["state"] == "present" else None
    check_entries(entries or ())
    roles = api.roles()
    catalogue = Catalogue(api.experiments())
    wanted = WantedRole(
        params["name"],
        params["description"],
        None if entries is None else grants_of(entries, catalogue),
        params["state"] == "present",
    )
    return plan_role(wanted, roles, catalogue)


def main() -> None:
    """Plan, carry out, and report as Ansible expects it."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        api = AccessApi.of(module.params)
        planned = plan(api, module.params)
        if not module.check_mode:
            planned.carry_out(api)
    except TrackingError as error:
        module.fail_json(msg=error.reason)
    module.exit_json(**planned.result("role", diff=module._diff))


if __name__ == "__main__":
    main()
