"""What a data scientist does with the stock client: `client.py log|read RECORD` against MLFLOW_TRACKING_URI.

`log` makes a run with everything that a run may have, and writes down in RECORD which; `read` fails unless all of it
comes back. Both resolve the server's name to MLFLOW_ADDRESS, which is what DNS does elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient

PARAMS = {"alpha": "0.5", "text": "Grüße; 'quoted' \"twice\" %s 日本"}
TAGS = {"purpose": "verification", "team": "ünï"}
METRICS = [(step, 1.0 / (step + 1)) for step in range(20)]
# More than any buffer on the way: nginx keeps one mebibyte of a request.
ARTIFACT_BYTES = 3 * 1024 * 1024 + 17
ALIAS = "champion"


def content(seed: str) -> bytes:
    """Return the artifact's bytes, which nothing compresses."""
    return random.Random(seed).randbytes(ARTIFACT_BYTES)


def log(name: str) -> dict[str, Any]:
    """Log one run and register a model of it."""
    mlflow.set_experiment("verification")
    client = MlflowClient()
    with mlflow.start_run(run_name=name) as run:
        mlflow.log_params(PARAMS)
        mlflow.set_tags(TAGS)
        for step, value in METRICS:
            mlflow.log_metric("loss", value, step=step)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.bin"
            path.write_bytes(content(name))
            mlflow.log_artifact(str(path), "model")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(name, ALIAS, version.version)
    return {
        "name": name,
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "sha256": hashlib.sha256(content(name)).hexdigest(),
    }


def read(record: dict[str, Any]) -> None:
    """Compare what the server returns with what was logged."""
    client = MlflowClient()
    run = client.get_run(record["run_id"])
    assert run.info.status == "FINISHED", run.info.status
    assert run.info.run_name == record["name"], run.info.run_name
    assert run.data.params == PARAMS, run.data.params
    assert {key: run.data.tags.get(key) for key in TAGS} == TAGS, run.data.tags
    history = [(metric.step, metric.value) for metric in client.get_metric_history(record["run_id"], "loss")]
    assert sorted(history) == METRICS, history
    found = client.search_runs([record["experiment_id"]], f"attributes.run_name = '{record['name']}'")
    assert [each.info.run_id for each in found] == [record["run_id"]], found
    version = client.get_model_version_by_alias(record["name"], ALIAS)
    assert version.run_id == record["run_id"], version
    # From S3 by a presigned URL, the client's own choice where the server can give one; then through the server.
    for proxied in (False, True):
        if proxied:
            os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] = "false"
        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(f"models:/{record['name']}@{ALIAS}/weights.bin", dst_path=folder)
            assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == record["sha256"], f"altered: {proxied=}"


def resolve_to(address: str) -> None:
    """Find the server at this address; TLS and HTTP go on using its name."""
    resolve, server = socket.getaddrinfo, urlsplit(os.environ["MLFLOW_TRACKING_URI"]).hostname
    socket.getaddrinfo = lambda host, *rest, **options: resolve(address if host == server else host, *rest, **options)


def main() -> None:
    """Run one of the commands."""
    command, path = sys.argv[1], Path(sys.argv[2])
    resolve_to(os.environ["MLFLOW_ADDRESS"])
    if command == "log":
        path.write_text(json.dumps(log(f"{path.stem}-{uuid.uuid4().hex[:8]}")), encoding="utf-8")
    else:
        read(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
