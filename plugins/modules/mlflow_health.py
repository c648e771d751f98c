#!/usr/bin/python
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Prove that an MLflow tracking server works, by using it as a client would."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_health
short_description: Prove that an MLflow tracking server works
version_added: 0.1.0
author:
  - The mlops.mlflow authors (@mlops)
description:
  - Uses a tracking server as a client would and reports check by check what works and what doesn't.
  - The checks are, in this order, C(tls) and C(ping) at level V(ping); C(api) at V(read); C(experiment_create),
    C(run_create), C(metric_logged) and C(param_logged) at V(write); C(artifact_put), C(artifact_list),
    C(artifact_get) and C(artifact_delete) at V(artifact). Where anything may have been written, C(cleanup) is last.
  - What a check makes is removed again, also when a later check fails or the time is up. A part of O(deadline), a
    quarter but at most 15 seconds, is kept for that.
  - The module fails when a check fails. The failure carries the same values as a success.
options:
  url:
    description:
      - The tracking server's address, as clients use it, without a login.
      - Plain V(http://) is accepted for loopback addresses only.
    type: str
    required: true
  level:
    description:
      - How far to go. Each level holds those before it.
      - V(ping) proves that the server is reachable over verified TLS and that its process answers.
      - V(read) proves that it answers from its backend store.
      - V(write) proves that an experiment, a run, a metric and a param can be written and read back.
      - V(artifact) proves that an artifact can be uploaded, listed, downloaded byte for byte and deleted. This works
        with a server that serves artifacts itself, which is MLflow's default.
      - In check mode nothing is written, so the level is then at most V(read).
    type: str
    choices: [ping, read, write, artifact]
    default: read
  ca_file:
    description:
      - File with the certificates to trust (PEM), on the host where the module runs. No others are trusted then.
      - The system's trust store is used when this is not given or empty.
    type: path
  username:
    description: User of MLflow's basic authentication.
    type: str
  password:
    description: The user's password.
    type: str
  timeout:
    description: Seconds within which a single request must be answered completely, connecting included.
    type: float
    default: 10
  deadline:
    description: Seconds within which everything is over, repetitions and cleanup included.
    type: float
    default: 60
  retries:
    description:
      - How often a request is repeated after a failed connection, a missing answer, or status 429, 502, 503 or 504.
      - The creation of an experiment or a run is repeated only if the server certainly didn't carry it out.
    type: int
    default: 3
  retry_pause:
    description: Seconds before the first repetition. Each further pause is twice as long, up to 5 seconds.
    type: float
    default: 0.5
  artifact_size:
    description:
      - Size in bytes of the artifact, which has random content. At most 104857600 (100 MiB).
      - More than 1048576 also proves that proxies on the way accept large bodies. Where the check runs often on a
        bucket with versioning, remember that each artifact stays as an old version until the lifecycle rule ends it.
    type: int
    default: 65536
attributes:
  check_mode:
    description: Can run in check mode, where it only reads.
    support: full
  diff_mode:
    description: Can show what it would change.
    support: none
notes:
  - MLflow only marks experiments and runs as deleted. C(mlflow gc) on the server purges them.
  - Each invocation has an experiment of its own, named C(mlflow_health-) and a UUID, so that several may run at once.
  - Connects directly. Proxy settings of the environment are not used.
  - Redirects are not followed, so that the login reaches no other server.
seealso:
  - name: MLflow's REST API
    description: The calls that are made.
    link: https://mlflow.org/docs/latest/rest-api.html
"""

EXAMPLES = r"""
- name: Does the server answer from its database
  mlops.mlflow.mlflow_health:
    url: https://mlflow.example.com

- name: Prove that a run and its artifact go in and come out
  mlops.mlflow.mlflow_health:
    url: https://mlflow.example.com
    ca_file: /etc/ssl/private-ca.pem
    level: artifact
    username: ops
    password: "{{ mlflow_password }}"
  register: health

- name: Warn before the certificate ends
  ansible.builtin.assert:
    that: health.certificate_days_left > 14

- name: Wait up to two minutes for a server that is just starting
  mlops.mlflow.mlflow_health:
    url: http://127.0.0.1:5000
    level: write
    deadline: 120
    retries: 100
"""

RETURN = r"""
url:
  description: The address that was checked.
  returned: always, once the input is found valid
  type: str
  sample: https://mlflow.example.com
level:
  description: The level that was checked.
  returned: always, once the input is found valid
  type: str
  sample: artifact
healthy:
  description: Whether every check passed.
  returned: always, once the input is found valid
  type: bool
  sample: true
server_version:
  description: The server's version. Null when it isn't told, for example without a login.
  returned: always, once the input is found valid
  type: str
  sample: 3.17.2
certificate_days_left:
  description: Whole days until the server's certificate ends. Null without a verified certificate.
  returned: always, once the input is found valid
  type: int
  sample: 364
tls_protocol:
  description: The protocol that server and client agreed on. Null without a verified connection.
  returned: always, once the input is found valid
  type: str
  sample: TLSv1.3
latency_ms:
  description: Milliseconds that single requests took, without connecting. Null for those that were not answered.
  returned: always, once the input is found valid
  type: dict
  contains:
    connect:
      description: Connecting, TLS handshake included.
      returned: always
      type: int
      sample: 4
    ping:
      description: The process's answer.
      returned: always
      type: int
      sample: 2
    api:
      description: A search for experiments, so an answer from the backend store.
      returned: always
      type: int
      sample: 9
    write:
      description: A metric's logging.
      returned: always
      type: int
      sample: 12
    artifact_put:
      description: The artifact's upload.
      returned: always
      type: int
      sample: 35
    artifact_get:
      description: The artifact's download.
      returned: always
      type: int
      sample: 31
experiment:
  description: Name of the experiment that the check used. Null when it came to none.
  returned: always, once the input is found valid
  type: str
  sample: mlflow_health-6a0f3c1e-64a9-4f0e-8f06-5b4f4be1e7a2
checks:
  description: The checks in their order.
  returned: always, once the input is found valid
  type: list
  elements: dict
  contains:
    name:
      description: The check's name.
      returned: always
      type: str
      sample: artifact_get
    level:
      description: The level to which it belongs.
      returned: always
      type: str
      sample: artifact
    passed:
      description: Whether it passed.
      returned: always
      type: bool
      sample: true
    reached:
      description: Whether it was tried. False when a check that it needs failed, or the time was up.
      returned: always
      type: bool
      sample: true
    reason:
      description: What was found, or why it failed.
      returned: always
      type: str
      sample: 65536 bytes came back, byte for byte
    duration_ms:
      description: Milliseconds that it took, repetitions included.
      returned: always
      type: int
      sample: 33
"""

import os
import uuid
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.module_utils.health import HealthCheck, Level
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import Deadline, Login, TrackingError
from ansible_collections.mlops.mlflow.plugins.module_utils.tracking_api import TrackingApi

ARGUMENTS: dict[str, dict[str, Any]] = {
    **connection.ARGUMENTS,
    "level": {"type": "str", "choices": ["ping", "read", "write", "artifact"], "default": "read"},
    "artifact_size": {"type": "int", "default": 65536},
}


def prepare(params: Mapping[str, Any], *, check_mode: bool) -> HealthCheck:
    """Make a check of the module's parameters; raise for those that make no sense. Nothing is sent yet."""
    connection.check_bounds(params, {**connection.BOUNDS, "artifact_size": (1, 100 * 1024 * 1024)})
    level = Level.parse(params["level"])
    client = connection.client_of(params, Login.parse(params["username"], params["password"]))
    return HealthCheck(
        TrackingApi(client),
        min(level, Level.READ) if check_mode else level,
        Deadline(params["deadline"]),
        payload=os.urandom(params["artifact_size"]),
        name=f"mlflow_health-{uuid.uuid4()}",
    )


def main() -> None:
    """Check, and report as Ansible expects it."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        report = prepare(module.params, check_mode=module.check_mode).run()
    except TrackingError as error:
        module.fail_json(msg=error.reason)
    if report.healthy:
        module.exit_json(changed=False, msg=report.message, **report.facts())
    module.fail_json(changed=False, msg=report.message, **report.facts())


if __name__ == "__main__":
    main()
