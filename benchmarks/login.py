"""What the login costs: metrics logged per second with it, as a ratio of those without it, on one deployed host.

Run ``make sandbox`` first, then ``python -m benchmarks.login``. Beside the deployed service the host runs the same once
more for as long as this takes, without MLflow's basic authentication and without nginx asking for a login: that is the
baseline. Both keep to the same database. Rounds alternate; clients come over TLS, each on a connection that it keeps.

Of a client that logs to a run, nginx and MLflow remember the login and the permission; see
roles/mlflow_server/files/app/tracking_server.py, which makes the ratio what it is.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import secrets
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.deploy.deployment import ROOT, Deployment

SANDBOX = ROOT / "inventories/sandbox"
API = "/api/2.0/mlflow"
BASELINE = Path(__file__).with_name("without_login.sh")
BASELINE_PORT = 8443


@dataclass(frozen=True)
class Server:
    """One of the two, as a client reaches it."""

    name: str
    host: str
    port: int
    trust: ssl.SSLContext
    login: tuple[str, str] | None = None

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection that isn't open yet."""
        return http.client.HTTPSConnection(self.host, self.port, context=self.trust, timeout=60)

    def post(self, connection: http.client.HTTPSConnection, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request; anything but 200 is an error."""
        headers = {"Content-Type": "application/json"}
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        connection.request("POST", f"{API}/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            msg = f"{self.name}: {path} was answered {answer.status}: {content[:200]!r}"
            raise RuntimeError(msg)
        found: dict[str, Any] = json.loads(content)
        return found


def rate(server: Server, experiment: str, clients: int, seconds: float) -> float:
    """Return the metrics that so many clients log per second, each to a run of its own."""
    done = [0] * clients
    ready, until = threading.Barrier(clients + 1), [0.0]

    def log(client: int) -> None:
        connection = server.connect()
        run = server.post(connection, "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
        metric = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1}
        ready.wait()
        ready.wait()
        while time.monotonic() < until[0]:
            server.post(connection, "runs/log-metric", {**metric, "step": done[client]})
            done[client] += 1
        connection.close()

    threads = [threading.Thread(target=log, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.monotonic()
    until[0] = started + seconds
    ready.wait()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - started)


def sandbox(*, as_administrator: bool = False) -> tuple[Server, str]:
    """Return the deployed server as a new user, or the administrator, reaches it, and an experiment of that user's."""
    environment = Deployment(SANDBOX).client_environment()
    host = urlsplit(environment["MLFLOW_TRACKING_URI"]).hostname or ""
    trust = ssl.create_default_context(cafile=environment["MLFLOW_TRACKING_SERVER_CERT_PATH"])
    login = environment["MLFLOW_TRACKING_USERNAME"], environment["MLFLOW_TRACKING_PASSWORD"]
    server = Server("with login", host, 443, trust, login)
    name = f"benchmark-{secrets.token_hex(4)}"
    if not as_administrator:
        login = name, secrets.token_urlsafe(24)
        server.post(server.connect(), "users/create", {"username": login[0], "password": login[1]})
        server = replace(server, login=login)
    return server, server.post(server.connect(), "experiments/create", {"name": name})["experiment_id"]


@contextmanager
def baseline() -> Iterator[None]:
    """Run the same service without a login on the host, for a while."""
    deployment = Deployment(SANDBOX)
    script = BASELINE.read_text()
    deployment.on_host(f"PORT={BASELINE_PORT}\n{script}\nstart")
    try:
        yield
    finally:
        deployment.on_host(f"PORT={BASELINE_PORT}\n{script}\nstop")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--seconds", type=float, default=10, help="how long a round lasts (10)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10], help="concurrent clients (1 10)")
    parser.add_argument("--administrator", action="store_true", help="log as the administrator, not as a user")
    options = parser.parse_args()

    with_login, experiment = sandbox(as_administrator=options.administrator)
    without_login = Server("without login", with_login.host, BASELINE_PORT, with_login.trust)

    with baseline():
        for clients in options.clients:
            rates: dict[str, list[float]] = {server.name: [] for server in (without_login, with_login)}
            busy = time.process_time(), time.monotonic()
            for _ in range(options.rounds):
                for server in (without_login, with_login):
                    rates[server.name].append(rate(server, experiment, clients, options.seconds))
            share = (time.process_time() - busy[0]) / (time.monotonic() - busy[1])
            ratios = [one / other for one, other in zip(rates["with login"], rates["without login"], strict=True)]
            for name, values in rates.items():
                print(f"{clients:4} clients, {name}: {spread(values, 0)} metrics/s")
            print(
                f"{clients:4} clients, ratio: {spread(ratios, 2)} (the load's own share: {share:.2f} of "
                f"{os.cpu_count()} processors)"
            )


def spread(values: list[float], digits: int) -> str:
    """Return minimum, median and maximum."""
    return " - ".join(f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    main()
