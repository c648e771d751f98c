"""What every module that talks to a tracking server is told about it, and the client that is made of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import (
    Endpoint,
    HttpClient,
    Login,
    Retries,
    TrackingError,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "ca_file": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 10},
    "deadline": {"type": "float", "default": 60},
    "retries": {"type": "int", "default": 3},
    "retry_pause": {"type": "float", "default": 0.5},
}
# The same for what only an admin may do.
ADMIN_ARGUMENTS: dict[str, dict[str, Any]] = {
    **ARGUMENTS,
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
}
# Inclusive bounds; NaN and infinity, which Ansible takes for floats, are in none of them.
BOUNDS: dict[str, tuple[float, float]] = {
    "timeout": (0.1, 3600),
    "deadline": (1, 86400),
    "retries": (0, 10000),
    "retry_pause": (0, 60),
}


def check_bounds(params: Mapping[str, Any], bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise for the first option that is out of its bounds."""
    for option, (low, high) in bounds.items():
        if not low <= params[option] <= high:
            raise TrackingError(f"{option} is {params[option]}: out of range. Give a value from {low} to {high}.")


def client_of(params: Mapping[str, Any], login: Login | None) -> HttpClient:
    """Make the client that sends with this login. Nothing is sent yet."""
    check_bounds(params, BOUNDS)
    return HttpClient(
        Endpoint.parse(params["url"]),
        ca_file=params["ca_file"] or None,
        login=login,
        timeout=params["timeout"],
        retries=Retries(params["retries"], params["retry_pause"]),
    )
