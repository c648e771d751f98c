"""Which hosts stay, which are launched, which end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.tracking_host import host_addresses, host_plan

SUBNETS = ["subnet-a", "subnet-b"]


def instance(name: str, **changes: Any) -> dict[str, Any]:
    """Return an instance as ec2_instance_info does."""
    return {
        "instance_id": f"i-{name}",
        "tags": {"Name": name},
        "subnet_id": "subnet-a",
        "instance_type": "t3.small",
        "state": {"name": "running"},
        **changes,
    }


def plan(*found: dict[str, Any], count: int = 1, instance_type: str = "t3.small") -> dict[str, Any]:
    return host_plan(found, "h", count, SUBNETS, instance_type)


def test_an_empty_account_gets_hosts_spread_over_the_subnets() -> None:
    assert plan(count=3) == {
        "keep": [],
        "launch": [
            {"name": "h-1", "subnet_id": "subnet-a"},
            {"name": "h-2", "subnet_id": "subnet-b"},
            {"name": "h-3", "subnet_id": "subnet-a"},
        ],
        "surplus": [],
        "refusals": [],
        "notes": [],
    }


def test_a_converged_account_is_left_alone() -> None:
    result = plan(instance("h-1"))
    assert [host["id"] for host in result["keep"]] == ["i-h-1"]
    assert (result["launch"], result["surplus"], result["refusals"], result["notes"]) == ([], [], [], [])


def test_a_lost_host_comes_back_in_its_place() -> None:
    assert plan(instance("h-1"), instance("h-3"), count=3)["launch"] == [{"name": "h-2", "subnet_id": "subnet-b"}]


def test_hosts_past_the_count_end() -> None:
    result = plan(instance("h-1"), instance("h-2"))
    assert [host["name"] for host in result["surplus"]] == ["h-2"]


def test_a_second_host_of_the_same_name_ends() -> None:
    result = plan(instance("h-1"), instance("h-1", instance_id="i-other"))
    assert (len(result["keep"]), len(result["surplus"])) == (1, 1)


def test_a_host_that_someone_stopped_is_not_started() -> None:
    (refusal,) = plan(instance("h-1", state={"name": "stopped"}))["refusals"]
    assert "start-instances --instance-ids i-h-1" in refusal


def test_a_surplus_host_may_be_stopped() -> None:
    assert plan(instance("h-1"), instance("h-2", state={"name": "stopped"}))["refusals"] == []


def test_the_type_of_a_running_host_is_not_changed() -> None:
    (refusal,) = plan(instance("h-1"), instance_type="t3.large")["refusals"]
    assert refusal.startswith("tracking_host_instance_type is t3.large")


def test_without_subnets_yet_nothing_is_launched() -> None:
    assert host_plan([], "h", 1, [], "t3.small")["launch"] == []


def test_addresses_come_in_the_order_of_names() -> None:
    found = [instance("h-2", private_ip_address="10.0.0.2"), instance("h-1", public_ip_address="198.51.100.1")]
    assert host_addresses(found) == [
        {"id": "i-h-1", "private_ip": "", "public_ip": "198.51.100.1"},
        {"id": "i-h-2", "private_ip": "10.0.0.2", "public_ip": ""},
    ]


def test_a_host_tells_its_instance_profile() -> None:
    arn = "arn:aws:iam::123456789012:instance-profile/path/somebody"
    hosts = plan(instance("h-1", iam_instance_profile={"arn": arn}), instance("h-2"), count=2)["keep"]
    assert [host["profile"] for host in hosts] == ["somebody", ""]


@pytest.mark.parametrize("attributes", [{}, {"user_data": {}}, {"user_data": {"value": ""}}])
def test_a_host_launched_without_user_data_is_kept_and_named(attributes: dict[str, Any]) -> None:
    result = plan(instance("h-1", attributes=attributes))
    (note,) = result["notes"]
    assert note.startswith("The tracking host h-1 (i-h-1) was launched without Session Manager's agent")
    assert ([host["id"] for host in result["keep"]], result["launch"], result["surplus"]) == (["i-h-1"], [], [])
    assert result["refusals"] == []


def test_a_host_launched_with_any_user_data_is_left_alone() -> None:
    older = {"user_data": {"value": "IyEvYmluL3NoCg=="}}
    assert plan(instance("h-1", attributes=older))["notes"] == []


def test_a_surplus_host_without_user_data_is_not_worth_a_word() -> None:
    assert plan(instance("h-1"), instance("h-2", attributes={}))["notes"] == []
