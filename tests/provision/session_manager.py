"""Hosts behind Session Manager, when drift was put right: `pytest tests/provision/session_manager.py`.

The last of these leaves the account without port 22.
"""

from __future__ import annotations

import base64
import json

import pytest

from tests.deploy.deployment import Deployment, Play
from tests.provision.account import Account, entries, rules

AGENT = "https://amazon-ssm-{region}.s3.{region}.amazonaws.com/3.3.4624.0/debian_amd64/$file"


@pytest.fixture(scope="module")
def account(deployment: Deployment) -> Account:
    """Look into the account."""
    return Account(deployment)


def user_data(account: Account) -> list[str]:
    """Return what each host was launched with, in the order of their names."""
    found = [
        account.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")["UserData"]
        for instance in account.instances
    ]
    return [base64.b64decode(each.get("Value", "")).decode() for each in found]


def provision(deployment: Deployment, *arguments: str, **variables: object) -> Play:
    """Play a part of the provisioning with other values."""
    return deployment.play("playbooks/provision.yml", *arguments, "--extra-vars", json.dumps(variables))


def test_a_new_host_installs_the_agent_and_one_that_runs_is_left_as_it_is(account: Account) -> None:
    launched, older = user_data(account)
    assert launched.startswith("#!/bin/sh\n")
    assert AGENT.format(region=account.region) in launched
    assert launched.count("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n") == 1
    # A second run would give it to a host in whose place it put another.
    assert older == ""


def test_without_administrators_ranges_there_is_no_port_22_and_nothing_else_changes(
    deployment: Deployment, account: Account
) -> None:
    name = f"{account.name}-tracking"
    before = rules(account.groups[name]["IpPermissions"])
    play = provision(deployment, "--tags", "network", network_admin_cidrs=[])
    assert play.returncode == 0, play.output
    # The security group and the network ACL.
    assert play.changed == {"localhost": 2}, play.output
    after = rules(account.groups[name]["IpPermissions"])
    assert {rule[1:3] for rule in before} == {(22, 22), (80, 80), (443, 443)}
    assert after == {rule for rule in before if rule[1:3] != (22, 22)}
    (acl,) = (acl for acl in account.in_vpc("describe_network_acls", "NetworkAcls") if acl["IsDefault"])
    assert ("allow", "6", 22, 22) not in {rule[:4] for rule in entries(acl, egress=False)}
