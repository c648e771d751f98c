"""Address ranges, and how a VPC is cut."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.network import (
    cidr_problems,
    host_acl_rules,
    public_cidrs,
    subnet_ids,
    subnet_plan,
    vpc_cidr_problem,
)


@pytest.mark.parametrize(
    "values", [[], ["203.0.113.0/24"], ["10.0.0.0/8", "2001:db8::/32"], ["203.0.113.7/32"], ["0.0.0.0/1"]]
)
def test_good_ranges(values: list[str]) -> None:
    assert cidr_problems(values, "network_allowed_cidrs") == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("10.0.0.0/8", "must be a list"),
        (None, "must be a list"),
        (["300.1.1.0/24"], "does not appear to be"),
        (["10.0.0.0/33"], "does not appear to be"),
        (["10.0.0.1/8"], "Write 10.0.0.0/8, or 10.0.0.1/32 for one address"),
        (["203.0.113.7"], "203.0.113.7/32"),
        (["10.0.0.0/8", "10.0.0.0/8"], "twice"),
    ],
)
def test_malformed_ranges_are_explained(values: object, said: str) -> None:
    (problem,) = cidr_problems(values, "network_allowed_cidrs")
    assert problem.startswith("network_allowed_cidrs ")
    assert said in problem


@pytest.mark.parametrize("values", [["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.0/8", "::/0"]])
def test_the_world_needs_an_explicit_yes(values: list[str]) -> None:
    (problem,) = cidr_problems(values, "network_allowed_cidrs")
    assert "whole internet" in problem
    assert "network_allow_world: true" in problem
    assert cidr_problems(values, "network_allowed_cidrs", allow_world=True) == []


@pytest.mark.parametrize(
    "value", ["10.42.0.0/16", "172.31.255.0/24", "192.168.1.7/32", "100.64.0.0/10", "fd00::/8", "::1/128"]
)
def test_private_ranges_are_not_public(value: str) -> None:
    assert public_cidrs([value]) == []


@pytest.mark.parametrize(
    "value", ["0.0.0.0/0", "::/0", "10.0.0.0/7", "172.32.0.0/16", "203.0.113.0/24", "8.8.8.8/32", "2001:db8::/32"]
)
def test_a_range_with_one_public_address_is_public(value: str) -> None:
    assert public_cidrs(["10.0.0.0/8", value]) == [value]


@pytest.mark.parametrize("value", ["10.42.0.0/16", "172.16.0.0/20", "192.168.0.0/24"])
def test_good_vpc_ranges(value: str) -> None:
    assert vpc_cidr_problem(value) == ""


@pytest.mark.parametrize("value", ["10.0.0.0/8", "10.0.0.0/25", "10.42.0.1/16", "2001:db8::/56", "mlflow"])
def test_bad_vpc_ranges(value: str) -> None:
    assert vpc_cidr_problem(value)


def test_subnets_are_disjoint_and_inside() -> None:
    plan = subnet_plan("10.42.0.0/16", ["a", "b"])
    assert [(subnet["tier"], subnet["zone"]) for subnet in plan] == [
        ("public", "a"),
        ("public", "b"),
        ("private", "a"),
        ("private", "b"),
    ]
    blocks = [ipaddress.IPv4Network(subnet["cidr"]) for subnet in plan]
    assert all(block.subnet_of(ipaddress.IPv4Network("10.42.0.0/16")) for block in blocks)
    assert not any(one.overlaps(two) for one in blocks for two in blocks if one is not two)


def test_a_further_zone_leaves_the_subnets_where_they_are() -> None:
    two = subnet_plan("10.42.0.0/16", ["a", "b"])
    assert all(subnet in subnet_plan("10.42.0.0/16", ["a", "b", "c"]) for subnet in two)


def test_the_smallest_vpc_has_subnets_that_aws_takes() -> None:
    assert {subnet["cidr"].split("/")[1] for subnet in subnet_plan("10.0.0.0/24", ["a", "b"])} == {"28"}


def test_eight_zones_fill_the_vpc_and_the_private_half_begins_in_the_middle() -> None:
    plan = subnet_plan("10.42.0.0/16", list("abcdefgh"))
    assert len({subnet["cidr"] for subnet in plan}) == 16
    assert [plan[0]["cidr"], plan[8]["cidr"]] == ["10.42.0.0/20", "10.42.128.0/20"]


def test_a_misspelt_range_is_one_problem_and_not_a_repetition_too() -> None:
    assert len(cidr_problems(["10.0.0.1/8", "10.0.0.0/8"], "ranges")) == 1


def test_too_many_zones_are_an_error() -> None:
    with pytest.raises(ValueError, match="9 zones"):
        subnet_plan("10.42.0.0/16", list("abcdefghi"))


def test_ids_come_from_what_was_made_found_or_is_only_planned() -> None:
    plan = subnet_plan("10.42.0.0/16", ["a", "b", "c"])
    public = [subnet for subnet in plan if subnet["tier"] == "public"]
    results: list[dict[str, Any]] = [
        {"item": public[0], "subnet": {"id": "subnet-made"}},
        {"item": public[1], "skipped": True},
        {"item": public[2], "subnet": {}},
    ]
    found = {public[1]["cidr"]: {"id": "subnet-found"}}
    assert subnet_ids(plan, "public", found, results, "subnet-0") == ["subnet-made", "subnet-found", "subnet-0"]


VPC, SOMEBODY, ADMIN = "10.42.7.9", "198.51.100.9", "203.0.113.7"


def admitted(protocol: str, port: int, source: str) -> bool:
    """Say what a network ACL does with a packet: the first rule that fits decides, and none refuses."""
    for _number, of, action, cidr, _type, _code, *ports in sorted(host_acl_rules("10.42.0.0/16", [f"{ADMIN}/32"])):
        in_ports = not ports or ports[0] is None or ports[0] <= port <= ports[1]
        if of in (protocol, "all") and in_ports and ipaddress.ip_address(source) in ipaddress.ip_network(cidr):
            return bool(action == "allow")
    return False


@pytest.mark.parametrize(
    ("protocol", "port", "source"),
    [
        ("tcp", 443, SOMEBODY),
        ("tcp", 80, SOMEBODY),
        ("tcp", 22, ADMIN),
        # What answers a host, from either end of the ports that Linux asks from.
        ("tcp", 32768, SOMEBODY),
        ("tcp", 60999, SOMEBODY),
        # The database answers, the VPC's own services too.
        ("tcp", 32768, VPC),
        ("udp", 32768, VPC),
        ("tcp", 22, VPC),
    ],
)
def test_the_hosts_acl_lets_in_what_they_serve_and_what_answers_them(protocol: str, port: int, source: str) -> None:
    assert admitted(protocol, port, source)


@pytest.mark.parametrize(
    ("protocol", "port", "source"),
    [
        ("tcp", 22, SOMEBODY),
        ("tcp", 3389, SOMEBODY),
        ("tcp", 3389, ADMIN),
        ("tcp", 111, SOMEBODY),
        ("udp", 443, SOMEBODY),
        ("udp", 3389, SOMEBODY),
    ],
)
def test_the_hosts_acl_keeps_out_the_rest(protocol: str, port: int, source: str) -> None:
    assert not admitted(protocol, port, source)


def test_the_hosts_acl_lets_in_that_a_packet_was_too_large() -> None:
    assert [rule[3:] for rule in host_acl_rules("10.42.0.0/16", []) if rule[1] == "icmp"] == [["0.0.0.0/0", 3, 4]]


def test_each_rule_of_the_hosts_acl_has_a_number_of_its_own_and_keeps_it() -> None:
    twelve, thirteen = (host_acl_rules("10.42.0.0/16", [f"192.0.2.{n}/32" for n in range(count)]) for count in (12, 13))
    assert [rule[0] for rule in thirteen] == sorted({rule[0] for rule in thirteen})
    assert thirteen[:-1] == twelve
