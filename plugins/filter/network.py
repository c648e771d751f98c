"""Filters of the network role: what is wrong with an address range, how a VPC is cut into subnets, and their ACL."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A sixteenth of the VPC each: the first eight are public, the last eight private, so that a zone added later
# takes its place without moving the others.
_SPLIT = 4
MAX_ZONES = 2 ** (_SPLIT - 1)

_PRIVATE = [
    ipaddress.ip_network(value)
    for value in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]


def _covers_world(networks: Sequence[Network]) -> bool:
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    # Collapsed, since 0.0.0.0/1 and 128.0.0.0/1 together are the world as well.
    merged: list[Network] = [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]
    return any(network.prefixlen == 0 for network in merged)


def cidr_problems(values: Any, variable: str, allow_world: bool = False) -> list[str]:
    """Return what is wrong with a list of address ranges, each with its remedy; [] when nothing is."""
    if not isinstance(values, (list, tuple)):
        return [
            f"{variable} is {values}: it must be a list of address ranges. "
            f"Write for example {variable}: [203.0.113.0/24]."
        ]
    problems: list[str] = []
    networks: list[Network] = []
    for value in values:
        try:
            network = ipaddress.ip_network(str(value), strict=False)
        except ValueError as error:
            problems.append(
                f"{variable} holds {value}: {error}. Write an address range such as 203.0.113.0/24 or 2001:db8::/32."
            )
            continue
        if str(value) != str(network):
            problems.append(
                f"{variable} holds {value}: AWS stores this range as {network}. "
                f"Write {network}, or {ipaddress.ip_interface(str(value)).ip}/{network.max_prefixlen} for one address."
            )
            continue
        networks.append(network)
    if len(set(networks)) != len(networks):
        problems.append(f"{variable} is {', '.join(map(str, values))}: a range stands in it twice. Remove one.")
    if not allow_world and _covers_world(networks):
        problems.append(
            f"{variable} is {', '.join(map(str, values))}: this admits the whole internet. "
            "Name the ranges your clients come from, or say network_allow_world: true if you mean it."
        )
    return problems


def public_cidrs(values: Iterable[str]) -> list[str]:
    """Return those of the address ranges that hold an address outside private networks.

    Private are RFC 1918, RFC 4193 and RFC 6598, loopback and link-local addresses. Python's own ``is_private`` also
    calls 0.0.0.0/0 so.
    """
    return [
        str(value)
        for value in values
        if not any(
            network.version == private.version and network.subnet_of(private)  # type: ignore[arg-type]
            for network in [ipaddress.ip_network(str(value), strict=False)]
            for private in _PRIVATE
        )
    ]


def vpc_cidr_problem(value: str) -> str:
    """Return what is wrong with a VPC's address range, "" when nothing is."""
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        return f"{error}"
    if not 16 <= network.prefixlen <= 24:
        return "a VPC has at most a /16, and less than a /24 leaves no room for the subnets"
    return ""


def subnet_plan(cidr: str, zones: Sequence[str]) -> list[dict[str, str]]:
    """Return one public and one private subnet for each zone."""
    if len(zones) > MAX_ZONES:
        raise ValueError(f"{len(zones)} zones were named; {MAX_ZONES} at most find room")
    blocks = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=_SPLIT))
    return [
        {"tier": tier, "zone": zone, "cidr": str(blocks[offset + index])}
        for tier, offset in (("public", 0), ("private", MAX_ZONES))
        for index, zone in enumerate(zones)
    ]


def host_acl_rules(cidr: str, admins: Iterable[str]) -> list[list[Any]]:
    """Return what a network ACL lets into the tracking hosts' subnets, in the form of amazon.aws.ec2_vpc_nacl.

    It knows no connections: what answers the hosts' own questions comes in by the ports from which they are asked.
    """
    anywhere = "0.0.0.0/0"
    return [
        # AWS's own rule, which admits everything, has 100: beside it these can be made before it goes.
        [110, "all", "allow", cidr, None, None, None, None],
        [120, "tcp", "allow", anywhere, None, None, 443, 443],
        [130, "tcp", "allow", anywhere, None, None, 80, 80],
        # Without "fragmentation needed" large packets vanish on narrower paths.
        [140, "icmp", "allow", anywhere, 3, 4],
        # Remote Desktop: above 1024, but no port that Linux asks from.
        [150, "tcp", "deny", anywhere, None, None, 3389, 3389],
        [160, "tcp", "allow", anywhere, None, None, 1024, 65535],
        # Last, so that one administrator more or less renumbers nothing else.
        *([200 + index, "tcp", "allow", admin, None, None, 22, 22] for index, admin in enumerate(admins)),
    ]


def subnet_ids(
    plan: Iterable[Mapping[str, str]],
    tier: str,
    found: Mapping[str, Mapping[str, Any]],
    results: Iterable[Mapping[str, Any]],
    placeholder: str,
) -> list[str]:
    """Return the ids of one tier's subnets: just made, found as they shall be, or not made because the run is dry."""
    made = {result["item"]["cidr"]: (result.get("subnet") or {}).get("id") for result in results}
    return [
        made.get(subnet["cidr"]) or found.get(subnet["cidr"], {}).get("id", placeholder)
        for subnet in plan
        if subnet["tier"] == tier
    ]


class FilterModule:
    """Filters about the network."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "cidr_problems": cidr_problems,
            "host_acl_rules": host_acl_rules,
            "public_cidrs": public_cidrs,
            "subnet_ids": subnet_ids,
            "subnet_plan": subnet_plan,
            "vpc_cidr_problem": vpc_cidr_problem,
        }
