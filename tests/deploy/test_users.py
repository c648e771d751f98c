"""Who may do what: every route of the deployed server, asked by nobody, a stranger and the administrator."""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.deploy.deployment import Deployment

pytestmark = pytest.mark.deploy

LIST_ROUTES = Path(__file__).with_name("list_routes.py").read_text()
# Stands in everything that the administrator makes, and in nothing else.
CANARY = f"canary{secrets.token_hex(8)}"
STRANGER = (f"stranger-{secrets.token_hex(4)}", secrets.token_urlsafe(24))


@dataclass
class Server:
    """The deployed server, and what the administrator keeps there."""

    url: str
    trust: str
    administrator: tuple[str, str]
    # Values for the parameters of routes, by name.
    made: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, login: tuple[str, str] | None, **options: Any) -> requests.Response:
        """Send one request as this user, or as nobody."""
        return requests.request(
            method, f"{self.url}{path}", auth=login, verify=self.trust, timeout=60, allow_redirects=False, **options
        )

    def make(self, method: str, path: str, **options: Any) -> Any:
        """Send a request as the administrator that must succeed; return what it answers."""
        answer = self.ask(method, path, self.administrator, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def walk(self, method: str, path: str, login: tuple[str, str] | None) -> requests.Response:
        """Ask one route for what the administrator has made."""
        filled = re.sub(r"<(?:\w+:)?(\w+)>|{(\w+)(?::\w+)?}", lambda match: quote(self._value(match)), path)
        if method in ("GET", "HEAD", "OPTIONS"):
            return self.ask(method, filled, login, params=self.made)
        if path == "/graphql":
            wanted = (
                f'{{mlflowGetExperiment(input:{{experimentId:"{self.made["experiment_id"]}"}}){{experiment{{name}}}}}}'
            )
            return self.ask(method, filled, login, json={"query": wanted})
        return self.ask(method, filled, login, json=self.made)

    def _value(self, match: re.Match[str]) -> str:
        return str(self.made.get(match[1] or match[2], "1"))


@pytest.fixture(scope="module")
def server(deployment: Deployment) -> Server:
    """Keep one of each kind as the administrator, and create the stranger."""
    environment = deployment.client_environment()
    made = Server(
        environment["MLFLOW_TRACKING_URI"],
        environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
        (environment["MLFLOW_TRACKING_USERNAME"], environment["MLFLOW_TRACKING_PASSWORD"]),
    )
    api, tags = "/api/2.0/mlflow", [{"key": "secret", "value": CANARY}]
    experiment = made.make("POST", f"{api}/experiments/create", json={"name": CANARY, "tags": tags})["experiment_id"]
    run = made.make("POST", f"{api}/runs/create", json={"experiment_id": experiment, "run_name": CANARY, "tags": tags})
    run_id = run["run"]["info"]["run_id"]
    made.make("POST", f"{api}/runs/log-parameter", json={"run_id": run_id, "key": CANARY, "value": CANARY})
    metric = {"run_id": run_id, "key": CANARY, "value": 1, "timestamp": 1, "step": 0}
    made.make("POST", f"{api}/runs/log-metric", json=metric)
    folder = f"{experiment}/{run_id}/artifacts"
    answer = made.ask(
        "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/{CANARY}", made.administrator, data=CANARY.encode()
    )
    assert answer.ok, answer.text
    made.make("POST", f"{api}/registered-models/create", json={"name": CANARY, "description": CANARY})
    version = {"name": CANARY, "source": f"mlflow-artifacts:/{folder}", "run_id": run_id, "description": CANARY}
    made.make("POST", f"{api}/model-versions/create", json=version)
    model = made.make("POST", f"{api}/logged-models", json={"experiment_id": experiment, "name": CANARY})
    made.make("POST", f"{api}/users/create", json={"username": STRANGER[0], "password": STRANGER[1]})
    made.made = {
        "experiment_id": experiment,
        "experiment_ids": [experiment],
        "experiment_name": CANARY,
        "run_id": run_id,
        "run_uuid": run_id,
        "run_ids": [run_id],
        "metric_key": CANARY,
        "name": CANARY,
        "version": "1",
        "alias": "champion",
        "model_id": model["model"]["info"]["model_id"],
        "path": CANARY,
        "artifact_path": f"{folder}/{CANARY}",
        "max_results": 100,
        "username": made.administrator[0],
        "resource_type": "experiment",
        "resource_id": experiment,
    }
    return made


@pytest.fixture(scope="module")
def routes(deployment: Deployment) -> list[tuple[str, str]]:
    """Every method and route that the release on the host registers."""
    listed = deployment.on_host(f"/opt/mlflow/current/bin/python - 2>/dev/null <<'END'\n{LIST_ROUTES}\nEND")
    found = [(method, path) for method, path in json.loads(listed)]
    families = {path.split("/")[1] for _, path in found}
    assert families >= {"api", "ajax-api", "gateway", "v1", "graphql", "get-artifact", "static-files", "health"}
    assert len(found) > 500
    return found


def answers(
    server: Server, routes: list[tuple[str, str]], login: tuple[str, str] | None
) -> Iterator[tuple[str, requests.Response]]:
    """Walk all routes as this user, some side by side."""
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda route: server.walk(route[0], route[1], login), routes)
        yield from zip((" ".join(route) for route in routes), asked, strict=True)


def test_nobody_gets_past_the_login_on_any_route(server: Server, routes: list[tuple[str, str]]) -> None:
    open_routes = {}
    for route, answer in answers(server, routes, None):
        if answer.status_code != 401:
            open_routes[route] = (answer.status_code, answer.text)
        else:
            assert answer.headers["WWW-Authenticate"].startswith("Basic "), route
            assert CANARY not in answer.text
    assert open_routes.pop("GET /health") == (200, "OK")
    assert open_routes.pop("HEAD /health") == (200, "")
    # Says which methods the path takes, and nothing else.
    open_routes.pop("OPTIONS /health", None)
    assert open_routes == {}


def test_an_address_without_a_login_has_few_requests_at_once(server: Server) -> None:
    address, context = urlsplit(server.url), ssl.create_default_context(cafile=server.trust)
    held: list[http.client.HTTPSConnection] = []
    try:
        # Each is refused, and goes on for as long as its body does.
        while (status := begin_upload(address.netloc, context, held)) == http.HTTPStatus.UNAUTHORIZED:
            assert len(held) < 100
            for connection in held:
                connection.send(b"-")
        assert (status, len(held)) == (http.HTTPStatus.TOO_MANY_REQUESTS, 65)
        assert server.ask("GET", "/health", None).status_code == 200
        assert server.ask("GET", "/version", server.administrator).status_code == 200
    finally:
        for connection in held:
            connection.close()


def test_more_requests_than_the_host_can_serve_are_told_to_come_back(deployment: Deployment, server: Server) -> None:
    limit = int(re.findall(r"limit_conn requests (\d+);", deployment.on_host("cat /etc/nginx/nginx.conf"))[0])
    login = base64.b64encode(":".join(server.administrator).encode()).decode()
    address, context = urlsplit(server.url), ssl.create_default_context(cafile=server.trust)
    held: list[http.client.HTTPSConnection] = []
    try:
        for _ in range(limit):
            held.append(http.client.HTTPSConnection(address.netloc, context=context, timeout=60))
            held[-1].putrequest("POST", "/api/2.0/mlflow/runs/log-batch")
            held[-1].putheader("Authorization", f"Basic {login}")
            held[-1].putheader("Content-Length", "1000")
            held[-1].endheaders()
        refused = server.ask("GET", "/version", server.administrator)
        assert (refused.status_code, refused.headers["Retry-After"] in {"5", "8", "11", "14"}) == (429, True)
        assert server.ask("GET", "/health", None).status_code == 200
        held.pop().close()
        give_up = time.monotonic() + 30
        while server.ask("GET", "/version", server.administrator).status_code != 200:
            assert time.monotonic() < give_up
    finally:
        for connection in held:
            connection.close()


def begin_upload(host: str, context: ssl.SSLContext, held: list[http.client.HTTPSConnection]) -> int:
    """Send the head of a request as nobody, keep its connection, and return the answer's status."""
    held.append(http.client.HTTPSConnection(host, context=context, timeout=60))
    held[-1].putrequest("POST", "/")
    held[-1].putheader("Content-Length", "1000")
    held[-1].endheaders()
    return held[-1].getresponse().status


@pytest.mark.parametrize(
    "path",
    [
        "//api/2.0/mlflow/experiments/search?max_results=5",
        "/health/../api/2.0/mlflow/experiments/search?max_results=5",
        "/health/%2e%2e/api/2.0/mlflow/experiments/search?max_results=5",
        "/static-files/../api/2.0/mlflow/experiments/search?max_results=5",
        "/static-files/static/..%2f..%2f..%2fschema.json",
        "/static-files../schema.json",
        "/healthy",
        "/health/",
        "/metrics",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_spelling_of_a_path_avoids_the_login(server: Server, path: str) -> None:
    request = requests.Request("GET", server.url).prepare()
    request.url = server.url + path
    with requests.Session() as session:
        assert session.send(request, verify=server.trust, timeout=60).status_code in (400, 401)


FAMILIES = {
    "REST API": "/api/2.0/mlflow/experiments/get-by-name",
    "browser API": "/ajax-api/2.0/mlflow/runs/get",
    "artifact": "/api/2.0/mlflow-artifacts/artifacts/<path:artifact_path>",
    "presigned": "/api/2.0/mlflow-artifacts/presigned/<path:artifact_path>",
    "browser artifact": "/get-artifact",
    "registered model": "/api/2.0/mlflow/registered-models/get",
    "users": "/api/2.0/mlflow/users/get",
}


@pytest.mark.parametrize("path", FAMILIES.values(), ids=FAMILIES.keys())
def test_each_family_tells_a_wrong_login_from_a_missing_permission(server: Server, path: str) -> None:
    for name in (server.administrator[0], "nobody-of-that-name"):
        # New logins are limited, as the client knows.
        while (answer := server.walk("GET", path, (name, "wrong"))).status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
        assert answer.status_code == 401
    refused = server.walk("GET", path, STRANGER)
    assert refused.status_code == 403, refused.text
    assert CANARY not in refused.text
    allowed = server.walk("GET", path, server.administrator)
    assert allowed.status_code == 200, allowed.text


def test_a_stranger_sees_and_changes_nothing_of_others(server: Server, routes: list[tuple[str, str]]) -> None:
    seen = {
        route: answer.text[:300]
        for route, answer in answers(server, routes, STRANGER)
        if answer.ok
        and CANARY in answer.text
        # What the stranger makes under that name is the stranger's own.
        and not route.startswith("POST ")
    }
    assert seen == {}
    api = "/api/2.0/mlflow"
    run = server.make("GET", f"{api}/runs/get", params={"run_id": server.made["run_id"]})["run"]
    assert run["info"]["lifecycle_stage"] == "active"
    assert run["info"]["run_name"] == CANARY
    assert {"key": "secret", "value": CANARY} in run["data"]["tags"]
    kept = server.ask(
        "GET", f"/api/2.0/mlflow-artifacts/artifacts/{server.made['artifact_path']}", server.administrator
    )
    assert kept.text == CANARY
    model = server.make("GET", f"{api}/registered-models/get", params={"name": CANARY})["registered_model"]
    assert model["description"] == CANARY
    users = server.make("GET", f"{api}/users/list")["users"]
    assert {user["username"]: user["is_admin"] for user in users}[STRANGER[0]] is False


def test_the_server_calls_no_private_address_for_anybody(server: Server) -> None:
    hook = {
        "name": "hook",
        "url": "https://169.254.169.254/",
        "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    }
    refused = server.ask("POST", "/api/2.0/mlflow/webhooks", server.administrator, json=hook)
    assert refused.status_code == 400
    assert "non-public IP address" in refused.text


def test_the_walk_meets_what_it_asks_for(server: Server, routes: list[tuple[str, str]]) -> None:
    reading = [route for route in routes if route[0] == "GET"]
    met = {route for route, answer in answers(server, reading, server.administrator) if CANARY in answer.text}
    assert len(met) > 15, met
    assert {f"GET {path}" for path in FAMILIES.values() if "presigned" not in path and "users" not in path} <= met


def test_the_playbook_lets_in_whom_the_list_names_and_nobody_else(deployment: Deployment, server: Server) -> None:
    """The last of this module: it ends the stranger."""
    password = secrets.token_urlsafe(24)
    reading = {"resource_type": "experiment", "resource": CANARY, "permission": "READ"}
    users: list[dict[str, Any]] = [
        {"name": "reader", "password": password, "permissions": [reading]},
        {"name": "disabled", "password": password, "enabled": False, "permissions": [reading]},
    ]

    def apply(listed: list[dict[str, Any]]) -> int:
        values = json.dumps({"mlflow_users": listed, "mlflow_roles": []})
        play = deployment.play("playbooks/users.yml", "-vvv", "--diff", "--extra-vars", values)
        assert play.returncode == 0, play.output
        assert password not in play.output
        return play.changed["localhost"]

    def read(name: str) -> tuple[int, int]:
        experiment = server.walk("GET", "/api/2.0/mlflow/experiments/get", (name, password)).status_code
        return experiment, server.walk("GET", "/api/2.0/mlflow/registered-models/get", (name, password)).status_code

    assert apply(users) > 0
    assert read("reader") == (200, 403)
    assert read("disabled") == (401, 401)
    assert apply(users) == 0
    assert apply([]) > 0
    left = server.make("GET", "/api/2.0/mlflow/users/list")["users"]
    assert [user["username"] for user in left] == [server.administrator[0]]
    # A right login is remembered for a minute, the better part of which is over.
    refused_within = time.monotonic() + 90
    while (answer := server.ask("GET", "/version", STRANGER)).status_code != 401:
        assert CANARY not in answer.text
        assert time.monotonic() < refused_within, "a user who was deleted is still let in"
        time.sleep(2)
