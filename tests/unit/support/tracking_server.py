"""Enough of MLflow's REST API, in memory and over TLS, with the faults that a real server, or one's network, has.

What it answers was compared with MLflow 3.17.2; tests/integration runs the same module against the real server.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class Refusal(Exception):  # noqa: N818 - an answer rather than an error of the test
    """An answer that isn't a success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take the status and MLflow's error code and words."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Experiment:
    """An experiment and what became of it."""

    id: str
    name: str
    deleted: bool = False


@dataclass
class Run:
    """A run and what was logged to it."""

    id: str
    experiment_id: str
    deleted: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


Reply = tuple[int, str, bytes]
Fault = Callable[["Handler"], None]


class TrackingServer:
    """The server's state, its faults, and what was asked of it."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        """Start to listen on a free port of the loopback address."""
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, bytes] = {}
        self.login: tuple[str, str] | None = None
        self.artifact_root = "mlflow-artifacts:"
        self.store_artifact: Callable[[bytes], bytes] = bytes
        self.store_metric: Callable[[float], float] = float
        self.store_param: Callable[[str], str] = str
        self.keeps_deleted_artifacts = False
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        self.lock = threading.RLock()
        self._faults: list[tuple[str, Fault, list[int]]] = []
        scheme = "http" if context is None else "https"
        self._http = _Http(self, context)
        self.port = self._http.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[TrackingServer]:
        """Serve until the end of the block; requests that hang are let go then."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def fault(self, request: str, fault: Fault, *, times: int = 1_000_000) -> None:
        """Let the fault befall the next so many requests that start so, as in "POST /api/2.0/mlflow/runs/create"."""
        self._faults.append((request, fault, [times]))

    def fault_for(self, request: str) -> Fault | None:
        """Take the fault that befalls this request, if any does."""
        with self.lock:
            for start, fault, left in self._faults:
                if request.startswith(start) and left[0] > 0:
                    left[0] -= 1
                    return fault
        return None

    @property
    def leftovers(self) -> list[str]:
        """Whatever somebody made and didn't delete."""
        with self.lock:
            return [
                *(
                    f"experiment {experiment.name}"
                    for experiment in self.experiments.values()
                    if not experiment.deleted
                ),
                *(f"run {run.id}" for run in self.runs.values() if not run.deleted),
                *(f"artifact {path}" for path in self.artifacts),
            ]

    def refusal(self, request: str, user: str, password: str) -> Reply | None:
        """Return what this login is answered that isn't enough for the request."""
        if self.login in (None, (user, password)) or request.split()[1].startswith("/health"):
            return None
        return 401, "text/html", b"You are not authenticated."

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        """Do what is asked, as MLflow would."""
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        if path == "/health":
            return 200, "text/html; charset=utf-8", b"OK"
        if path == "/version":
            return 200, "text/html; charset=utf-8", b"3.17.2"
        try:
            with self.lock:
                if path.startswith(ARTIFACTS):
                    return self._artifact(method, path[len(ARTIFACTS) :].lstrip("/"), query, body)
                call = f"{method} {path.removeprefix(API)}"
                return _json(200, self.call(call, json.loads(body) if body else query))
        except Refusal as refusal:
            return _json(refusal.status, {"error_code": refusal.code, "message": refusal.message})

    def call(self, call: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Do one call of the API."""
        match call:
            case "POST /experiments/search":
                return {"experiments": [{"experiment_id": "0", "name": "Default"}]}
            case "POST /experiments/create":
                if any(experiment.name == asked["name"] for experiment in self.experiments.values()):
                    raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Experiment(name={asked['name']}) already exists.")
                made = Experiment(str(len(self.experiments) + 1), asked["name"])
                self.experiments[made.id] = made
                return {"experiment_id": made.id}
            case "GET /experiments/get-by-name":
                for experiment in self.experiments.values():
                    if experiment.name == asked["experiment_name"]:
                        stage = "deleted" if experiment.deleted else "active"
                        return {"experiment": {"experiment_id": experiment.id, "lifecycle_stage": stage}}
                raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", "Could not find the experiment")
            case "POST /experiments/delete":
                experiment = self.experiments[asked["experiment_id"]]
                if experiment.deleted:
                    raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={experiment.id} exists")
                experiment.deleted = True
                for run in self.runs.values():
                    run.deleted = run.deleted or run.experiment_id == experiment.id
                return {}
            case "POST /runs/create":
                run = Run(f"{len(self.runs) + 1:032x}", asked["experiment_id"])
                self.runs[run.id] = run
                return self._run(run)
            case "GET /runs/get":
                return self._run(self.runs[asked["run_id"]])
            case "POST /runs/delete":
                self.runs[asked["run_id"]].deleted = True
                return {}
            case "POST /runs/log-metric":
                self.runs[asked["run_id"]].metrics[asked["key"]] = self.store_metric(asked["value"])
                return {}
            case "POST /runs/log-parameter":
                self.runs[asked["run_id"]].params[asked["key"]] = self.store_param(asked["value"])
                return {}
        raise Refusal(404, "ENDPOINT_NOT_FOUND", call)

    def _run(self, run: Run) -> dict[str, Any]:
        info = {"run_id": run.id, "artifact_uri": f"{self.artifact_root}/{run.experiment_id}/{run.id}/artifacts"}
        # As in MLflow's answers, a list without elements is left out.
        data: dict[str, list[dict[str, object]]] = {}
        if run.metrics:
            data["metrics"] = [{"key": key, "value": value} for key, value in run.metrics.items()]
        if run.params:
            data["params"] = [{"key": key, "value": text} for key, text in run.params.items()]
        return {"run": {"info": info, "data": data}}

    def _artifact(self, method: str, path: str, query: dict[str, str], body: bytes) -> Reply:
        if method == "PUT":
            self.artifacts[path] = self.store_artifact(body)
            return 200, "text/html", b""
        if method == "DELETE":
            if not self.keeps_deleted_artifacts:
                self.artifacts = {
                    name: content
                    for name, content in self.artifacts.items()
                    if name != path and not name.startswith(f"{path}/")
                }
            return _json(200, {})
        if path:
            if path not in self.artifacts:
                raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No such artifact: '{path}'")
            return 200, "application/octet-stream", self.artifacts[path]
        files: dict[str, dict[str, object]] = {}
        for name, content in self.artifacts.items():
            if name.startswith(f"{query['path']}/"):
                first, _slash, deeper = name.removeprefix(f"{query['path']}/").partition("/")
                files[first] = {
                    "path": first,
                    "is_dir": bool(deeper),
                    **({} if deeper else {"file_size": len(content)}),
                }
        return _json(200, {"files": list(files.values())} if files else {})


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, tracking: TrackingServer, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tracking = tracking
        self._context = context

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._context is None:
            return connection, address
        # The handshake takes place in the request's own thread, else one bad client would stop all.
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what most tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Http
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """Read a request, let its fault befall it, or answer it."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.close_connection = True
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        tracking = self.server.tracking
        request = f"{self.command} {self.path}"
        with tracking.lock:
            tracking.requests.append(request)
            tracking.headers.append(dict(self.headers.items()))
        fault = tracking.fault_for(request)
        if fault is not None:
            fault(self)
        else:
            kind, _space, given = self.headers.get("Authorization", "").partition(" ")
            user, _colon, password = base64.b64decode(given if kind == "Basic" else "").decode().partition(":")
            refusal = tracking.refusal(request, user, password)
            self.reply(refusal or self.answer())
        self.wfile.flush()

    def answer(self) -> Reply:
        """Carry the request out."""
        return self.server.tracking.answer(self.command, self.path, self.body)

    def reply(self, reply: Reply, **headers: str) -> None:
        """Send an answer."""
        status, kind, body = reply
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep the tests' output clean."""


def _json(status: int, answer: dict[str, Any]) -> Reply:
    return status, "application/json", json.dumps(answer).encode()


def status(code: int, error: str = "", message: str = "") -> Fault:
    """Refuse with this status, in MLflow's form if there is an error code, else with a proxy's page."""
    body = json.dumps({"error_code": error, "message": message}).encode() if error else b"<html>sorry</html>"
    kind = "application/json" if error else "text/html"
    return lambda handler: handler.reply((code, kind, body))


def redirect(target: str) -> Fault:
    """Send the client elsewhere."""
    return lambda handler: handler.reply((302, "text/html", b""), Location=target)


def garbage(handler: Handler) -> None:
    """Answer with a page where JSON is due."""
    handler.reply((200, "text/html", b"<!doctype html><title>Welcome</title>"))


def no_http(handler: Handler) -> None:
    """Answer with something that isn't HTTP."""
    handler.wfile.write(b"\x00\x01\x02 not HTTP\r\n\r\n")


def hang(handler: Handler) -> None:
    """Never answer."""
    handler.server.tracking.released.wait(30)


def lose_answer(handler: Handler) -> None:
    """Carry the request out, then close the connection without a word."""
    handler.answer()


def carry_out_late(seconds: float) -> Fault:
    """Carry the request out so much later, and never answer."""

    def fault(handler: Handler) -> None:
        time.sleep(seconds)
        handler.answer()
        hang(handler)

    return fault


def cut_short(handler: Handler) -> None:
    """Carry the request out, announce the whole answer, send half of it."""
    code, kind, body = handler.answer()
    handler.send_response(code)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])


def trickle(handler: Handler) -> None:
    """Answer a byte at a time, each soon enough for a timeout that counts from byte to byte."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.tracking.released.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()
