"""A filter that plans what becomes of the database instance, and refuses what would replace it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _engine_version(running: str, wanted: str) -> tuple[str, str]:
    """Return the version to ask for, and why it is refused ("" when it isn't)."""
    now, then = _numbers(running), _numbers(wanted)
    said = f"backend_store_engine_version is {wanted}: the database runs PostgreSQL {running}"
    if then[0] < now[0]:
        return running, (
            f"{said}, and RDS cannot go back to an older major version. Set it to {now[0]}; to really go back, "
            "restore a snapshot taken before the upgrade into a new environment."
        )
    if then[0] > now[0]:
        return running, (
            f"{said}, and a new major version takes the database down while it is converted, so it is never done in "
            f"passing. Set it to {now[0]}; this release has no major upgrade."
        )
    # AWS raises the minor version in its maintenance window, so an older minor version in the inventory is no wish.
    return (wanted if then > now else running), ""


def database_plan(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values to ask RDS for, and the refusals: changes that RDS can make only by replacing the database."""
    plan: dict[str, Any] = {
        "engine_version": wanted["engine_version"],
        "storage": wanted["storage"],
        "storage_max": wanted["storage_max"],
        "refusals": [],
    }
    if not found:
        return plan
    identifier = found["db_instance_identifier"]
    refusals = plan["refusals"]
    plan["engine_version"], refusal = _engine_version(found["engine_version"], wanted["engine_version"])
    if refusal:
        refusals.append(refusal)
    # RDS enlarges the storage by itself and never makes it smaller.
    plan["storage"] = max(wanted["storage"], found["allocated_storage"])
    plan["storage_max"] = max(wanted["storage_max"], plan["storage"])
    if not found.get("storage_encrypted"):
        refusals.append(
            f"The database {identifier} is not encrypted, and RDS encrypts only by making a new one. "
            "Copy a snapshot of it with encryption and restore that into a new environment."
        )
    elif wanted["kms_key"] and found.get("kms_key_id") != wanted["kms_key"]:
        refusals.append(
            f"backend_store_kms_key is {wanted['kms_key']}: the database {identifier} is encrypted with "
            f"{found.get('kms_key_id')}, and RDS changes the key only by making a new one. Set the variable back."
        )
    if found["master_username"] != wanted["master_username"]:
        refusals.append(
            f"backend_store_master_username is {wanted['master_username']}: the database {identifier} was made with "
            f"{found['master_username']}, and RDS cannot rename it. Set the variable back."
        )
    group = found.get("db_subnet_group") or {}
    if wanted["vpc_id"] and group.get("vpc_id") and group["vpc_id"] != wanted["vpc_id"]:
        refusals.append(
            f"The network is {wanted['vpc_id']}: the database {identifier} lives in {group['vpc_id']}, and moving it "
            "would replace it. Set network_existing and network_cidr back, or restore a snapshot elsewhere."
        )
    if found["db_instance_status"] in ("stopped", "stopping"):
        refusals.append(
            f"The database {identifier} is {found['db_instance_status']}: nothing can be changed in it, and no "
            f"server can use it. Start it (`aws rds start-db-instance --db-instance-identifier {identifier}`), then "
            "run again."
        )
    if found["db_instance_status"] == "deleting":
        refusals.append(
            f"The database {identifier} is being deleted: a new one of that name can be made only once it is gone. "
            "Wait some minutes, then run again."
        )
    return plan


class FilterModule:
    """Filters about the backend store."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"database_plan": database_plan}
