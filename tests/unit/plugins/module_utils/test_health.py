"""How a report reads."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.health import (
    Check,
    Level,
    Report,
    advice,
    first_difference,
)


def check(name: str, level: Level, *, passed: bool = True, reached: bool = True) -> Check:
    return Check(name, str(level), passed, reached, f"the reason of {name}", 1)


def test_no_check_is_no_health() -> None:
    assert Report("https://mlflow.example.com", Level.PING).healthy is False


def test_a_healthy_server_is_one_sentence() -> None:
    report = Report("https://mlflow.example.com", Level.PING, [check("tls", Level.PING), check("ping", Level.PING)])
    assert report.healthy is True
    assert report.message == "https://mlflow.example.com passed all 2 checks at level ping."


def test_a_failure_names_what_failed_what_was_not_reached_and_what_to_do() -> None:
    report = Report(
        "https://mlflow.example.com",
        Level.ARTIFACT,
        [
            check("tls", Level.PING),
            check("api", Level.READ, passed=False),
            check("run_create", Level.WRITE, passed=False, reached=False),
            check("param_logged", Level.WRITE, passed=False, reached=False),
            check("artifact_put", Level.ARTIFACT, passed=False, reached=False),
            check("cleanup", Level.WRITE),
        ],
        advice="Look there.",
    )
    assert report.healthy is False
    assert report.message == (
        "https://mlflow.example.com failed 4 of 6 checks: api (the reason of api). "
        "Not reached: write (run_create, param_logged), artifact (artifact_put). Look there."
    )


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [
        (b"", b"", None),
        (b"abc", b"abc", None),
        (b"abc", b"abd", 2),
        (b"abc", b"ab", 2),
        (b"", b"a", 0),
        (b"a", b"b", 0),
    ],
)
def test_the_first_difference_is_found(left: bytes, right: bytes, difference: int | None) -> None:
    assert first_difference(left, right) == difference


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("api", 401, "username and password"),
        ("api", 403, "allowed hosts"),
        ("api", 503, "backend store"),
        ("tls", None, "ca_file"),
        ("ping", 502, "nginx"),
        ("artifact_put", 500, "artifact store"),
        ("artifact_put", 413, "request bodies"),
        ("cleanup", None, "by hand"),
    ],
)
def test_advice_suits_the_failure(name: str, status: int | None, words: str) -> None:
    assert words in advice(name, status)
