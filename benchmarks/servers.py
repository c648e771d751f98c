"""What is compared: the tutorial's server, the deployed one, and what stands behind both without MLflow.

All are on the same host and share its database server and its S3. The deployed one is reached as a user reaches it:
through nginx and TLS, with a login that is no administrator's.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2.extensions
import requests

from benchmarks import database
from benchmarks.load import basic
from benchmarks.measure import Group
from benchmarks.scenarios import API
from tests.deploy.deployment import Deployment

HERE = Path(__file__).parent
TUTORIAL_PORT, BARE_PORT = 5000, 8444
START_SECONDS = 180
SETTLE_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """One server, as clients reach it."""

    name: str
    url: str
    # Its database, and all that it connects to.
    store: str
    databases: list[str]
    # Whose processor time is counted, by name; of which memory is.
    groups: dict[str, Group]
    memory: Group
    ca_file: str | None = None
    login: tuple[str, str] | None = None
    # From the start command to the first right answer.
    start_seconds: float = 0.0

    @property
    def authorization(self) -> str | None:
        """Return the header's value that brings the login."""
        return basic(*self.login) if self.login else None

    @property
    def client_environment(self) -> dict[str, str]:
        """Return the settings of MLflow's stock client."""
        settings = {"MLFLOW_TRACKING_URI": self.url}
        if self.login:
            settings |= {"MLFLOW_TRACKING_USERNAME": self.login[0], "MLFLOW_TRACKING_PASSWORD": self.login[1]}
        if self.ca_file:
            settings["MLFLOW_TRACKING_SERVER_CERT_PATH"] = self.ca_file
        return settings

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request; an answer that is no success is an error."""
        headers = {"Authorization": self.authorization} if self.authorization else {}
        with requests.Session() as session:
            # No proxy, trust or login of the environment.
            session.trust_env = False
            answer = session.request(
                method, self.url + path, headers=headers, verify=self.ca_file or True, timeout=120, **options
            )
            answer.raise_for_status()
            return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call MLflow's API."""
        found: dict[str, Any] = self.request("POST", f"{API}/{path}", json=body).json()
        return found


@dataclass(frozen=True)
class Site:
    """The deployment with everything around it that the benchmark needs."""

    deployment: Deployment
    login: database.Login
    address: str
    ca_file: str
    administrator: tuple[str, str]
    bucket: str
    endpoint: str
    # The deployed server's database.
    store: str
    # To look at connections with.
    watch: psycopg2.extensions.connection


@contextmanager
def site(deployment: Deployment) -> Iterator[Site]:
    """Find out what is deployed; keep a login of the benchmark's own in its database for a while."""
    environment = deployment.client_environment()
    (instance,) = deployment.client("rds").describe_db_instances()["DBInstances"]
    (bucket,) = deployment.client("s3").list_buckets()["Buckets"]
    # By its address: its name is known on the sandbox's own network alone.
    networks = deployment.database.attrs["NetworkSettings"]["Networks"]
    (host,) = [network["IPAddress"] for network in networks.values()]
    with (
        database.login(deployment.database, host, instance["Endpoint"]["Port"], instance["DBName"]) as login,
        login.session("postgres") as watch,
    ):
        yield Site(
            deployment,
            login,
            re.sub(r"^https://", "", environment["MLFLOW_TRACKING_URI"]),
            environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
            (environment["MLFLOW_TRACKING_USERNAME"], environment["MLFLOW_TRACKING_PASSWORD"]),
            bucket["Name"],
            deployment.variables["mlflow_aws"]["endpoint_url"],
            instance["DBName"],
            watch,
        )


def make_experiment(server: Server, site: Site, name: str) -> str:
    """Make an experiment of the clients' user, named so that `database.remove_experiments` finds it; return its id."""
    made = server.post("experiments/create", {"name": f"{site.login.user}-{server.name}-{name}"})
    return str(made["experiment_id"])


@contextmanager
def tutorial(site: Site) -> Iterator[Server]:
    """Run the tutorial's server on the deployed host, with a database of its own."""
    host, store = site.deployment.host, site.login.user
    unit = Group(str(host.id), "mlflow-tutorial.service")
    values = {
        # The driver is named because SQLAlchemy 2.1 would take psycopg 3.
        "DATABASE": site.login.uri(store).replace("postgresql:", "postgresql+psycopg2:", 1),
        "BUCKET": site.bucket,
        "ENDPOINT": site.endpoint,
        "REGION": site.deployment.variables["mlflow_aws"]["region"],
        "PORT": str(TUTORIAL_PORT),
    }
    url = f"http://{site.address}:{TUTORIAL_PORT}"
    began = time.monotonic()
    with _on_host(site, "tutorial.sh", values):
        _wait(f"{url}/health", None, unit)
        yield Server(
            "tutorial",
            url,
            store,
            [store],
            {"mlflow": unit, "database": Group(str(site.deployment.database.id))},
            unit,
            start_seconds=time.monotonic() - began,
        )


@contextmanager
def deployed(site: Site) -> Iterator[Server]:
    """Start the deployed server afresh, and make a user for the clients."""
    host = site.deployment.host
    unit, database_group = Group(str(host.id), "mlflow.service"), Group(str(site.deployment.database.id))
    url = f"https://{site.address}"
    began = time.monotonic()
    site.deployment.on_host("systemctl restart mlflow")
    _wait(f"{url}/health", site.ca_file, unit)
    seconds = time.monotonic() - began
    user, password = f"benchmark-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    groups = {"mlflow": unit, "nginx": Group(str(host.id), "nginx.service"), "database": database_group}
    stores = [site.store, *_auth_database(site)]
    administrator = Server("administrator", url, stores[0], stores, groups, unit, site.ca_file, site.administrator)
    administrator.post("users/create", {"username": user, "password": password})
    try:
        yield Server("deployed", url, stores[0], stores, groups, unit, site.ca_file, (user, password), seconds)
    finally:
        administrator.request("DELETE", f"{API}/users/delete", json={"username": user})


@contextmanager
def bare_nginx(site: Site) -> Iterator[str]:
    """Let nginx pass requests on to S3 without MLflow; the address at which it does."""
    with _on_host(site, "bare_nginx.sh", {"ENDPOINT": site.endpoint, "PORT": str(BARE_PORT)}):
        yield f"https://{site.address}:{BARE_PORT}"


def settle(server: Server, site: Site) -> bool:
    """Wait until the server works on nothing any more, and say whether it came to that."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        before = server.groups["mlflow"].processor_seconds()
        time.sleep(1)
        if (
            server.groups["mlflow"].processor_seconds() - before < 0.1
            and connections(server, site, "state <> 'idle'") == 0
        ):
            return True
    return False


def connections(server: Server, site: Site, which: str = "true") -> int:
    """Count the server's connections to its databases."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        f" AND datname = ANY(%s) AND application_name <> %s AND {which}"
    )
    ((count,),) = database.ask(site.watch, statement, [server.databases, database.APPLICATION])
    return int(count)


def _auth_database(site: Site) -> list[str]:
    """Name the users' database, which the service's own password file lists beside the first."""
    names = site.deployment.on_host("cut -d: -f3 /etc/mlflow/pgpass").split()
    return names[1:]


@contextmanager
def _on_host(site: Site, script: str, values: dict[str, str]) -> Iterator[None]:
    """Run the start of a script of this folder on the host, and its stop at the end."""
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    content = settings + (HERE / script).read_text()
    site.deployment.on_host(f"{content}\nstart")
    try:
        yield
    finally:
        site.deployment.on_host(f"{content}\nstop")


def _wait(url: str, ca_file: str | None, unit: Group) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with requests.Session() as session:
                session.trust_env = False
                if session.get(url, verify=ca_file or True, timeout=5).ok:
                    return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline or not unit.processes():
            msg = f"nothing answers at {url}; 'journalctl --unit {unit.unit}' on the host may say why"
            raise RuntimeError(msg)
        time.sleep(0.1)
