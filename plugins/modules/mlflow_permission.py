#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Manage what is granted to one user of an MLflow tracking server."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_permission
short_description: Manage what is granted to one user of an MLflow tracking server
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Grants permissions to a single user, and revokes them. What several users have in common is better said in a role,
    see M(mlops.mlflow.mlflow_role).
  - What this module grants it keeps in a role of the user's own, C(grants:<name>), so that it knows what to take back.
    What was granted otherwise, in MLflow's UI for example, is called direct.
  - MLflow gives whoever creates an experiment, model, prompt or scorer V(MANAGE) on it, directly, and does not note
    that it did. So a direct V(MANAGE) on something single is only revoked where O(state=absent) names it; nobody loses
    their own experiments because a list does not mention them.
  - Any other direct permission on something that O(permissions) names gives way to what is said there.
options:
  user:
    description: The user, who exists.
    type: str
    required: true
  permissions:
    description: What is granted, or with O(state=absent) revoked.
    type: list
    elements: dict
    required: true
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
          - Needed unless O(state=absent), where it is of no matter.
        type: str
        choices: [READ, USE, EDIT, MANAGE, DENY]
  exclusive:
    description:
      - Whether everything else that was granted to this one user is revoked, but a direct V(MANAGE) on something
        single, which may be a creator's. What the user has through roles stays.
    type: bool
    default: false
  state:
    description: Whether the permissions are granted or revoked.
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
  - module: mlops.mlflow.mlflow_role
  - module: mlops.mlflow.mlflow_access_info
"""

EXAMPLES = r"""
- name: Alice edits one experiment and reads one model, and that is all that was granted to her alone
  mlops.mlflow.mlflow_permission:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    user: alice
    permissions:
      - resource_type: experiment
        resource: churn
        permission: EDIT
      - resource_type: registered_model
        resource: churn-classifier
        permission: READ
    exclusive: true

- name: Bob manages his former experiment no more
  mlops.mlflow.mlflow_permission:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    user: bob
    permissions:
      - resource_type: experiment
        resource: forecasts
    state: absent
"""

RETURN = r"""
granted:
  description: What is granted to the user alone now, or would be without check mode.
  returned: success
  type: dict
  contains:
    user:
      description: The user.
      returned: always
      type: str
      sample: alice
    permissions:
      description: The permissions, without those from the user's roles.
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
          description: V(declared) when this module granted it, V(direct) when MLflow or somebody else did.
          returned: always
          type: str
          sample: declared
actions:
  description: What was done, or would be without check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["grant to the user alice: EDIT on experiment churn"]
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
    check_entries,
    check_name,
    grants_of,
    plan_grants,
)
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

ARGUMENTS: dict[str, dict[str, Any]] = {
    **connection.ADMIN_ARGUMENTS,
    "user": {"type": "str", "required": True},
    "permissions": {"type": "list", "elements": "dict", "required": True, "options": GRANT_ARGUMENTS},
    "exclusive": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def plan(api: AccessApi, params: Mapping[str, Any], *, check_mode: bool) -> Plan:
    """Read the server and plan what to change there."""
    present = params["state"] == "present"
    check_name(params["user"], "user")
    check_entries(params["permissions"], permission_needed=present)
    if params["exclusive"] and not present:
        raise TrackingError(
            "exclusive goes with state present only: it lists what stays. Leave it out to revoke the list."
        )
    user = next((user for user in api.users() if user.name == params["user"]), None)
    if user is None and not check_mode:
        raise TrackingError(
            f"There is no user {params['user']!r}. Create it with mlflow_user first, or correct the name."
        )
    catalogue = Catalogue(api.experiments())
    grants = grants_of(params["permissions"], catalogue, revoking=not present)
    return plan_grants(
        params["user"], user, api.roles(), grants, catalogue, present=present, exclusive=params["exclusive"]
    )


def main() -> None:
    """Plan, carry out, and report as Ansible expects it."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        api = AccessApi.of(module.params)
        planned = plan(api, module.params, check_mode=module.check_mode)
        if not module.check_mode:
            planned.carry_out(api)
    except TrackingError as error:
        module.fail_json(msg=error.reason)
    result = planned.result("granted", diff=module._diff)
    for warning in planned.warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
