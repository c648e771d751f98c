#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Manage a user of an MLflow tracking server."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_user
short_description: Manage a user of an MLflow tracking server
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Creates, changes, disables and deletes users of MLflow's basic authentication, and says which roles they have.
  - The user that the module logs in as is never deleted, disabled or made no admin. Nobody locks themselves out.
  - What is not given stays as it is.
options:
  name:
    description:
      - The user. At most 248 characters, no colon.
    type: str
    required: true
  user_password:
    description:
      - The user's password, of at least 12 characters. Needed to create a user, or to enable one.
      - Not used while the user is disabled, except to prove that it doesn't work any more.
    type: str
  update_password:
    description:
      - With V(always) O(user_password) is tried by logging in with it, and set if it is refused.
      - With V(on_create) it is only set when the user is created or enabled.
    type: str
    choices: [always, on_create]
    default: always
  admin:
    description:
      - Whether the user is an admin, who may do everything. A new user is none.
      - A disabled user never is.
    type: bool
  enabled:
    description:
      - Whether the user can log in. A new user can.
      - MLflow has no disabled users. To disable one the module sets a password that nobody knows, takes the admin's
        rights away, and assigns the role C(disabled), which grants nothing and remembers the state. The user's other
        roles and grants stay for the day on which O(enabled=true) and a new O(user_password) are given.
    type: bool
  roles:
    description:
      - The roles that the user has, all of them. They exist already, see M(mlops.mlflow.mlflow_role).
      - What MLflow and these modules note in roles of their own (C(__user_<id>__), C(grants:<name>), C(disabled)) is
        not touched.
    type: list
    elements: str
  state:
    description:
      - Whether the user exists.
      - With V(absent) the user's experiments, runs and models stay.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode, where it only reads.
    support: full
  diff_mode:
    description: Shows what it changes, never a password.
    support: full
extends_documentation_fragment:
  - mlops.mlflow.connection
seealso:
  - module: mlops.mlflow.mlflow_role
  - module: mlops.mlflow.mlflow_permission
  - module: mlops.mlflow.mlflow_access_info
"""

EXAMPLES = r"""
- name: Let Alice in
  mlops.mlflow.mlflow_user:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    name: alice
    user_password: "{{ alice_password }}"
    roles: [data-scientists]

- name: Nobody logs in as Bob any more, and what he may do is kept
  mlops.mlflow.mlflow_user:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    name: bob
    enabled: false

- name: Carol has left
  mlops.mlflow.mlflow_user:
    url: https://mlflow.example.com
    username: admin
    password: "{{ mlflow_admin_password }}"
    name: carol
    state: absent
"""

RETURN = r"""
user:
  description: The user as they are now, or would be without check mode.
  returned: success
  type: dict
  contains:
    name:
      description: The name.
      returned: when the user exists
      type: str
      sample: alice
    state:
      description: V(present) or V(absent).
      returned: always
      type: str
      sample: present
    admin:
      description: Whether the user is an admin.
      returned: when the user exists
      type: bool
      sample: false
    enabled:
      description: Whether the user can log in.
      returned: when the user exists
      type: bool
      sample: true
    roles:
      description: Names of the user's roles.
      returned: when the user exists
      type: list
      elements: str
      sample: [data-scientists]
actions:
  description: What was done, or would be without check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [create the user alice, give the role data-scientists to the user alice]
"""

import secrets
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.module_utils.access_api import AccessApi
from ansible_collections.mlops.mlflow.plugins.module_utils.access_plan import Plan, WantedUser, check_user, plan_user
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import TrackingError

ARGUMENTS: dict[str, dict[str, Any]] = {
    **connection.ADMIN_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "user_password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "admin": {"type": "bool"},
    "enabled": {"type": "bool"},
    "roles": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def plan(api: AccessApi, params: Mapping[str, Any], *, check_mode: bool) -> Plan:
    """Read the server and plan what to change there."""
    wanted = WantedUser(
        params["name"],
        params["user_password"],
        params["admin"],
        params["enabled"],
        None if params["roles"] is None else tuple(params["roles"]),
        params["state"] == "present",
    )
    check_user(wanted, params["username"])
    user = next((user for user in api.users() if user.name == wanted.name), None)
    fits = None
    tried = params["update_password"] == "always" or (user and not user.enabled)
    if wanted.present and user and wanted.password is not None and tried:
        fits = api.accepts(wanted.name, wanted.password)
    return plan_user(
        wanted,
        user,
        api.roles(),
        password_fits=fits,
        unknown_password=secrets.token_urlsafe(48),
        checking=check_mode,
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
    result = planned.result("user", diff=module._diff)
    for warning in planned.warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
