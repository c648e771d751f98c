"""What is logged to runs goes straight to MLflow's Flask app, as long as nobody else has a say in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.loading import ROLES, load
from fastapi import FastAPI
from mlflow.server import auth
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PROGRAM = "mlflow_server/files/app/tracking_server.py"
METRIC = "/api/2.0/mlflow/runs/log-metric"
SETTINGS = (
    "[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///auth.db\nauth_cache_ttl_seconds = 60\n"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load(monkeypatch, PROGRAM)


def build(*middlewares: str) -> FastAPI:
    """Return an app as MLflow builds it: a class that checks, functions, a native route, and Flask's mount."""
    app = FastAPI()
    app.add_middleware(Refusing)
    for name in middlewares:

        async def function(request: Any, call_next: Any, name: str = name) -> Any:
            answer = await call_next(request)
            answer.headers["passed"] = name
            return answer

        function.__name__ = name
        app.add_middleware(BaseHTTPMiddleware, dispatch=function)
    app.mount("/", PlainTextResponse("flask"))
    return app


def flask(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer as MLflow's Flask app does in these tests: in two pieces, with what was asked."""
    start_response("201 Created", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [environ["PATH_INFO"].rpartition("/")[2].encode(), b":" + environ["wsgi.input"].read()]


def ask(app: Any, path: str, host: str = "admitted") -> list[dict[str, Any]]:
    """Return the messages that answer a request, whose body comes in two pieces."""
    pieces, sent = [b"bo", b"dy"], []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "root_path": "", "scheme": "https"}
    asyncio.run(app({**scope, "query_string": b"", "headers": [(b"host", host.encode())]}, receive, send))
    return sent


def post(app: Any, path: str, host: str = "admitted") -> tuple[int, str, str]:
    """Return the status of a request's answer, its text, and the function that it has passed."""
    start, *rest = ask(app, path, host)
    text = b"".join(message.get("body", b"") for message in rest).decode()
    return start["status"], text, dict(start["headers"]).get(b"passed", b"").decode()


class Refusing:
    """Refuses a host, as MLflow's security does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refused = (b"host", b"refused") in scope.get("headers", [])
        await (PlainTextResponse("refused", 403) if refused else self.app)(scope, receive, send)


def test_only_what_is_logged_goes_past_the_middlewares(server: ModuleType) -> None:
    app = server.straight(build("gateway_timing_middleware"), flask, auth)
    assert post(app, METRIC) == (201, "log-metric:body", "")
    assert post(app, "/api/2.0/mlflow/runs/create") == (200, "flask", "gateway_timing_middleware")
    assert post(app, METRIC, "refused") == (403, "refused", "")


def test_an_answer_is_passed_on_as_it_is(server: ModuleType) -> None:
    app = server.straight(build(), flask, auth)
    start, body = ask(app, METRIC)
    assert (start["status"], body["body"]) == (201, b"log-metric:body")
    assert [value for name, value in start["headers"] if name == b"set-cookie"] == [b"a=1", b"b=2"]


def test_an_unknown_middleware_has_its_say(server: ModuleType) -> None:
    app = server.straight(build("gateway_timing_middleware", "new_middleware"), flask, auth)
    assert post(app, METRIC) == (200, "flask", "new_middleware")


def test_a_route_outside_flask_has_its_say(server: ModuleType) -> None:
    app = build("fastapi_permission_middleware")
    app.router.routes.insert(0, Route("/{path:path}", lambda _: PlainTextResponse("native"), methods=["POST"]))
    assert post(server.straight(app, flask, auth), METRIC) == (200, "native", "fastapi_permission_middleware")


@pytest.mark.parametrize(("environment", "kind"), [({}, "function"), ({"MLFLOW_ENABLE_WORKSPACES": "true"}, "FastAPI")])
def test_mlflow_itself_is_built_so(tmp_path: Path, environment: dict[str, str], kind: str) -> None:
    settings = tmp_path / "basic_auth.ini"
    settings.write_text(SETTINGS)
    built = subprocess.run(
        [sys.executable, "-c", "import tracking_server; print(type(tracking_server.create_app()).__name__)"],
        env={
            **os.environ,
            "PYTHONPATH": str((ROLES / PROGRAM).parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db",
            "MLFLOW_AUTH_CONFIG_PATH": str(settings),
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_ADMIN_PASSWORD": "the-admins-passphrase",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs-the-sessions-of-a-test",
            "_MLFLOW_SGI_NAME": "uvicorn",
            **environment,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.stdout.split() == [kind], built.stderr[-2000:]
