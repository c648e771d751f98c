"""Where a run's artifacts are found."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import Endpoint, TrackingError
from ansible_collections.mlops.mlflow.plugins.module_utils.tracking_api import proxied_path

ENDPOINT = Endpoint.parse("https://mlflow.example.com")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("mlflow-artifacts:/1/abc/artifacts", "1/abc/artifacts"),
        ("mlflow-artifacts:///team/1/abc/artifacts", "team/1/abc/artifacts"),
        ("mlflow-artifacts://mlflow.example.com/1/abc/artifacts", "1/abc/artifacts"),
        ("mlflow-artifacts://mlflow.example.com:443/1/abc/artifacts", "1/abc/artifacts"),
        ("https://mlflow.example.com/api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts", "1/abc/artifacts"),
        ("mlflow-artifacts:/a%20team/1/abc/artifacts", "a team/1/abc/artifacts"),
    ],
)
def test_a_proxied_artifact_has_a_path(uri: str, path: str) -> None:
    assert proxied_path(uri, ENDPOINT) == path


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://bucket/1/abc/artifacts", "s3://.*--serve-artifacts"),
        ("/var/lib/mlflow/1/abc/artifacts", "a path on the server.*--serve-artifacts"),
        ("https://mlflow.example.com/files/1/abc", "--serve-artifacts"),
        ("mlflow-artifacts://other.example.com/1/abc", "served by other.example.com, not by https://mlflow.example.c"),
        ("https://other.example.com/api/2.0/mlflow-artifacts/artifacts/1/abc", "served by other.example.com"),
        ("mlflow-artifacts:/", "names no folder"),
        ("mlflow-artifacts:/1/../../2", "names no folder"),
        ("mlflow-artifacts:/1/%2e%2e/2", "names no folder"),
    ],
)
def test_any_other_place_is_refused(uri: str, words: str) -> None:
    with pytest.raises(TrackingError, match=words):
        proxied_path(uri, ENDPOINT)
