"""Filters that size a tracking host: what it can hold by its cores and memory, and by what its database admits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# MiB that the operating system needs, and nginx for each core at the most connections.
SYSTEM = 512
PROXY_PER_CORE = 256
# MiB of one of MLflow's processes: 240 when it rests, measured, and room to work. The workers' parent is one, too.
PROCESS = 320
# Requests that a worker works on at once, by AnyIO's limit of threads. Few hold more than one connection.
THREADS = 40
# Connections below which a pool is a queue: requests give up after waiting 30 seconds for one.
LEAST_POOL = 4
# What PostgreSQL admits by its own default, for a database that can't be asked yet.
UNKNOWN_ADMITTED = 100
# KiB of one of nginx's connections: half a TLS session and the buffer of an answer.
PROXY_CONNECTION = 32
# Of one of nginx's processes: more than one core serves, and fewer than any host can hold.
PROXY_CONNECTIONS = 8192
PROXY_LEAST = 1024

_UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


def _set_aside(host: Mapping[str, int]) -> int:
    """Return the MiB that aren't MLflow's."""
    return min(host["memory"] // 4, SYSTEM + PROXY_PER_CORE * host["cores"])


def _limit(said: str, memory: int) -> float:
    """Return in MiB what systemd makes of the value of MemoryMax."""
    if said == "infinity":
        return memory
    if said.endswith("%"):
        return memory * int(said[:-1]) / 100
    return int(said[:-1]) * _UNITS[said[-1]] if said[-1] in _UNITS else int(said) / 1024**2


def proxy_sizing(host: Mapping[str, int]) -> int:
    """Return how many connections each of nginx's processes may have."""
    mebibytes = max(_set_aside(host) - SYSTEM, _set_aside(host) // 2)
    fitting = mebibytes * 1024 // PROXY_CONNECTION // host["cores"]
    return max(PROXY_LEAST, min(fitting, PROXY_CONNECTIONS))


def _memory_refusal(workers: int, processes: int, memory_max: str, memory: int) -> list[str]:
    if workers < processes:
        return []
    remedy = (
        f"Set mlflow_server_workers to {processes - 1} or less, 0 for what fits, or take a larger host."
        if processes > 1
        else "Take a host with 1 GiB or more, and leave mlflow_server_memory_max empty."
    )
    return [
        f"mlflow_server_workers is {workers}: with their parent they need {(workers + 1) * PROCESS} MiB, and the "
        f"service may use {memory_max} of the host's {memory} MiB. {remedy}"
    ]


def _connections_refusal(database: Mapping[str, int], workers: int, pool: int, free: int, *, fixed: bool) -> list[str]:
    hosts, pools = database["hosts"], database["pools"]
    needed = hosts * workers * pools * pool
    if needed <= free:
        return []
    # The least of which a tenth can be kept back.
    used = needed + hosts * pools
    enough = max(used + 10, (used - 1) * 10 // 9 + 1)
    ways = ["have fewer hosts"] if hosts > 1 else []
    if free >= hosts * pools * pool:
        ways.append(f"set mlflow_server_workers to {free // (hosts * pools * pool)} or less")
    if fixed and free >= 2 * hosts * workers * pools:
        ways.append(f"set mlflow_server_pool to {free // (hosts * workers * pools)} or less in all")
    remedy = ", or ".join([*ways, f"take a database that admits {enough}"])
    return [
        f"The database can't serve this: {hosts} hosts x {workers} workers x {pools} pools x {pool} connections are "
        f"{needed}, and of the {database['admitted']} that it admits {free} are for them, the rest "
        f"for their parent processes, migrations, backups and operators. {remedy[0].upper()}{remedy[1:]}."
    ]


def server_sizing(host: Mapping[str, int], database: Mapping[str, int], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the service, and the refusals: what can't hold, and which number to change.

    A worker has a pool of connections for each of its stores, and the workers' parent one connection for each. What all
    hosts may open together never exceeds what the database admits.
    """
    memory_max = given["memory_max"] or f"{host['memory'] - _set_aside(host)}M"
    processes = int(_limit(memory_max, host["memory"]) // PROCESS)
    workers = given["workers"] or max(1, min(host["cores"], processes - 1))
    refusals = _memory_refusal(workers, processes, memory_max, host["memory"])
    pool: dict[str, int] = {}
    if database["pools"]:
        admitted = database["admitted"] or UNKNOWN_ADMITTED
        stores = database["hosts"] * database["pools"]
        free = max(0, admitted - max(10, admitted // 10) - stores)
        if not given["workers"] and not given["pool"]:
            workers = max(1, min(workers, free // (stores * LEAST_POOL)))
        connections = max(LEAST_POOL, min(THREADS, free // (stores * workers)))
        # Half of them are kept, the others opened under load. MLflow takes 0 for unset.
        pool = dict(given["pool"]) or {"size": connections // 2, "overflow": connections - connections // 2}
        if database["admitted"]:
            refusals += _connections_refusal(
                database, workers, pool["size"] + pool["overflow"], free, fixed=bool(given["pool"])
            )
    return {
        "workers": workers,
        "memory_max": memory_max,
        # All that nginx may have open to MLflow can reach one worker, which has files of its own, too.
        "files": proxy_sizing(host) // 2 * host["cores"] + 1024,
        "pool": pool,
        "refusals": refusals,
    }


class FilterModule:
    """Filters about sizes."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"proxy_sizing": proxy_sizing, "server_sizing": server_sizing}
