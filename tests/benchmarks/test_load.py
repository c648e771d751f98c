"""What the generator counts: against a server that plays what servers do, answers and refusals and silence."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks.fleet import schedule
from benchmarks.load import Load, Result, Task, due, percentile, put_on
from benchmarks.scenarios import SCENARIOS, Request, Scenario

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"{}")


@contextmanager
def playing(answer: Callable[[dict[str, Any]], Answer]) -> Iterator[str]:
    """Run a server that answers each write as it is told, and keeps connections."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(OK)

        def do_POST(self) -> None:
            self._reply(answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _reply(self, given: Answer) -> None:
            status, headers, content = given
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def loaded(url: str, **options: Any) -> Result:
    values = {"subjects": ["a", "b"], "clients": 2, "seconds": 0.3, "first": 100, **options}
    return await Load(Task("log_metric", url, **values), SCENARIOS["log_metric"]).run()


def run(url: str, **options: Any) -> Result:
    return asyncio.run(loaded(url, **options))


def test_only_right_answers_are_done_and_each_is_named() -> None:
    received: list[tuple[str, int]] = []

    def answer(body: dict[str, Any]) -> Answer:
        received.append((body["run_id"], body["step"]))
        return OK if body["step"] % 2 else (400, {}, b"{}")

    with playing(answer) as url:
        result = run(url)
    assert sorted(result.acknowledged) == sorted(write for write in received if write[1] % 2)
    assert result.errors == {"400": len(received) - len(result.acknowledged)}
    assert len(result.latencies) == len(result.acknowledged) > 0


def test_each_client_keeps_to_its_own_subjects_and_no_number_comes_twice() -> None:
    with playing(lambda _body: OK) as url:
        result = run(url)
    numbers = [number for _, number in result.acknowledged]
    assert len(set(numbers)) == len(numbers)
    assert {(subject, number % 2) for subject, number in result.acknowledged} == {("a", 0), ("b", 1)}


def test_a_refused_client_waits_as_long_as_it_is_told() -> None:
    with playing(lambda _body: (503, {"Retry-After": "60"}, b"")) as url:
        result = run(url)
    assert (result.errors, result.acknowledged) == ({"503": 2}, [])


def test_what_stays_unanswered_is_an_error_and_nothing_that_was_done() -> None:
    ended = threading.Event()

    def silent(_body: dict[str, Any]) -> Answer:
        ended.wait(30)
        return OK

    with playing(silent) as url:
        result = run(url, patience=0.5)
        ended.set()
    assert (result.errors, result.acknowledged, result.latencies) == ({"unanswered": 2}, [], [])
    assert result.longest >= 0.5


def test_a_server_that_is_away_is_an_error() -> None:
    with playing(lambda _body: OK) as url:
        pass
    result = run(url)
    assert result.errors["ClientConnectorError"] == 2
    assert result.acknowledged == []


def test_a_process_of_its_own_reports_the_same() -> None:
    received: list[tuple[str, int]] = []

    def answer(body: dict[str, Any]) -> Answer:
        received.append((body["run_id"], body["step"]))
        return OK

    with playing(answer) as url:
        before: list[int] = []
        task = Task("log_metric", url, ["a"], clients=1, seconds=0.2, first=7)
        result = put_on(task, started=lambda: before.append(len(received)))
    assert len(before) == 1
    assert result.acknowledged == received
    assert received[0] == ("a", 7)
    assert result.processor_share > 0


def test_an_answer_that_is_not_the_asked_one_is_an_error() -> None:
    with playing(lambda _body: OK) as url:
        task = Task("search_10k", url, ["1"], clients=1, seconds=0.1, first=0)
        result = asyncio.run(Load(task, SCENARIOS[task.scenario]).run())
    assert set(result.errors) == {"wrong answer"}
    assert result.latencies == []


def test_an_open_loop_times_requests_from_when_they_were_due() -> None:
    def late(run: str, number: int) -> Request:
        # The first keeps the generator from sending the others, which are due after 0.1 and 0.2 s.
        time.sleep(0.5 if number == 0 else 0)
        return SCENARIOS["log_metric"].request(run, number)

    with playing(lambda _body: OK) as url:
        task = Task("log_metric", url, ["a"], clients=1, seconds=0.3, first=0, rate=10)
        result = asyncio.run(Load(task, Scenario(late, "runs")).run())
    assert len(result.latencies) == 3
    assert min(result.latencies) >= 0.25


@pytest.mark.parametrize(
    ("rate", "seconds", "moments"), [(4, 1, [0, 0.25, 0.5, 0.75]), (0.5, 4, [0, 2]), (10, 0.05, [])]
)
def test_requests_of_an_open_loop_are_due_at_even_moments(rate: float, seconds: float, moments: list[float]) -> None:
    assert due(rate, seconds) == moments


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (0.999, 100), (0, 1), (1, 100)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


def test_of_one_value_each_percentile_is_that_and_of_none_it_is_zero() -> None:
    assert [percentile([7.0], share) for share in (0.5, 0.99)] == [7, 7]
    assert percentile([], 0.5) == 0


def test_a_fleet_logs_evenly_and_each_run_once_a_minute() -> None:
    assert schedule(2, 120) == [(0, 0, 0), (30, 1, 1), (60, 0, 2), (90, 1, 3)]
