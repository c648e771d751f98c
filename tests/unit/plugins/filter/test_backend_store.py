"""What becomes of a database: nothing that replaces it, nothing that goes back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.backend_store import database_plan

WANTED: dict[str, Any] = {
    "engine_version": "16",
    "storage": 20,
    "storage_max": 100,
    "kms_key": "",
    "master_username": "mlflow_admin",
    "vpc_id": "vpc-1",
}
FOUND: dict[str, Any] = {
    "db_instance_identifier": "mlflow-dev",
    "db_instance_status": "available",
    "engine_version": "16.8",
    "allocated_storage": 20,
    "storage_encrypted": True,
    "kms_key_id": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "master_username": "mlflow_admin",
    "db_subnet_group": {"vpc_id": "vpc-1"},
}


def test_a_new_database_is_made_as_asked() -> None:
    assert database_plan({}, WANTED) == {"engine_version": "16", "storage": 20, "storage_max": 100, "refusals": []}


@pytest.mark.parametrize(
    ("running", "wanted", "asked"),
    [
        ("16.8", "16", "16.8"),
        ("16.8", "16.8", "16.8"),
        ("16.8", "16.10", "16.10"),
        ("16.10", "16.9", "16.10"),
        ("16", "16", "16"),
    ],
)
def test_a_minor_version_is_never_taken_back(running: str, wanted: str, asked: str) -> None:
    plan = database_plan({**FOUND, "engine_version": running}, {**WANTED, "engine_version": wanted})
    assert (plan["engine_version"], plan["refusals"]) == (asked, [])


@pytest.mark.parametrize(("allocated", "storage", "maximum"), [(20, 20, 100), (35, 35, 100), (120, 120, 120)])
def test_storage_that_grew_stays(allocated: int, storage: int, maximum: int) -> None:
    plan = database_plan({**FOUND, "allocated_storage": allocated}, WANTED)
    assert (plan["storage"], plan["storage_max"]) == (storage, maximum)


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ({}, {"engine_version": "15"}, "backend_store_engine_version is 15"),
        ({}, {"engine_version": "17.1"}, "backend_store_engine_version is 17.1"),
        ({}, {"engine_version": "15"}, "Set it to 16; to really go back"),
        ({}, {"engine_version": "17.1"}, "Set it to 16; this release"),
        ({"storage_encrypted": False}, {}, "not encrypted"),
        ({}, {"kms_key": "arn:aws:kms:eu-central-1:123456789012:key/2"}, "backend_store_kms_key is arn"),
        ({}, {"master_username": "someone"}, "backend_store_master_username is someone"),
        ({}, {"vpc_id": "vpc-2"}, "lives in vpc-1"),
        ({"db_instance_status": "stopped"}, {}, "start-db-instance"),
        ({"db_instance_status": "deleting"}, {}, "being deleted"),
    ],
)
def test_what_would_replace_the_database_is_refused(found: dict[str, Any], wanted: dict[str, Any], said: str) -> None:
    (refusal,) = database_plan({**FOUND, **found}, {**WANTED, **wanted})["refusals"]
    assert said in refusal


def test_the_same_key_is_no_change() -> None:
    assert database_plan(FOUND, {**WANTED, "kms_key": FOUND["kms_key_id"]})["refusals"] == []


def test_all_refusals_are_told_at_once() -> None:
    wanted = {**WANTED, "engine_version": "15", "master_username": "someone"}
    assert len(database_plan(FOUND, wanted)["refusals"]) == 2
