"""mlflow_health at its boundary: arguments in, JSON out, and what it leaves on a server that misbehaves."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.module_utils import http_client
from ansible_collections.mlops.mlflow.plugins.modules import mlflow_health
from ansible_collections.mlops.mlflow.tests.unit.support import tracking_server as faults
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import (
    COMMON,
    documentable,
    specified,
    undocumented,
)
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun
from ansible_collections.mlops.mlflow.tests.unit.support.tracking_server import ARTIFACTS, Fault, TrackingServer

PING = ["tls", "ping"]
READ = [*PING, "api"]
WRITE = [*READ, "experiment_create", "run_create", "metric_logged", "param_logged"]
ARTIFACT = [*WRITE, "artifact_put", "artifact_list", "artifact_get", "artifact_delete"]

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(run_module: ModuleRun, authority: Authority) -> Check:
    """Run the module up to the highest level, trusting the CA, with pauses that suit a test."""

    def run(url: str, **arguments: object) -> dict[str, Any]:
        defaults = {"level": "artifact", "ca_file": str(authority.file), "retry_pause": 0.01, "deadline": 5}
        return run_module(mlflow_health, {"url": url, **defaults, **arguments})

    return run


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def failed(result: dict[str, Any]) -> list[str]:
    """Names of the checks that were tried and failed."""
    return [check["name"] for check in result["checks"] if check["reached"] and not check["passed"]]


def unreached(result: dict[str, Any]) -> list[str]:
    """Names of the checks that were not tried."""
    return [check["name"] for check in result["checks"] if not check["reached"]]


def reason(result: dict[str, Any], name: str) -> str:
    """Reason that this check gives."""
    return str(next(check["reason"] for check in result["checks"] if check["name"] == name))


# A healthy server


@pytest.mark.parametrize(
    ("level", "names"),
    [("ping", PING), ("read", READ), ("write", [*WRITE, "cleanup"]), ("artifact", [*ARTIFACT, "cleanup"])],
)
def test_a_healthy_server_passes_each_level(server: TrackingServer, check: Check, level: str, names: list[str]) -> None:
    result = check(server.url, level=level)

    assert [each["name"] for each in result["checks"]] == names
    assert all(each["passed"] and each["reached"] for each in result["checks"])
    assert result["healthy"] is True
    assert result["changed"] is False
    assert result["level"] == level
    assert result["server_version"] == "3.17.2"
    assert result["certificate_days_left"] in (89, 90)
    assert result["tls_protocol"] == "TLSv1.3"
    assert server.leftovers == []


def test_each_level_measures_what_it_did(server: TrackingServer, check: Check) -> None:
    def measured(level: str) -> set[str]:
        return {name for name, value in check(server.url, level=level)["latency_ms"].items() if value is not None}

    assert measured("ping") == {"connect", "ping"}
    assert measured("read") == {"connect", "ping", "api"}
    assert measured("artifact") == {"connect", "ping", "api", "write", "artifact_put", "artifact_get"}


def test_nothing_is_written_below_level_write(server: TrackingServer, check: Check) -> None:
    check(server.url, level="read")

    assert server.experiments == {}
    assert {request.split()[1] for request in server.requests} == {
        "/health",
        "/version",
        "/api/2.0/mlflow/experiments/search",
    }


def test_check_mode_only_reads_and_says_so(server: TrackingServer, run_module: ModuleRun, authority: Authority) -> None:
    result = run_module(
        mlflow_health,
        {"url": server.url, "ca_file": str(authority.file), "level": "artifact"},
        check_mode=True,
    )

    assert result["level"] == "read"
    assert [each["name"] for each in result["checks"]] == READ
    assert server.experiments == {}


def test_the_default_level_writes_nothing(server: TrackingServer, run_module: ModuleRun, authority: Authority) -> None:
    assert run_module(mlflow_health, {"url": server.url, "ca_file": str(authority.file)})["level"] == "read"
    assert server.experiments == {}


def test_write_and_artifact_are_really_done(server: TrackingServer, check: Check) -> None:
    stored: list[bytes] = []
    server.store_artifact = lambda content: stored.append(content) or content  # type: ignore[func-returns-value]
    check(server.url, artifact_size=70_000)
    check(server.url, artifact_size=70_000)

    first, second = server.runs.values()
    assert len(first.metrics) == len(first.params) == 1
    assert first.metrics != second.metrics
    assert [len(content) for content in stored] == [70_000, 70_000]
    assert stored[0] != stored[1]
    names = [experiment.name for experiment in server.experiments.values()]
    assert len(set(names)) == 2
    assert all(name.startswith("mlflow_health-") for name in names)


def test_a_path_before_the_api_is_kept(server: TrackingServer, check: Check) -> None:
    result = check(f"{server.url}/tracking/", level="read", retries=0)

    assert "GET /tracking/health" in server.requests
    assert result["url"] == f"{server.url}/tracking"


def test_plain_http_is_checked_on_this_machine(plain_server: TrackingServer, check: Check) -> None:
    result = check(plain_server.url)

    assert result["healthy"] is True
    assert result["certificate_days_left"] is None
    assert reason(result, "tls") == "not applicable: plain HTTP, which stays on this machine"
    assert plain_server.leftovers == []


# Login


def test_a_login_is_used(server: TrackingServer, check: Check) -> None:
    server.login = ("ops", "pass:word")

    assert check(server.url, username="ops", password="pass:word")["healthy"] is True
    assert server.leftovers == []


def test_a_missing_login_is_named_while_ping_needs_none(server: TrackingServer, check: Check) -> None:
    server.login = ("ops", "password")

    assert check(server.url, level="ping")["server_version"] is None
    result = check(server.url)
    assert failed(result) == ["api"]
    assert "answered 401" in reason(result, "api")
    assert result["msg"].endswith("Give a valid username and password.")


def test_the_password_appears_nowhere(server: TrackingServer, run_module: ModuleRun, authority: Authority) -> None:
    server.fault("POST", faults.status(500, "INTERNAL_ERROR", "your password s3cr3t-passphrase is wrong"))
    result = run_module(
        mlflow_health,
        {"url": server.url, "ca_file": str(authority.file), "username": "ops", "password": "s3cr3t-passphrase"},
    )

    assert "s3cr3t" not in json.dumps(result)


def test_no_redirect_is_followed(server: TrackingServer, plain_server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/search", faults.redirect(f"{plain_server.url}/login"))
    result = check(server.url, username="ops", password="password")

    assert failed(result) == ["api"]
    assert f"redirects to {plain_server.url}/login" in reason(result, "api")
    assert plain_server.requests == []


# TLS and the way to the server


def test_an_unknown_ca_fails(server: TrackingServer, check: Check, tmp_path: Path) -> None:
    result = check(server.url, ca_file=str(Authority(tmp_path, "stranger").file))

    assert failed(result) == ["tls"]
    assert "is not trusted" in reason(result, "tls")
    assert "ca_file" in result["msg"]
    assert server.requests == []


def test_the_system_does_not_trust_our_ca(server: TrackingServer, check: Check) -> None:
    assert failed(check(server.url, ca_file="")) == ["tls"]


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({"days": -1}, "certificate has expired"),
        ({"names": ("192.0.2.1", "mlflow.example.com")}, "certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_wrong_certificate_fails(authority: Authority, check: Check, certificate: dict[str, Any], words: str) -> None:
    with TrackingServer(authority.server_context(**certificate)).running() as server:
        result = check(server.url, username="ops", password="password")

    assert failed(result) == ["tls"]
    assert words in reason(result, "tls")
    assert result["certificate_days_left"] is None
    assert server.requests == []


def test_a_server_without_tls_fails(plain_server: TrackingServer, check: Check) -> None:
    result = check(plain_server.url.replace("http:", "https:"), retries=0)

    assert failed(result) == ["tls"]
    assert plain_server.requests == []


def test_a_closed_port_fails_and_every_level_is_named(check: Check, closed_port: int) -> None:
    result = check(f"https://127.0.0.1:{closed_port}", retries=2)

    assert failed(result) == ["tls"]
    assert reason(result, "tls") == f"cannot connect to 127.0.0.1:{closed_port}: Connection refused (3 attempts)"
    assert unreached(result) == ["ping", "api", *ARTIFACT[3:]]
    assert "write (experiment_create, run_create, metric_logged, param_logged)" in result["msg"]


def test_an_unknown_name_fails(check: Check) -> None:
    result = check("https://mlflow.invalid", retries=0)

    assert failed(result) == ["tls"]
    assert "cannot connect to mlflow.invalid" in reason(result, "tls")


def test_a_handshake_without_answer_ends_at_the_deadline(check: Check, silent_port: int) -> None:
    started = time.monotonic()
    result = check(f"https://127.0.0.1:{silent_port}", deadline=1, timeout=0.4, retries=50)

    assert time.monotonic() - started < 1.5
    assert failed(result) == ["tls"]


# Faults of the API


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.status(403, "PERMISSION_DENIED", "Permission denied"), "403 PERMISSION_DENIED: Permission denied"),
        (faults.status(404), "answered 404"),
        (faults.status(500, "INTERNAL_ERROR", "disk\n full"), "500 INTERNAL_ERROR: disk full"),
        (faults.status(503, "TEMPORARILY_UNAVAILABLE", "no database"), "no database (4 attempts)"),
        (faults.status(502), "answered 502 (4 attempts)"),
        (faults.garbage, "no JSON object (text/html, starts '<!doctype html>"),
        (faults.no_http, "no valid HTTP answer"),
        (faults.cut_short, "cut short (4 attempts)"),
    ],
)
def test_a_fault_of_the_api_fails_with_its_reason(
    server: TrackingServer, check: Check, fault: Fault, words: str
) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/search", fault)
    result = check(server.url)

    assert failed(result) == ["api"]
    assert words in reason(result, "api")
    assert reason(result, "metric_logged") == "not reached: api failed"
    assert unreached(result) == ARTIFACT[3:]
    for name in ARTIFACT[2:]:
        assert name in result["msg"]
    assert server.experiments == {}


def test_an_endless_answer_is_not_read_to_its_end(
    server: TrackingServer, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "LARGEST_ANSWER", 100_000)
    server.fault(
        "POST /api/2.0/mlflow/experiments/search",
        lambda handler: handler.reply((200, "application/json", b" " * 500_000)),
    )

    result = check(server.url, retries=0)
    assert failed(result) == ["api"]
    assert "exceeds 100000 bytes" in reason(result, "api")


def test_a_health_page_alone_is_no_health(server: TrackingServer, check: Check) -> None:
    server.fault("POST", faults.status(500, "INTERNAL_ERROR", "no database"))

    assert failed(check(server.url, level="ping")) == []
    assert failed(check(server.url, level="read")) == ["api"]


@pytest.mark.parametrize("path", ["/health", "/version"])
def test_another_web_server_is_not_taken_for_mlflow(server: TrackingServer, check: Check, path: str) -> None:
    server.fault(f"GET {path}", faults.garbage)

    assert failed(check(server.url, level="ping")) == ["ping"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_fault_is_survived(server: TrackingServer, check: Check, status: int) -> None:
    server.fault("POST /api/2.0/mlflow/runs/log-metric", faults.status(status), times=3)

    assert check(server.url)["healthy"] is True
    assert server.leftovers == []


@pytest.mark.parametrize("fault", [faults.lose_answer, faults.cut_short])
def test_a_lost_answer_is_survived_where_asking_again_does_no_harm(
    server: TrackingServer, check: Check, fault: Fault
) -> None:
    server.fault("GET /api/2.0/mlflow/runs/get", fault, times=1)

    assert check(server.url)["healthy"] is True


def test_retries_can_be_switched_off(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/search", faults.status(503), times=1)

    assert failed(check(server.url, retries=0)) == ["api"]


@pytest.mark.parametrize("fault", [faults.hang, faults.trickle])
def test_no_server_holds_a_request_longer_than_its_timeout(server: TrackingServer, check: Check, fault: Fault) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/search", fault)
    started = time.monotonic()
    result = check(server.url, timeout=0.4, retries=0)

    assert time.monotonic() - started < 1.0
    assert failed(result) == ["api"]
    assert "no complete answer in time" in reason(result, "api")


@pytest.mark.parametrize("fault", [faults.hang, faults.trickle])
def test_no_server_holds_the_module_beyond_its_deadline(server: TrackingServer, check: Check, fault: Fault) -> None:
    for method in ("POST /api/2.0/mlflow/runs", "GET /api", "POST /api/2.0/mlflow/experiments/delete", "DELETE"):
        server.fault(method, fault)
    started = time.monotonic()
    result = check(server.url, deadline=1.5, timeout=30)

    assert time.monotonic() - started < 2.0
    assert failed(result) == ["run_create", "cleanup"]
    assert f"deleting experiment {result['experiment']}" in reason(result, "cleanup")


def test_what_the_deadline_leaves_no_time_for_is_named(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/runs/log-metric", faults.hang)
    result = check(server.url, deadline=1.2, timeout=30)

    assert failed(result) == ["metric_logged"]
    assert reason(result, "artifact_put") == "not reached: the deadline left no time"
    assert reason(result, "artifact_get") == "not reached: the deadline left no time"
    assert server.leftovers == []


# What was written must come back


def test_an_altered_metric_fails_alone(server: TrackingServer, check: Check) -> None:
    server.store_metric = lambda value: round(value, 3)
    result = check(server.url)

    assert failed(result) == ["metric_logged"]
    assert unreached(result) == []
    assert server.leftovers == []


def test_a_metric_that_is_not_there_fails(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/runs/log-metric", faults.status(200, "", ""))

    assert "was read back as None" in reason(check(server.url), "metric_logged")


def test_an_altered_param_fails_alone(server: TrackingServer, check: Check) -> None:
    server.store_param = lambda text: text[:-1]

    assert failed(check(server.url)) == ["param_logged"]


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "5000 came back, they differ from byte 4999 on"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "5000 came back, they differ from byte 0 on"),
        (lambda content: content[:1234], "1234 came back, they differ from byte 1234 on"),
        (lambda content: content + b"\n", "5001 came back, they differ from byte 5000 on"),
    ],
)
def test_an_artifact_that_comes_back_altered_fails(
    server: TrackingServer, check: Check, store: Callable[[bytes], bytes], words: str
) -> None:
    server.store_artifact = store
    result = check(server.url, artifact_size=5000)

    assert "artifact_get" in failed(result)
    assert reason(result, "artifact_get").endswith(words)
    assert server.leftovers == []


def test_an_artifact_of_another_size_fails_in_the_list_too(server: TrackingServer, check: Check) -> None:
    server.store_artifact = lambda content: content[:10]

    assert failed(check(server.url)) == ["artifact_list", "artifact_get"]


def test_an_artifact_cut_short_on_its_way_fails(server: TrackingServer, check: Check) -> None:
    server.fault(f"GET {ARTIFACTS}/", faults.cut_short)
    result = check(server.url)

    assert failed(result) == ["artifact_get"]
    assert "cut short" in reason(result, "artifact_get")
    assert server.leftovers == []


def test_an_artifact_that_is_not_listed_fails(server: TrackingServer, check: Check) -> None:
    server.fault(f"GET {ARTIFACTS}?", faults.status(200), times=1)
    assert failed(check(server.url)) == ["artifact_list"]

    server.fault(f"GET {ARTIFACTS}?", lambda handler: handler.reply((200, "application/json", b"{}")), times=1)
    assert reason(check(server.url), "artifact_list").endswith("was put but isn't listed")


def test_a_body_that_a_proxy_refuses_is_explained(server: TrackingServer, check: Check) -> None:
    server.fault("PUT", faults.status(413))
    result = check(server.url)

    assert failed(result) == ["artifact_put"]
    assert unreached(result) == ["artifact_list", "artifact_get", "artifact_delete"]
    assert "limit for request bodies" in result["msg"]
    assert server.leftovers == []


@pytest.mark.parametrize("root", ["s3://bucket", "file:///var/lib/mlflow", "/var/lib/mlflow"])
def test_a_server_that_serves_no_artifacts_is_explained(server: TrackingServer, check: Check, root: str) -> None:
    server.artifact_root = root
    result = check(server.url)

    assert failed(result) == ["artifact_put"]
    assert "--serve-artifacts" in reason(result, "artifact_put")
    assert server.leftovers == []


def test_artifacts_at_another_server_get_no_login(
    server: TrackingServer, plain_server: TrackingServer, check: Check
) -> None:
    server.artifact_root = f"mlflow-artifacts://127.0.0.1:{plain_server.port}"

    assert failed(check(server.url, username="ops", password="password")) == ["artifact_put"]
    assert plain_server.requests == []


# Nothing stays behind


@pytest.mark.parametrize(
    "request_",
    [
        "POST /api/2.0/mlflow/runs/create",
        "POST /api/2.0/mlflow/runs/log-metric",
        "POST /api/2.0/mlflow/runs/log-parameter",
        "GET /api/2.0/mlflow/runs/get",
        "PUT",
        f"GET {ARTIFACTS}/",
    ],
)
@pytest.mark.parametrize(
    "fault", [faults.status(500, "INTERNAL_ERROR", "no"), faults.lose_answer, faults.cut_short, faults.garbage]
)
def test_a_check_that_fails_half_way_leaves_nothing(
    server: TrackingServer, check: Check, request_: str, fault: Fault
) -> None:
    server.fault(request_, fault)
    result = check(server.url)

    assert server.experiments
    assert server.leftovers == []
    assert reason(result, "cleanup") == "nothing is left"


@pytest.mark.parametrize("fault", [faults.lose_answer, faults.cut_short])
def test_an_experiment_whose_creation_got_no_answer_is_found_and_removed(
    server: TrackingServer, check: Check, fault: Fault
) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/create", fault)
    result = check(server.url)

    assert failed(result) == ["experiment_create"]
    assert len(server.experiments) == 1
    assert server.leftovers == []


def test_an_experiment_that_appears_late_is_found_and_removed(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/create", faults.carry_out_late(0.6))
    result = check(server.url, timeout=0.3, deadline=10)

    assert failed(result) == ["experiment_create"]
    assert len(server.experiments) == 1
    assert server.leftovers == []


def test_an_experiment_that_may_still_appear_is_named(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/create", faults.hang)
    result = check(server.url, timeout=0.5, deadline=3)

    assert failed(result) == ["experiment_create", "cleanup"]
    assert result["experiment"] in reason(result, "cleanup")
    assert "may still appear" in reason(result, "cleanup")


def test_a_refused_creation_leaves_nothing_to_look_for_long(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/create", faults.status(403, "PERMISSION_DENIED", "no"))
    started = time.monotonic()
    result = check(server.url, deadline=30)

    assert time.monotonic() - started < 1
    assert failed(result) == ["experiment_create"]
    assert reason(result, "cleanup") == "nothing was made"


def test_the_creation_of_a_run_is_not_repeated_blindly(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/runs/create", faults.lose_answer)
    check(server.url)

    assert sum(request == "POST /api/2.0/mlflow/runs/create" for request in server.requests) == 1


def test_an_artifact_that_cannot_be_deleted_is_reported_and_the_rest_removed(
    server: TrackingServer, check: Check
) -> None:
    server.fault("DELETE", faults.status(500, "INTERNAL_ERROR", "AccessDenied"))
    result = check(server.url)

    assert failed(result) == ["artifact_delete", "cleanup"]
    assert "health.bin" in reason(result, "cleanup")
    assert [left.split()[0] for left in server.leftovers] == ["artifact"]


def test_an_artifact_whose_deletion_hangs_takes_no_time_from_the_rest(server: TrackingServer, check: Check) -> None:
    server.fault("DELETE", faults.hang)
    result = check(server.url, timeout=30, deadline=2)

    assert failed(result) == ["artifact_delete", "cleanup"]
    assert [left.split()[0] for left in server.leftovers] == ["artifact"]


def test_an_artifact_that_only_seems_deleted_is_reported(server: TrackingServer, check: Check) -> None:
    server.keeps_deleted_artifacts = True
    result = check(server.url)

    assert failed(result) == ["artifact_delete", "cleanup"]
    assert reason(result, "artifact_delete").endswith("is still listed after its deletion")


def test_an_experiment_that_cannot_be_deleted_is_reported(server: TrackingServer, check: Check) -> None:
    server.fault("POST /api/2.0/mlflow/experiments/delete", faults.status(500, "INTERNAL_ERROR", "locked"))
    result = check(server.url)

    assert failed(result) == ["cleanup"]
    assert result["healthy"] is False
    assert f"deleting experiment {result['experiment']} (id 1): POST" in result["msg"]
    assert [left.split()[0] for left in server.leftovers] == ["experiment"]


def test_an_experiment_that_only_seems_deleted_is_reported(server: TrackingServer, check: Check) -> None:
    nothing_done = (200, "application/json", b"{}")
    server.fault("POST /api/2.0/mlflow/experiments/delete", lambda handler: handler.reply(nothing_done))

    assert "still there after its deletion" in reason(check(server.url), "cleanup")


def test_the_artifacts_of_others_are_left_alone(server: TrackingServer, check: Check) -> None:
    theirs = {"1/another/artifacts/model.pkl": b"model", "2/other/artifacts/health.bin": b"x"}
    server.artifacts.update(theirs)

    assert check(server.url)["healthy"] is True
    assert server.artifacts == theirs
    assert f"DELETE {ARTIFACTS}/1" not in server.requests


def test_the_experiments_empty_folder_goes_too(server: TrackingServer, check: Check) -> None:
    check(server.url)

    assert f"DELETE {ARTIFACTS}/1" in server.requests


# Bad input: named, with its value and the remedy, before anything is sent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "mlflow.example.com"}, "url is 'mlflow.example.com': not an http(s) address. Give one like https://"),
        ({"url": "ftp://mlflow.example.com"}, "not an http(s) address"),
        ({"url": "https://"}, "not an http(s) address"),
        ({"url": "https://mlflow.example.com:port"}, "url is 'https://mlflow.example.com:port'"),
        ({"url": "https://mlflow.example.com:70000"}, "out of range"),
        ({"url": "https://[::1"}, "url is 'https://[::1'"),
        ({"url": "https://mlflow.example.com/#/experiments"}, "has a query or a fragment"),
        ({"url": "https://mlflow.example.com?x=1"}, "has a query or a fragment"),
        ({"url": "https://mlflow.example.com/a b"}, "has blanks"),
        ({"url": "https://mlflów.example.com"}, "xn--"),
        ({"url": "http://mlflow.example.com"}, "plain HTTP would send login and data unencrypted"),
        ({"url": "http://127.0.0.1.example.com"}, "plain HTTP"),
        ({"ca_file": "/nonexistent/ca.pem"}, "ca_file is '/nonexistent/ca.pem': No such file or directory. Give"),
        ({"ca_file": "/dev/null"}, "ca_file is '/dev/null': holds no certificate"),
        ({"username": "ops"}, "password is missing: a login is both"),
        ({"password": "password"}, "username is missing: a login is both"),
        ({"username": "a:b", "password": "password"}, "username is 'a:b': basic authentication allows no colon"),
        ({"timeout": 0}, "timeout is 0.0: out of range"),
        ({"deadline": -1}, "deadline is -1.0: out of range"),
        ({"deadline": "nan"}, "deadline is nan: out of range"),
        ({"deadline": "inf"}, "deadline is inf: out of range"),
        ({"retries": -1}, "retries is -1: out of range"),
        ({"retry_pause": -0.1}, "retry_pause is -0.1: out of range"),
        ({"artifact_size": 0}, "artifact_size is 0: out of range. Give a value from 1 to 104857600."),
        ({"level": "all"}, "value of level must be one of: ping, read, write, artifact"),
    ],
)
def test_bad_input_is_refused(
    server: TrackingServer, run_module: ModuleRun, arguments: dict[str, object], words: str
) -> None:
    result = run_module(mlflow_health, {"url": server.url, **arguments})

    assert words in result["msg"]
    assert server.requests == []


def test_a_login_in_the_url_is_refused_and_not_repeated(run_module: ModuleRun) -> None:
    result = run_module(mlflow_health, {"url": "https://ops:s3cr3t-passphrase@mlflow.example.com"})

    assert result["msg"].startswith("url holds a login")
    assert "passphrase" not in result["msg"]


# The documentation


def test_documented_options_are_the_modules_own() -> None:
    documented = yaml.safe_load(mlflow_health.DOCUMENTATION)["options"]
    assert specified(documented) == documentable(mlflow_health.ARGUMENTS)


def test_documented_results_are_the_modules_own(server: TrackingServer, check: Check) -> None:
    result = check(server.url)
    own = {key: value for key, value in result.items() if key not in COMMON}
    assert undocumented(yaml.safe_load(mlflow_health.RETURN), own) == []


def test_a_failure_returns_what_a_success_does(server: TrackingServer, check: Check) -> None:
    server.fault("POST", faults.status(500))
    assert check(server.url).keys() - COMMON == yaml.safe_load(mlflow_health.RETURN).keys()
