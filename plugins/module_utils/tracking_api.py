"""The calls of MLflow's REST API that a check needs, with their answers as plain values."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import (
    Answer,
    Deadline,
    Endpoint,
    HttpClient,
    TrackingError,
)

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
MISSING = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class Experiment:
    """An experiment, as far as it matters here."""

    id: str
    deleted: bool


@dataclass(frozen=True)
class Run:
    """A run, as far as it matters here."""

    id: str
    experiment_id: str
    artifact_uri: str


@dataclass(frozen=True)
class RunData:
    """What was logged to a run."""

    metrics: dict[str, float]
    params: dict[str, str]


class TrackingApi:
    """One tracking server's API. Each call returns the server's answer or raises TrackingError."""

    def __init__(self, client: HttpClient) -> None:
        """Speak through this client."""
        self.client = client

    def health(self, deadline: Deadline) -> Answer:
        """Ask whether the process answers; it says so without looking at its database."""
        answer = self.client.send("GET", "/health", deadline=deadline)
        if answer.body.strip() != b"OK":
            raise TrackingError(f"{answer.request} answered {answer.status}, but not as MLflow does", sent=True)
        return answer

    def version(self, deadline: Deadline) -> str | None:
        """Return the server's version, None when it tells that only to those it knows."""
        try:
            answer = self.client.send("GET", "/version", deadline=deadline)
        except TrackingError as error:
            if error.status in (401, 403):
                return None
            raise
        version = answer.body.decode("ascii", "replace").strip()
        if not re.fullmatch(r"\d+\.\d+[0-9A-Za-z.+-]*", version):
            raise TrackingError(f"{answer.request} answered {answer.status}, but with no version", sent=True)
        return version

    def search_experiments(self, deadline: Deadline) -> Answer:
        """Ask for one experiment, whichever: the cheapest call that needs the backend store."""
        answer = self.client.send("POST", f"{API}/experiments/search", deadline=deadline, data={"max_results": 1})
        answer.json()
        return answer

    def create_experiment(self, name: str, deadline: Deadline) -> str:
        """Create an experiment, return its id."""
        note = "Made by a health check, which deletes it again. Should it be here after that: delete it."
        answer = self.client.send(
            "POST",
            f"{API}/experiments/create",
            deadline=deadline,
            data={"name": name, "tags": [{"key": "mlflow.note.content", "value": note}]},
            repeatable=False,
        )
        return _text(answer, "experiment_id")

    def find_experiment(self, name: str, deadline: Deadline) -> Experiment | None:
        """Return the experiment of that name, None when there is none."""
        try:
            answer = self.client.send(
                "GET", f"{API}/experiments/get-by-name", deadline=deadline, query={"experiment_name": name}
            )
        except TrackingError as error:
            if error.code == MISSING:
                return None
            raise
        return Experiment(
            _text(answer, "experiment", "experiment_id"),
            _text(answer, "experiment", "lifecycle_stage") == "deleted",
        )

    def delete_experiment(self, experiment_id: str, deadline: Deadline) -> None:
        """Mark the experiment and its runs as deleted; one that isn't there any more needs no deleting."""
        try:
            self.client.send(
                "POST", f"{API}/experiments/delete", deadline=deadline, data={"experiment_id": experiment_id}
            )
        except TrackingError as error:
            if error.code != MISSING:
                raise

    def create_run(self, experiment_id: str, name: str, deadline: Deadline) -> Run:
        """Create a run in the experiment."""
        answer = self.client.send(
            "POST",
            f"{API}/runs/create",
            deadline=deadline,
            data={"experiment_id": experiment_id, "run_name": name, "start_time": _now()},
            repeatable=False,
        )
        return Run(_text(answer, "run", "info", "run_id"), experiment_id, _text(answer, "run", "info", "artifact_uri"))

    def delete_run(self, run_id: str, deadline: Deadline) -> None:
        """Mark the run as deleted."""
        self.client.send("POST", f"{API}/runs/delete", deadline=deadline, data={"run_id": run_id})

    def log_metric(self, run_id: str, key: str, value: float, deadline: Deadline) -> Answer:
        """Log one value."""
        data = {"run_id": run_id, "key": key, "value": value, "timestamp": _now(), "step": 0}
        return self.client.send("POST", f"{API}/runs/log-metric", deadline=deadline, data=data)

    def log_param(self, run_id: str, key: str, value: str, deadline: Deadline) -> None:
        """Log one parameter."""
        data = {"run_id": run_id, "key": key, "value": value}
        self.client.send("POST", f"{API}/runs/log-parameter", deadline=deadline, data=data)

    def run_data(self, run_id: str, deadline: Deadline) -> RunData:
        """Read back what was logged to the run."""
        answer = self.client.send("GET", f"{API}/runs/get", deadline=deadline, query={"run_id": run_id})
        data = _field(answer, "run", "data")
        try:
            metrics = {str(item["key"]): float(item["value"]) for item in data.get("metrics", [])}
            params = {str(item["key"]): str(item["value"]) for item in data.get("params", [])}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TrackingError(f"{answer.request} answered with run data in no known form", sent=True) from error
        return RunData(metrics, params)

    def put_artifact(self, path: str, content: bytes, deadline: Deadline) -> Answer:
        """Upload through the server's artifact proxy."""
        return self.client.send("PUT", f"{ARTIFACTS}/{path}", deadline=deadline, data=content)

    def get_artifact(self, path: str, deadline: Deadline) -> Answer:
        """Download through the server's artifact proxy."""
        return self.client.send("GET", f"{ARTIFACTS}/{path}", deadline=deadline)

    def list_artifacts(self, folder: str, deadline: Deadline) -> dict[str, int]:
        """Return name and size (0 for a folder) of everything in the folder."""
        answer = self.client.send("GET", ARTIFACTS, deadline=deadline, query={"path": folder})
        files = answer.json().get("files", [])
        try:
            return {str(item["path"]): int(item.get("file_size", 0)) for item in files}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TrackingError(f"{answer.request} answered with a list in no known form", sent=True) from error

    def delete_artifacts(self, path: str, deadline: Deadline) -> None:
        """Delete a file, or a folder with everything in it."""
        self.client.send("DELETE", f"{ARTIFACTS}/{path}", deadline=deadline)


def proxied_path(artifact_uri: str, endpoint: Endpoint) -> str:
    """Return the path, below the server's artifact proxy, that a run's artifact URI stands for.

    Only a server that serves artifacts itself can be checked over its URL alone. An artifact URI that names another
    server isn't followed either: the login belongs to this one.
    """
    parts = urlsplit(artifact_uri)
    path = unquote(parts.path)
    anchor = f"{ARTIFACTS}/"
    if parts.scheme in ("http", "https") and anchor in path:
        path = path.partition(anchor)[2]
    elif parts.scheme != "mlflow-artifacts":
        kind = f"{parts.scheme}://" if parts.scheme else "a path on the server"
        raise TrackingError(
            f"the run keeps its artifacts at {artifact_uri} ({kind}), so each client must reach that place itself. "
            "Start the server with --serve-artifacts and --artifacts-destination, without --default-artifact-root"
        )
    if parts.netloc not in ("", endpoint.authority, f"{endpoint.authority}:{endpoint.port}"):
        raise TrackingError(
            f"the run's artifacts are served by {parts.netloc}, not by {endpoint}: check that server by its own address"
        )
    path = path.strip("/")
    if not path or ".." in path.split("/"):
        raise TrackingError(f"the run's artifact URI {artifact_uri} names no folder of its own")
    return path


def _now() -> int:
    return int(time.time() * 1000)


def _field(answer: Answer, *keys: str) -> Any:
    value: Any = answer.json()
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise TrackingError(f"{answer.request} answered {answer.status} without {'.'.join(keys)}", sent=True)
        value = value[key]
    return value


def _text(answer: Answer, *keys: str) -> str:
    value = _field(answer, *keys)
    if not isinstance(value, str) or not value:
        raise TrackingError(f"{answer.request} answered {answer.status} without {'.'.join(keys)}", sent=True)
    return value
