"""Filters of the tracking_host role: they plan which tracking hosts stay, which are launched and which are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def _brief(instance: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": instance["instance_id"],
        "name": instance["tags"].get("Name", ""),
        "subnet_id": instance["subnet_id"],
        "type": instance["instance_type"],
        "state": instance["state"]["name"],
        "profile": (instance.get("iam_instance_profile") or {}).get("arn", "").rpartition("/")[2],
    }


def _without_user_data(instance: Mapping[str, Any]) -> bool:
    """Say whether the attribute was asked for and there is none: an instance keeps what it was launched with."""
    attributes = instance.get("attributes")
    return attributes is not None and not (attributes.get("user_data") or {}).get("value")


def host_plan(
    found: Iterable[Mapping[str, Any]], base: str, count: int, subnet_ids: Sequence[str], instance_type: str
) -> dict[str, Any]:
    """Return the hosts to keep, to launch and to terminate, the refusals, and what is worth knowing.

    A host is known by its name, `<base>-<number>`, so that growing, shrinking and repairing after a lost instance
    are the same thing: make the names that are missing, end those past the count.
    """
    found = list(found)
    unprepared = {instance["instance_id"] for instance in found if _without_user_data(instance)}
    existing = sorted((_brief(instance) for instance in found), key=lambda host: (host["name"], host["id"]))
    names = [f"{base}-{number}" for number in range(1, count + 1)]
    keep: dict[str, dict[str, str]] = {}
    surplus: list[dict[str, str]] = []
    for host in existing:
        if host["name"] in names and host["name"] not in keep:
            keep[host["name"]] = host
        else:
            surplus.append(host)
    refusals = [
        f"The tracking host {host['name']} ({host['id']}) is {host['state']}: someone stopped it, and it is not for "
        "this playbook to start it again. "
        f"Start it (`aws ec2 start-instances --instance-ids {host['id']}`) or terminate it, then run again."
        for host in keep.values()
        if host["state"] in ("stopping", "stopped")
    ]
    refusals += [
        f"tracking_host_instance_type is {instance_type}: {host['name']} ({host['id']}) is a {host['type']}, and AWS "
        f"changes the type of a stopped instance only. Set it back to {host['type']}, or terminate the instance and "
        "run again: a new one takes its place."
        for host in keep.values()
        if host["type"] != instance_type
    ]
    notes = [
        f"The tracking host {host['name']} ({host['id']}) was launched without Session Manager's agent, which is "
        "installed at a first boot only: SSH has to reach it as before. To have the agent, terminate it "
        f"(`aws ec2 terminate-instances --instance-ids {host['id']}`) and run again: a new one takes its place."
        for host in keep.values()
        if host["id"] in unprepared
    ]
    launch = [
        {"name": name, "subnet_id": subnet_ids[index % len(subnet_ids)]}
        for index, name in enumerate(names)
        if name not in keep and subnet_ids
    ]
    return {"keep": list(keep.values()), "launch": launch, "surplus": surplus, "refusals": refusals, "notes": notes}


def host_addresses(found: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return id and addresses of each host, in the order of their names."""
    return [
        {
            "id": instance["instance_id"],
            "private_ip": instance.get("private_ip_address") or "",
            "public_ip": instance.get("public_ip_address") or "",
        }
        for instance in sorted(found, key=lambda instance: str(instance["tags"].get("Name", "")))
    ]


class FilterModule:
    """Filters about the tracking hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"host_addresses": host_addresses, "host_plan": host_plan}
