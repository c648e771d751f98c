"""Send wrong logins beside right ones, and print as JSON what came of both.

`flood.py URL CA WRONG SECONDS` reads `{"user": …, "password": …}` from standard input. WRONG logins, each with another
password of the same user, go out evenly over SECONDS; before and meanwhile, somebody who knows the password asks for an
experiment 20 times a second. Each of them keeps its connections, as clients do.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

RIGHT_PER_SECOND = 20
SENDERS = 16
PATH = "/api/2.0/mlflow/experiments/get?experiment_id=0"


class Client:
    """Connections to one server, one for each thread."""

    def __init__(self, url: str, ca_file: str) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=ca_file)
        self._local = threading.local()

    def ask(self, login: str) -> tuple[int, str | None]:
        """Return the answer's status and when it says to try again."""
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=60)
            self._local.connection = connection
        authorization = "Basic " + base64.b64encode(login.encode()).decode()
        connection.request("GET", PATH, headers={"Authorization": authorization})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After")


def evenly(count: int, seconds: float, threads: int, act: Callable[[int], None]) -> list[threading.Thread]:
    """Start threads that call ``act`` with 0 to ``count`` - 1 at even intervals; late ones hurry."""
    begin = time.monotonic()

    def run(first: int) -> None:
        for number in range(first, count, threads):
            time.sleep(max(0.0, begin + number * seconds / count - time.monotonic()))
            act(number)

    started = [threading.Thread(target=run, args=(first,)) for first in range(threads)]
    for thread in started:
        thread.start()
    return started


def p95(durations: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return round(sorted(durations)[int(len(durations) * 0.95)] * 1000, 1)


def main() -> None:
    """Measure."""
    url, ca_file, wrong, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    given = json.load(sys.stdin)
    client, refusals, mute = Client(url, ca_file), Counter[int](), Counter[int]()

    def ask_wrongly(number: int) -> None:
        status, retry_after = client.ask(f"{given['user']}:wrong-{number}")
        refusals[status] += 1
        if status == http.HTTPStatus.TOO_MANY_REQUESTS and retry_after is None:
            mute[status] += 1

    def right(threads: int) -> tuple[list[threading.Thread], list[float], Counter[int]]:
        durations: list[float] = []
        answers = Counter[int]()

        def ask(_: int) -> None:
            begin = time.monotonic()
            answers[client.ask(f"{given['user']}:{given['password']}")[0]] += 1
            durations.append(time.monotonic() - begin)

        return evenly(int(seconds * RIGHT_PER_SECOND), seconds, threads, ask), durations, answers

    result: dict[str, Any] = {}
    for phase in ("before", "during"):
        flood = evenly(wrong, seconds, SENDERS, ask_wrongly) if phase == "during" else []
        threads, durations, answers = right(4)
        for thread in threads + flood:
            thread.join()
        result[phase] = {"right": answers, "p95": p95(durations)}
    print(json.dumps(result | {"wrong": refusals, "without Retry-After": mute.total()}))


if __name__ == "__main__":
    main()
