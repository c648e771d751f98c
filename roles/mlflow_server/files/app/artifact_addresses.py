"""Tells nginx where in S3 an artifact is, so that its bytes needn't pass through MLflow.

MLflow spools each artifact whole to a disk before it passes it on. nginx passes it on as it comes, between the client
and S3, when MLflow has judged the request and answered with an address, signed for this one object. ``GET`` of
``/mlflow-artifacts/presigned/<path>`` is MLflow's own, for a download; ``PUT`` of it is added here, for an upload. Both
are judged as a request for the artifact itself is.

MLflow goes on to handle whatever has no address: a store that isn't S3, uploads that S3 takes only with headers that
nginx doesn't send, a network where only MLflow knows the way to S3.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from werkzeug.wrappers import Response

PATHS = [f"/{api}/2.0/mlflow-artifacts/presigned/<path:artifact_path>" for api in ("api", "ajax-api")]
# In seconds. S3 looks at it when a request begins, however long that takes.
EXPIRES = 60
# For nginx alone, which keeps them from clients.
ADDRESS, CONTENT_TYPE, OWNER = "X-Artifact-Address", "X-Artifact-Type", "X-Artifact-Owner"


def reached_by_mlflow_alone(environment: Mapping[str, str]) -> bool:
    """Tell whether these settings lead MLflow to S3 through a proxy, or by certificates that nginx doesn't trust."""
    names = {"aws_ca_bundle", "requests_ca_bundle", "mlflow_s3_ignore_tls", "http_proxy", "https_proxy"}
    return any(environment[name] for name in environment if name.lower() in names)


def serve(app: Flask) -> None:
    """Let MLflow's app answer with addresses.

    Args:
        app: MLflow's, with its checks of logins and permissions.
    """
    if reached_by_mlflow_alone(os.environ):
        return
    handlers: Any = import_module("mlflow.server.handlers")
    upload = handlers.catch_mlflow_exception(handlers._disable_unless_serve_artifacts(upload_address))
    for number, path in enumerate(PATHS):
        app.add_url_rule(path, f"upload_address_{number}", upload, methods=["PUT"])
    app.after_request(download_address)


def download_address(response: Response) -> Response:
    """Repeat in a header, which nginx can read, the address of MLflow's own answer."""
    from flask import request

    if request.method == "GET" and request.url_rule and request.url_rule.rule in PATHS and response.status_code == 200:
        response.headers[ADDRESS] = response.get_json()["url"]
    return response


def upload_address(artifact_path: str) -> Response:
    """Answer with the address for an upload, and the headers to be sent with it; without one for MLflow to take it.

    Args:
        artifact_path: below the artifact store, as MLflow's route of uploads takes it.
    """
    from flask import Response

    handlers: Any = import_module("mlflow.server.handlers")
    path = handlers._get_workspace_scoped_repo_path_if_enabled(handlers.validate_path_is_safe(artifact_path))
    repository = handlers._get_artifact_repo_mlflow_artifacts()
    handlers._validate_support_presigned_upload(repository)
    signed = repository.create_presigned_upload_url(path, expiration=EXPIRES)
    response = Response(status=204)
    if signed.headers.keys() == {"Content-Type"}:
        response.headers[ADDRESS] = signed.presigned_url
        response.headers[CONTENT_TYPE] = signed.headers["Content-Type"]
        # Signed too, though MLflow doesn't name it among the headers.
        response.headers[OWNER] = repository._bucket_owner_params.get("ExpectedBucketOwner", "")
    return response
