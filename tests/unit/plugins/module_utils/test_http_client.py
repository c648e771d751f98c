"""The pure parts of the HTTP client; its behaviour on the wire is tested through the module."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import (
    Deadline,
    Endpoint,
    HttpClient,
    Login,
    Retries,
    TrackingError,
    is_loopback,
    printable,
    tls_context,
)


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_deadline_runs_out_and_stays_so() -> None:
    clock = Clock()
    deadline = Deadline(5, clock)
    clock.now += 3
    assert deadline.remaining() == pytest.approx(2)
    clock.now += 10
    assert deadline.remaining() == 0
    with pytest.raises(TimeoutError):
        deadline.require()


def test_no_part_of_a_deadline_outlives_it() -> None:
    clock = Clock()
    deadline = Deadline(5, clock)
    assert deadline.within(2).remaining() == pytest.approx(2)
    assert deadline.within(60).remaining() == pytest.approx(5)


@pytest.mark.parametrize(
    ("url", "endpoint", "text"),
    [
        ("https://mlflow.example.com", Endpoint("https", "mlflow.example.com", 443, ""), "https://mlflow.example.com"),
        ("https://EXAMPLE.com:8443/ml/", Endpoint("https", "example.com", 8443, "/ml"), "https://example.com:8443/ml"),
        ("https://[2001:db8::1]:444", Endpoint("https", "2001:db8::1", 444, ""), "https://[2001:db8::1]:444"),
        ("http://localhost:5000/", Endpoint("http", "localhost", 5000, ""), "http://localhost:5000"),
        ("http://[::1]", Endpoint("http", "::1", 80, ""), "http://[::1]"),
        ("https://example.com:443", Endpoint("https", "example.com", 443, ""), "https://example.com"),
        ("https://example.com:80", Endpoint("https", "example.com", 80, ""), "https://example.com:80"),
    ],
)
def test_an_address_is_taken_apart_and_put_together(url: str, endpoint: Endpoint, text: str) -> None:
    assert Endpoint.parse(url) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_login_is_both_or_neither_and_hides_its_password() -> None:
    assert Login.parse(None, None) is None
    assert Login.parse("", "") is None
    login = Login.parse("ops", "pässword")
    assert login is not None
    assert login.header == "Basic b3BzOnDDpHNzd29yZA=="
    assert "pässword" not in repr(login)


@pytest.mark.parametrize(
    ("status", "sent", "carried_out"),
    [
        (None, False, False),
        (None, True, None),
        (200, True, None),
        (502, True, None),
        (504, True, None),
        (429, True, False),
        (503, True, False),
        (400, True, False),
        (500, True, False),
    ],
)
def test_what_may_have_been_carried_out(status: int | None, sent: bool, carried_out: bool | None) -> None:
    assert TrackingError("no", status=status, sent=sent).carried_out is carried_out


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [Retries(pause=0.5).pause_before(repetition) for repetition in range(6)]
    assert pauses == [0.5, 1, 2, 4, 5, 5]


@pytest.mark.parametrize(
    ("text", "line"),
    [("one\n  two\t", "one two"), ("a\x1b[31mb", "a[31mb"), ("abcdefgh", "abcde…"), ("abcdef", "abcdef")],
)
def test_what_a_server_says_is_one_short_line(text: str, line: str) -> None:
    assert printable(text, 6 if line.startswith("abc") else 80) == line


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    context = tls_context(None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True


def resolver(answer: Callable[[], list[object]]) -> Callable[..., list[object]]:
    return lambda *_args, **_kwargs: answer()


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> list[object]:
        time.sleep(2)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolver(hang))
    client = HttpClient(Endpoint.parse("http://localhost:1"), retries=Retries(0))
    started = time.monotonic()
    with pytest.raises(TrackingError, match="took longer than allowed"):
        client.connect(Deadline(0.2))
    assert time.monotonic() - started < 1


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as closed:
        port, dead = listening.getsockname()[1], closed.getsockname()[1]
        closed.close()
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in (dead, port)]
        monkeypatch.setattr(socket, "getaddrinfo", resolver(lambda: list(addresses)))
        client = HttpClient(Endpoint.parse("http://localhost"), retries=Retries(0))
        assert client.connect(Deadline(2)).protocol is None
