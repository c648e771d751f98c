"""What a host and its database can hold, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.sizing import proxy_sizing, server_sizing

SMALL = MappingProxyType({"cores": 2, "memory": 3840})
LARGE = {"cores": 4, "memory": 15600}


def sized(
    host: Mapping[str, int] = SMALL,
    admitted: int = 185,
    hosts: int = 1,
    pools: int = 4,
    **given: Any,
) -> dict[str, Any]:
    database = {"admitted": admitted, "hosts": hosts, "pools": pools}
    return server_sizing(host, database, {"workers": 0, "memory_max": "", "pool": {}} | given)


def test_nothing_given_is_derived() -> None:
    assert sized() == {
        "workers": 2,
        "memory_max": "2880M",
        "files": 8704,
        "pool": {"size": 10, "overflow": 10},
        "refusals": [],
    }


def test_everything_given_is_kept() -> None:
    given: dict[str, Any] = {"workers": 1, "memory_max": "2G", "pool": {"size": 7, "overflow": 3}}
    result = sized(**given)
    assert {name: result[name] for name in given} == given
    assert result["refusals"] == []


@pytest.mark.parametrize(
    ("admitted", "hosts", "pools", "cores", "memory"),
    list(product((40, 82, 97, 185, 795, 5000), (1, 2, 3, 8), (3, 4), (1, 2, 4, 16), (900, 3840, 64000))),
)
def test_what_is_derived_holds_or_is_refused(admitted: int, hosts: int, pools: int, cores: int, memory: int) -> None:
    result = sized({"cores": cores, "memory": memory}, admitted, hosts, pools)
    pool = result["pool"]
    # Their parents' own, and what others need.
    used = hosts * pools * (result["workers"] * (pool["size"] + pool["overflow"]) + 1)
    assert (used + max(10, admitted // 10) > admitted) is bool(result["refusals"])
    assert 4 <= pool["size"] + pool["overflow"] <= 40
    assert min(pool.values()) >= 1
    assert 1 <= result["workers"] <= cores


def test_as_many_workers_as_memory_holds() -> None:
    assert sized({"cores": 8, "memory": 2000})["workers"] == 3
    assert sized({"cores": 8, "memory": 64000}, admitted=5000)["workers"] == 8
    assert sized({"cores": 8, "memory": 64000}, admitted=5000, memory_max="1G")["workers"] == 2


def test_as_many_workers_as_the_database_admits() -> None:
    result = sized({"cores": 8, "memory": 64000}, admitted=97)
    assert (result["workers"], result["pool"]) == (5, {"size": 2, "overflow": 2})


def test_no_more_connections_than_threads() -> None:
    assert sized(LARGE, admitted=5000)["pool"] == {"size": 20, "overflow": 20}


def test_a_database_that_could_not_be_asked_is_taken_for_postgresqls_default() -> None:
    assert sized(admitted=0) == sized(admitted=100)


def test_what_is_not_known_refuses_nothing() -> None:
    assert sized(admitted=0, hosts=8, workers=4)["refusals"] == []
    assert sized(admitted=100, hosts=8, workers=4)["refusals"]


def test_a_database_without_pools_limits_nothing() -> None:
    result = sized(admitted=0, pools=0, hosts=100)
    assert (result["workers"], result["pool"], result["refusals"]) == (2, {}, [])


def test_hosts_beyond_the_database_are_refused_with_what_would_do() -> None:
    (refusal,) = sized(admitted=82, hosts=4)["refusals"]
    assert "4 hosts x 1 workers x 4 pools x 4 connections are 64, and of the 82" in refusal
    assert "Have fewer hosts, or take a database that admits 90." in refusal
    assert sized(admitted=89, hosts=4)["refusals"]
    assert sized(admitted=90, hosts=4)["refusals"] == []


@pytest.mark.parametrize("workers", [3, 4, 37, 40])
def test_what_would_do_is_enough_and_one_less_is_not(workers: int) -> None:
    host = {"cores": 4, "memory": 64000}
    (refusal,) = sized(host, admitted=30, workers=workers)["refusals"]
    enough = int(refusal.rpartition("admits ")[2].rstrip("."))
    assert sized(host, admitted=enough, workers=workers)["refusals"] == []
    assert sized(host, admitted=enough - 1, workers=workers)["refusals"]


def test_too_many_workers_for_the_database_are_refused_with_a_number_that_holds() -> None:
    (refusal,) = sized({"cores": 4, "memory": 64000}, admitted=97, workers=12)["refusals"]
    assert "operators. Set mlflow_server_workers to 5 or less, or take a database" in refusal
    assert sized({"cores": 4, "memory": 64000}, admitted=97, workers=5)["refusals"] == []


def test_a_pool_that_is_too_large_is_refused_with_a_number_that_holds() -> None:
    (refusal,) = sized(LARGE, admitted=185, pool={"size": 20, "overflow": 20})["refusals"]
    assert "1 hosts x 4 workers x 4 pools x 40 connections are 640, and of the 185 that it admits 163 are" in refusal
    assert "Set mlflow_server_workers to 1 or less, or set mlflow_server_pool to 10 or less in all" in refusal
    assert sized(LARGE, admitted=185, pool={"size": 5, "overflow": 5})["refusals"] == []


@pytest.mark.parametrize(("admitted", "offered"), [(45, False), (46, True)])
def test_a_remedy_that_would_not_do_is_not_offered(admitted: int, offered: bool) -> None:
    """MLflow has no pool of less than two."""
    (refusal,) = sized(LARGE, admitted=admitted, pool={"size": 20, "overflow": 20})["refusals"]
    assert "mlflow_server_workers" not in refusal
    assert ("or less in all" in refusal) is offered


def test_too_many_workers_for_the_memory_are_refused_with_a_number_that_holds() -> None:
    (refusal,) = sized(admitted=5000, workers=9)["refusals"]
    assert refusal.startswith(
        "mlflow_server_workers is 9: with their parent they need 3200 MiB, and the service may use 2880M of the host's "
        "3840 MiB. Set mlflow_server_workers to 8 or less"
    )
    assert sized(admitted=5000, workers=8)["refusals"] == []


def test_a_host_on_which_nothing_fits_is_refused() -> None:
    (refusal,) = sized({"cores": 1, "memory": 460}, pools=0)["refusals"]
    assert refusal.endswith("Take a host with 1 GiB or more, and leave mlflow_server_memory_max empty.")
    assert sized({"cores": 1, "memory": 900}, pools=0)["refusals"] == []


@pytest.mark.parametrize(
    ("memory_max", "workers"),
    [
        ("75%", 8),
        ("infinity", 11),
        ("960M", 2),
        ("1G", 2),
        ("983040K", 2),
        ("1006632960", 2),
        ("959M", 1),
        ("1T", 16),
    ],
)
def test_memory_is_read_as_systemd_does(memory_max: str, workers: int) -> None:
    assert sized({"cores": 16, "memory": 3840}, admitted=5000, memory_max=memory_max)["workers"] == workers


def test_a_large_host_leaves_the_system_no_more_than_it_needs() -> None:
    assert sized({"cores": 4, "memory": 16000})["memory_max"] == f"{16000 - 512 - 4 * 256}M"


def test_nginx_has_connections_for_its_memory() -> None:
    assert proxy_sizing(SMALL) == 7680
    assert proxy_sizing({"cores": 2, "memory": 16000}) == 8192
    assert proxy_sizing({"cores": 8, "memory": 32000}) == 8192
    assert proxy_sizing({"cores": 4, "memory": 5000}) == 5904
    assert proxy_sizing({"cores": 2, "memory": 960}) == 1920
    assert proxy_sizing({"cores": 4, "memory": 100}) == 1024


@pytest.mark.parametrize("cores", [1, 2, 4, 16])
def test_a_worker_can_open_all_that_nginx_passes_to_it(cores: int) -> None:
    host = {"cores": cores, "memory": 4096 * cores}
    assert sized(host, admitted=5000)["files"] >= proxy_sizing(host) * cores / 2 + 4 * 40
