# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What the modules that manage a tracking server's access control have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the connection's options."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - The tracking server's address, as clients use it, without a login.
      - Plain V(http://) is accepted for loopback addresses only.
    type: str
    required: true
  ca_file:
    description:
      - File with the certificates to trust (PEM), on the host where the module runs. No others are trusted then.
      - The system's trust store is used when this is not given or empty.
    type: path
  username:
    description: The admin that the module logs in as.
    type: str
    required: true
  password:
    description: The admin's password.
    type: str
    required: true
  timeout:
    description: Seconds within which a single request must be answered completely, connecting included.
    type: float
    default: 10
  deadline:
    description: Seconds within which everything is over, repetitions included.
    type: float
    default: 60
  retries:
    description:
      - How often a request is repeated after a failed connection, a missing answer, or status 429, 502, 503 or 504.
      - What can't be done twice is repeated only if the server certainly didn't carry it out.
    type: int
    default: 3
  retry_pause:
    description: Seconds before the first repetition. Each further pause is twice as long, up to 5 seconds.
    type: float
    default: 0.5
notes:
  - The server runs MLflow 3.17 or later with its basic-auth app, and without workspaces.
  - Where the server caches logins (C(auth_cache_ttl_seconds)), each of its processes may go on to accept a password
    or an admin's rights that were taken away for that long. Roles and grants count at once.
  - Connects directly. Proxy settings of the environment are not used, redirects are not followed.
"""
