"""playbooks/users.yml as a person runs it, with the admin's secret in a local Secrets Manager."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.tests.unit.support.access_server import ADMIN, AccessServer, User
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]
PASSWORD = "a-passphrase-of-a-user"
ALICE = {
    "name": "alice",
    "password": PASSWORD,
    "roles": ["readers"],
    "permissions": [{"resource_type": "experiment", "resource": "churn", "permission": "MANAGE"}],
}
READERS = {
    "name": "readers",
    "permissions": [{"resource_type": "registered_model", "resource": "*", "permission": "READ"}],
}

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[AccessServer, Authority]]:
    authority = Authority(tmp_path, "trusted")
    running = AccessServer(authority.server_context())
    with running.running():
        running.add_experiment("churn")
        yield running, authority


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """Keep the admin's login in a Secrets Manager, return the connection to it."""
    secrets = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    secrets.start()
    host, port = secrets.get_host_and_port()
    connection = {
        "region": "eu-west-1",
        "endpoint_url": f"http://{host}:{port}",
        "access_key": "local-aws",
        "secret_key": "no-account-is-behind-this-key",
    }
    boto3.client(
        "secretsmanager",
        region_name=connection["region"],
        endpoint_url=connection["endpoint_url"],
        aws_access_key_id=connection["access_key"],
        aws_secret_access_key=connection["secret_key"],
    ).create_secret(Name="admin", SecretString=json.dumps({"username": ADMIN[0], "password": ADMIN[1]}))
    yield connection
    secrets.stop()


@pytest.fixture
def play(tmp_path: Path, server: tuple[AccessServer, Authority], aws: dict[str, str]) -> Play:
    """Run the playbook with these lists."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        "{all: {hosts: {localhost: {ansible_connection: local}}},"
        " tracking_hosts: {hosts: {one: {ansible_host: 192.0.2.1}}}}"
    )

    def run(*options: str, users: list[Any], roles: list[Any] | None = None) -> subprocess.CompletedProcess[str]:
        variables = {
            "mlflow_project": "mlflow",
            "mlflow_env": "test",
            "mlflow_aws": aws,
            "mlflow_domain": f"127.0.0.1:{server[0].port}",
            "mlflow_ca_file": str(server[1].file),
            "mlflow_users": users,
            "mlflow_roles": roles or [],
            "access_control_result": {"admin_secret": "admin"},
            "ansible_python_interpreter": sys.executable,
        }
        (tmp_path / "variables.yml").write_text(yaml.safe_dump(variables))
        command = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert command is not None
        return subprocess.run(
            [
                *(command, "-i", str(inventory), str(ROOT / "playbooks/users.yml")),
                *("-e", f"@{tmp_path}/variables.yml", *options),
            ],
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_HOME": str(tmp_path / "home"),
                "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
                "ANSIBLE_NOCOLOR": "1",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_the_lists_are_the_whole_truth(server: tuple[AccessServer, Authority], play: Play) -> None:
    mlflow = server[0]
    mlflow.users["carol"] = User("who-was-not-listed")
    mlflow.add_role("leftover", of="carol")

    checked = play("--check", "--diff", users=[ALICE], roles=[READERS])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "delete the user carol" in checked.stdout
    assert "grant to the user alice: MANAGE on experiment churn" in checked.stdout
    assert mlflow.writes == []

    first = play("-vvv", users=[ALICE], roles=[READERS])
    assert first.returncode == 0, first.stdout + first.stderr
    assert sorted(mlflow.users) == ["admin", "alice"]
    assert mlflow.users["alice"].password == PASSWORD
    assert mlflow.roles_of("alice") == ["grants:alice", "readers"]
    assert mlflow.granted("grants:alice") == [("experiment", "1", "MANAGE")]
    assert {role.name for role in mlflow.roles.values()} == {"readers", "grants:alice"}
    for secret in (ADMIN[1], PASSWORD):
        assert secret not in first.stdout + first.stderr + checked.stdout + checked.stderr

    mlflow.requests.clear()
    second = play(users=[ALICE], roles=[READERS])
    assert "changed=0" in second.stdout, second.stdout
    assert mlflow.writes == []

    # A permission and a role that are no longer listed, then the user.
    play(users=[{"name": "alice", "enabled": False}])
    assert mlflow.roles_of("alice") == ["disabled"]
    assert mlflow.users["alice"].password != PASSWORD
    play(users=[])
    assert list(mlflow.users) == ["admin"]


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([{**ALICE, "permision": []}], "permision"),
        ([{"password": PASSWORD}], "Each needs a name"),
        ([ALICE, ALICE], "mlflow_users has a name twice: alice, alice"),
        ([{**ALICE, "password": "tiny-pw"}], "user_password of alice is too short"),
        ([{"name": ADMIN[0], "password": PASSWORD}], "mlflow_users names admin"),
        ([{**ALICE, "roles": ["nobody"]}], "There is no role nobody for the user alice"),
    ],
)
def test_what_is_wrong_is_said_without_a_password(
    server: tuple[AccessServer, Authority], play: Play, users: list[Any], words: str
) -> None:
    done = play(users=users)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert words in said, done.stdout
    assert PASSWORD not in said
    assert server[0].users.keys() <= {"admin"}
