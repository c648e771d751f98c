"""What a module is told about a server becomes a client, or a clear refusal."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.connection import BOUNDS, check_bounds, client_of
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import Login, TrackingError

PARAMS: dict[str, Any] = {
    "url": "https://mlflow.example.com/prefix/",
    "ca_file": "",
    "timeout": 10,
    "deadline": 60,
    "retries": 3,
    "retry_pause": 0.5,
}


def test_the_address_is_taken_as_given() -> None:
    assert str(client_of(PARAMS, Login("ops", "passphrase")).endpoint) == "https://mlflow.example.com/prefix"


@pytest.mark.parametrize("option", BOUNDS)
def test_each_bound_is_inclusive_and_held(option: str) -> None:
    low, high = BOUNDS[option]
    for value in (low, high):
        check_bounds({**PARAMS, option: value}, BOUNDS)
    for value in (low - 1, high + 1, float("nan"), float("inf")):
        with pytest.raises(TrackingError, match=f"{option} is .*: out of range. Give a value from {low} to {high}"):
            client_of({**PARAMS, option: value}, None)
