"""Which secrets the roles read for what: each is looked up when a value that contains it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.contracts.variables import ROOT, load

ROLE = ROOT / "roles/mlflow_server"


def templated(expression: str, secret: str, **given: Any) -> Any:
    """Return what the server's variables make of an expression, each password and key of theirs being the secret."""
    loader = DataLoader()
    files = (ROLE / "defaults/main.yml", ROLE / "vars/main.yml")
    loaded = {
        name: value
        for file in files
        for name, value in loader.load_from_file(str(file), trusted_as_template=True).items()
    }
    looked_up = trust_as_template(secret)
    variables = {
        **loaded,
        "mlflow_server_backend_store": {
            "host": "db", "port": 5432, "name": "mlflow", "user": "mlflow", "password": looked_up,
            "admin_user": "master", "admin_password": looked_up, "ca_file": "",
        },
        "mlflow_server_credentials": dict.fromkeys(("admin_password", "session_key", "database_password"), looked_up),
        "__mlflow_server_sizing": {"workers": 2, "pool": {"size": 5, "overflow": 5}},
        **given,
    }  # fmt: skip
    return Templar(loader, variables=variables).template(trust_as_template("{{ " + expression + " }}"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mlflow_server_backend_store": {}},
        {"mlflow_server_environment": {"MLFLOW_BACKEND_STORE_URI": "postgresql://elsewhere/mlflow"}},
    ],
)
def test_a_migration_goes_where_the_service_will_and_reads_no_password_and_no_key(given: dict[str, Any]) -> None:
    uri = templated("__mlflow_server_environment.MLFLOW_BACKEND_STORE_URI", "readable", **given)
    assert (
        templated("__mlflow_server_migration_environment", "{{ unreadable }}", **given)["MLFLOW_BACKEND_STORE_URI"]
        == uri
    )


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, True),
        ({"mlflow_server_credentials": {"database_password": ""}}, False),
        ({"mlflow_server_credentials": {}, "mlflow_server_auth": "none"}, True),
    ],
)
def test_an_empty_password_is_refused(given: dict[str, Any], taken: bool) -> None:
    (check,) = (
        task for task in load(ROLE / "tasks/credentials.yml") if task["name"] == "Check that there is a password"
    )
    conditions = check["ansible.builtin.assert"]["that"]
    assert all(templated(condition, "readable", **given) for condition in conditions) is taken
    assert not all(templated(condition, "", **given) for condition in conditions)
