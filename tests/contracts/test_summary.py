"""What the summary says, of answers that a deployment hands to its template."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.contracts.variables import ROOT, load

TEMPLATE = ROOT / "playbooks/templates/summary.txt.j2"
PLAYBOOK = ROOT / "playbooks/summary.yml"
GOOD = {"check": "root_user", "ok": True, "detail": "", "remedy": ""}
BAD = {"check": "ebs_encryption", "ok": False, "detail": "plain disks", "remedy": "encrypt them"}
UNKNOWN = {"check": "guardduty", "ok": None, "detail": "nobody may look", "remedy": "allow it"}
ADMIN = "mlflow/dev/tracking-server/admin"
VARIABLES: dict[str, Any] = {
    "mlflow_project": "mlflow",
    "mlflow_env": "dev",
    "mlflow_aws": {"region": "eu-west-1"},
    "mlflow_domain": "mlflow.example.com",
    "mlflow_ca_file": "",
    "network_admin_cidrs": ["203.0.113.7/32"],
    "groups": {"tracking_hosts": ["i-1"]},
    "hostvars": {"i-1": {"ansible_host": "203.0.113.9", "ansible_user": "admin"}},
    "artifact_store_result": {"uri": "s3://bucket"},
    "backend_store_result": {
        "identifier": "mlflow-dev",
        "engine_version": "16.4",
        "endpoint": {"address": "db", "port": 5432},
        "master_secret": "master",
        "service_secret": "service",
        "auth_secret": "auth",
    },
    "network_result": {"vpc_id": "vpc", "tracking_security_group_id": "sg-1", "database_security_group_id": "sg-2"},
    "tracking_host_result": {"role_arn": "arn:role"},
    "access_control_result": {"admin_secret": ADMIN},
    "__summary_account": {"account_id": "123456789012", "findings": [GOOD, BAD, UNKNOWN]},
}


def templated(text: str, **overrides: Any) -> Any:
    """Return what a template says with these answers."""
    return Templar(DataLoader(), variables={**VARIABLES, **overrides}).template(trust_as_template(text))


def summary(**overrides: Any) -> list[str]:
    """Return the lines of the summary."""
    text: str = templated(TEMPLATE.read_text(), **overrides)
    return text.splitlines()


def test_the_account_s_findings_are_named_one_line_each_with_its_remedy() -> None:
    lines = summary()
    start = next(number for number, line in enumerate(lines) if line.startswith("Account "))
    assert lines[start : start + 4] == [
        "Account           123456789012: 1 of 3 checks passed; the rest is yours to change, no run of this does",
        "  ebs_encryption  plain disks. Remedy: encrypt them",
        "  guardduty       unknown: nobody may look. Remedy: allow it",
        "",
    ]


def test_of_an_account_without_findings_one_line_is_said() -> None:
    account = {"account_id": "123456789012", "findings": [GOOD]}
    assert "Account           123456789012: 1 of 1 checks passed" in summary(__summary_account=account)


@pytest.mark.parametrize(
    ("connection", "looked"),
    [
        ({"region": "eu-west-1"}, True),
        ({"region": "eu-west-1", "endpoint_url": ""}, True),
        ({"region": "eu-west-1", "endpoint_url": "http://10.41.0.1:5566"}, False),
    ],
)
def test_a_local_aws_is_not_looked_at_as_an_account(connection: dict[str, str], looked: bool) -> None:
    (play,) = load(PLAYBOOK)
    (task,) = (task for task in play["tasks"][0]["block"] if "mlops.mlflow.account_info" in task)
    assert templated("{{ " + task["when"] + " }}", mlflow_aws=connection) is looked


def test_of_an_account_that_was_not_looked_at_nothing_is_said() -> None:
    lines = summary(__summary_account={"changed": False, "skipped": True})
    assert "Identity          arn:role" in lines
    assert not [line for line in lines if line.startswith("Account") or "checks passed" in line]


@pytest.mark.parametrize(
    ("connection", "command"),
    [
        (
            {"region": "eu-west-1"},
            f"aws secretsmanager get-secret-value --region eu-west-1 --secret-id {ADMIN} "
            "--query SecretString --output text",
        ),
        (
            {"region": "eu-west-1", "profile": "ops"},
            f"aws secretsmanager get-secret-value --region eu-west-1 --profile ops --secret-id {ADMIN} "
            "--query SecretString --output text",
        ),
        ({"region": "eu-west-1", "endpoint_url": "http://10.41.0.1:5566"}, "make -s sandbox-env"),
    ],
)
def test_the_command_that_reads_the_login_is_named(connection: dict[str, str], command: str) -> None:
    assert f"  read them       {command}" in summary(mlflow_aws=connection)


def test_without_login_there_is_none_to_read() -> None:
    lines = summary(mlflow_server_auth="none", network_allowed_cidrs=["10.0.0.0/8"])
    assert not [line for line in lines if "read them" in line or ADMIN in line]


def test_the_way_to_a_host_is_the_one_that_is_open() -> None:
    assert "  host            i-1: ssh admin@203.0.113.9, then journalctl -u mlflow" in summary()
    session = "  host            i-1: aws ssm start-session --region eu-west-1 --target i-1, then journalctl -u mlflow"
    assert session in summary(network_admin_cidrs=[])
