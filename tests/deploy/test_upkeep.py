"""What an operator does to a server that is in use, while somebody uses it."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.deploy.deployment import Deployment
from tests.provision.recorded import control

pytestmark = pytest.mark.deploy

CLIENT = Path(__file__).with_name("logging_client.py")
ROTATE = "playbooks/rotate_secrets.yml"
# Five secrets are first kept beside the old ones, then take their place. Here the server's administrator and the
# database's have their new passwords already, and of the five places two are taken.
HALF_WAY = {"call": "secretsmanager:UpdateSecret", "after": 7, "code": "AccessDeniedException"}
CONNECT = """
import json, sys, psycopg2
for login in json.load(sys.stdin):
    try:
        psycopg2.connect(sslmode="verify-full", sslrootcert="/etc/mlflow/backend-store-ca.pem", **login).close()
    except psycopg2.OperationalError as error:
        print(error)
    else:
        print("welcome")
"""


def kept(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the content of every secret by the last part of its name."""
    client = deployment.client("secretsmanager")
    return {
        secret["Name"].rpartition("/")[2]: json.loads(client.get_secret_value(SecretId=secret["Name"])["SecretString"])
        for secret in client.list_secrets()["SecretList"]
    }


def logins(secret: dict[str, dict[str, Any]], host: str) -> list[dict[str, str]]:
    """Return how the database's administrator and the service's two users log in."""
    databases = {"master": "postgres", "service": "mlflow", "auth": "mlflow_auth"}
    return [
        {"host": host, "dbname": dbname, "user": secret[name]["username"], "password": secret[name]["password"]}
        for name, dbname in databases.items()
    ]


def let_in(deployment: Deployment, wanted: list[dict[str, str]]) -> list[bool]:
    """Say for each login whether the database takes it, asked from the tracking host."""
    python = "/opt/mlflow/current/bin/python"
    said = deployment.on_host(f"{python} -c '{CONNECT}' <<'END'\n{json.dumps(wanted)}\nEND")
    return [line == "welcome" for line in said.splitlines() if line.strip()]


def in_sight(text: str, found: dict[str, dict[str, Any]]) -> list[str]:
    """Name the secrets that stand in a text, as they are or as a request's header carries them."""
    shown = []
    for name, content in found.items():
        for key in content.keys() & {"password", "key"}:
            header = base64.b64encode(f"{content.get('username')}:{content[key]}".encode()).decode()
            shown += [name] if content[key] in text or header in text else []
    return shown


@contextmanager
def logging(environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Let a data scientist log all the while; fill in at the end what became of it."""
    outcome: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, CLIENT, "logged during upkeep"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin
        assert client.stdout
        try:
            assert client.stdout.readline() == "logging\n"
            yield outcome
        finally:
            client.stdin.close()
            outcome.update(json.loads(client.stdout.readlines()[-1]))


def test_a_rotation_that_dies_half_way_and_is_run_again_is_not_noticed(deployment: Deployment, tmp_path: Path) -> None:
    environment = deployment.client_environment()
    url, trust = environment["MLFLOW_TRACKING_URI"], environment["MLFLOW_TRACKING_SERVER_CERT_PATH"]
    before = kept(deployment)
    administrator = (before["admin"]["username"], before["admin"]["password"])
    scientist = {"username": "rosalind", "password": secrets.token_urlsafe(24)}
    created = requests.post(
        f"{url}/api/2.0/mlflow/users/create", json=scientist, auth=administrator, verify=trust, timeout=60
    )
    assert created.ok, created.text
    environment |= {
        "MLFLOW_TRACKING_USERNAME": scientist["username"],
        "MLFLOW_TRACKING_PASSWORD": scientist["password"],
    }
    deployment.environment |= {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path),
    }
    with logging(environment) as logged:
        control(deployment, "faults", "PUT", [HALF_WAY])
        died = deployment.play(ROTATE, "-vvv")
        control(deployment, "faults", "DELETE")
        half_way = kept(deployment)
        finished = deployment.play(ROTATE, "-vvv")
    for name in ("ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION"):
        del deployment.environment[name]

    assert died.returncode != 0, died.output
    assert {name for name, content in half_way.items() if "next" in content} == {"auth", "admin", "session"}
    assert finished.returncode == 0, finished.output
    assert logged["errors"] == []
    assert logged["acknowledged"] == logged["kept"]
    assert logged["rate"] > 10

    after = kept(deployment)
    host = deployment.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"]["Address"]
    assert after.keys() == before.keys() == {"master", "service", "auth", "admin", "session"}
    for name, content in after.items():
        assert content.keys() == before[name].keys()
        assert {content.get("password"), content.get("key")}.isdisjoint(
            {before[name].get("password", ""), before[name].get("key", "")}
        )
    assert let_in(deployment, logins(after, host)) == [True, True, True]
    assert let_in(deployment, logins(before, host)) == [False, False, False]
    anew = (administrator[0], after["admin"]["password"])
    served = requests.get(f"{url}/api/2.0/mlflow/users/current", auth=anew, verify=trust, timeout=60)
    assert served.ok, served.text
    refused_within = time.monotonic() + 90
    while requests.get(url, auth=administrator, verify=trust, timeout=60).status_code != requests.codes.unauthorized:
        assert time.monotonic() < refused_within, "the old password is still taken"
        time.sleep(2)

    output = died.output + finished.output
    assert "rotate_secrets.yml" in output
    cached = "".join(path.read_text() for path in tmp_path.iterdir())
    assert cached
    for found in (before, half_way, after):
        assert in_sight(output, found) == []
        assert in_sight(cached, found) == []


def test_a_check_of_a_rotation_changes_no_secret(deployment: Deployment) -> None:
    before = kept(deployment)
    play = deployment.play(ROTATE, "--check")
    assert play.returncode == 0, play.output
    assert play.changed["localhost"] == 1
    assert kept(deployment) == before
