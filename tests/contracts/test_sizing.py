"""What docs/sizing.md says is what the roles derive, and the limits along a request's path fit each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.sizing import proxy_sizing, server_sizing

from tests.contracts.variables import ROOT, load

PAGE = ROOT / "docs/sizing.md"
NGINX = ROOT / "roles/nginx/templates/nginx.conf.j2"
UNIT = ROOT / "roles/mlflow_server/templates/mlflow.service.j2"
SERVER = ROOT / "roles/mlflow_server/vars/main.yml"

# Cores and GiB, as AWS lists them.
HOSTS = {
    "t3.micro": (2, 1),
    "t3.small": (2, 2),
    "t3.medium": (2, 4),
    "m7i.large": (2, 8),
    "m7i.xlarge": (4, 16),
    "m7i.2xlarge": (8, 32),
}
DATABASES = {"db.t4g.micro": 1, "db.t4g.small": 2, "db.t4g.medium": 4, "db.m7g.large": 8, "db.m7g.xlarge": 16}
# Milliseconds of a core, the upper ends of what was measured: MLflow's with nginx's, and PostgreSQL's.
LOG_METRIC, LOG_BATCH = (7.4, 2.5), (10.8, 4.5)
# How busy a core may be on average, so that a burst doesn't queue.
BUSY = 0.6


def host(name: str) -> dict[str, int]:
    """Return what the host sees of itself: firmware and kernel keep a part of the memory."""
    cores, memory = HOSTS[name]
    return {"cores": cores, "memory": int(memory * 1024 * 0.95)}


def admitted(name: str) -> int:
    """Return RDS's formula for the class, of which it keeps memory and five connections for itself."""
    memory = (DATABASES[name] * 1024 * 0.9 - 128) * 1024**2
    return min(int(memory / 9531392), 5000) - 5


def pools(host_name: str, database: str, hosts: int = 1) -> str:
    """Return the workers and their pools, or that it is refused."""
    given = {"workers": 0, "memory_max": "", "pool": {}}
    sizing = server_sizing(host(host_name), {"admitted": admitted(database), "hosts": hosts, "pools": 4}, given)
    if sizing["refusals"]:
        return "refused"
    return f"{sizing['workers']} x ({sizing['pool']['size']} + {sizing['pool']['overflow']})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines).replace(" --- ", "---")


def settings_table() -> str:
    given = {"workers": 0, "memory_max": "", "pool": {}}
    rows = []
    for name, (cores, memory) in HOSTS.items():
        sizing = server_sizing(host(name), {"admitted": 0, "hosts": 1, "pools": 0}, given)
        rows.append([name, cores, f"{memory} GiB", sizing["workers"], sizing["memory_max"], proxy_sizing(host(name))])
    return table(["host", "cores", "memory", "workers", "`MemoryMax`", "`worker_connections`"], rows)


def pools_table() -> str:
    header = ["host", *(f"{name} ({admitted(name)})" for name in DATABASES)]
    return table(header, ([name, *(pools(name, database) for database in DATABASES)] for name in HOSTS))


def hosts_table() -> str:
    header = ["hosts", *(f"{name} ({admitted(name)})" for name in DATABASES)]
    rows = ([count, *(pools("m7i.xlarge", database, count) for database in DATABASES)] for count in (1, 2, 4, 8))
    return table(header, rows)


def load_table() -> str:
    rows = []
    for runs in (1_000, 10_000):
        for what, rate, costs in (("a batch a minute", runs / 60, LOG_BATCH), ("a metric a second", runs, LOG_METRIC)):
            cores, database_cores = (rate * cost / 1000 / BUSY for cost in costs)
            needed = [math.ceil(cores / HOSTS[name][0]) for name in ("m7i.large", "m7i.xlarge", "m7i.2xlarge")]
            rows.append([f"{runs:,}", what, f"{rate:,.0f}", f"{cores:,.1f}", *needed, math.ceil(database_cores)])
    header = ["runs", "each logs", "requests/s", "cores", "m7i.large", "m7i.xlarge", "m7i.2xlarge", "database's cores"]
    return table(header, rows)


@pytest.mark.parametrize("make", [settings_table, pools_table, hosts_table, load_table], ids=lambda make: make.__name__)
def test_the_page_has_what_is_derived(make: object) -> None:
    assert callable(make)
    assert make() in PAGE.read_text()


def test_the_page_shows_a_refusal_as_it_is() -> None:
    database = {"admitted": admitted("db.t4g.small"), "hosts": 2, "pools": 4}
    given = {"workers": 0, "memory_max": "", "pool": {"size": 20, "overflow": 20}}
    (refusal,) = server_sizing(host("m7i.xlarge"), database, given)["refusals"]
    assert refusal in " ".join(PAGE.read_text().split())


def seconds(path: Path, *patterns: str) -> list[int]:
    """Return the only number that each pattern finds."""
    found = []
    for pattern in patterns:
        numbers = set(re.findall(pattern, path.read_text(), re.DOTALL))
        assert len(numbers) == 1, f"{pattern} in {path}: {numbers}"
        found.append(int(numbers.pop()))
    return found


def test_nginx_gives_up_an_idle_connection_before_mlflow_closes_it() -> None:
    """A request that is sent into a connection just closed is lost, and one that writes isn't sent again."""
    nginx = seconds(NGINX, r"upstream mlflow \{.*?keepalive_timeout (\d+)s;")
    mlflow = seconds(SERVER, r"--timeout-keep-alive (\d+)")
    assert nginx < mlflow


def test_a_login_is_answered_before_whoever_waits_for_it_gives_up() -> None:
    asking, waiting = seconds(
        NGINX,
        r"users/current;.*?proxy_read_timeout (\d+)s;",
        r"location = /_login \{.*?proxy_read_timeout (\d+)s;",
    )
    (request,) = seconds(NGINX, r"\n    proxy_read_timeout (\d+)s;")
    assert asking < waiting < request


def test_systemd_waits_for_what_mlflow_still_answers() -> None:
    (graceful,) = seconds(SERVER, r"--timeout-graceful-shutdown (\d+)")
    (stop,) = seconds(UNIT, r"\nTimeoutStopSec=(\d+)")
    assert graceful < stop


def test_a_start_is_waited_for_no_longer_than_systemd_allows() -> None:
    # Waiting for the databases comes first.
    before, after, start = seconds(
        UNIT, r" wait --seconds (\d+)", r" --seconds (\d+)\nTimeout", r"TimeoutStartSec=(\d+)"
    )
    assert before + after <= start


def test_the_limit_of_a_body_is_said_once_and_as_documented() -> None:
    limits = set(re.findall(r"client_max_body_size (\w+);", NGINX.read_text())) - {"0"}
    assert limits == {"128m"}
    described = load(ROOT / "roles/nginx/meta/argument_specs.yml")["argument_specs"]["main"]["description"]
    assert any("bodies 128 MiB" in paragraph for paragraph in described)
