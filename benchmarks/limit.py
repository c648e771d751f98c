"""The limit: the rows of a scenario written or read by a bare loop, without MLflow, HTTP or a login.

``python -m benchmarks.limit`` takes the same ``Task`` as ``benchmarks.load``, with the database as its address.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2

from benchmarks.load import STARTED, Result, Task
from benchmarks.scenarios import SCENARIOS


def loop(task: Task) -> Result:
    """Let each client, a connection and a thread of its own, make one transaction after the other."""
    scenario = SCENARIOS[task.scenario]
    assert scenario.statements
    sessions = [psycopg2.connect(task.url) for _ in range(task.clients)]
    result = Result()
    print(STARTED, flush=True)
    busy, started = time.process_time(), time.monotonic()

    def client(index: int) -> None:
        assert scenario.statements
        owned = task.subjects[index :: task.clients] or task.subjects
        turn = 0
        while (began := time.monotonic()) < started + task.seconds:
            subject = owned[turn // scenario.turns_each % len(owned)]
            number = task.first + index + turn * task.clients
            with sessions[index] as transaction, transaction.cursor() as cursor:
                for statement, values in scenario.statements(subject, number):
                    cursor.execute(statement, values)
            result.latencies.append(round(time.monotonic() - began, 5))
            result.acknowledged.append((subject, number))
            turn += 1

    with ThreadPoolExecutor(task.clients) as pool:
        list(pool.map(client, range(task.clients)))
    result.seconds = time.monotonic() - started
    result.processor_share = (time.process_time() - busy) / result.seconds
    result.longest = max(result.latencies, default=0.0)
    for session in sessions:
        session.close()
    return result


def main() -> None:
    """Run the task on standard input."""
    given: dict[str, Any] = json.load(sys.stdin)
    json.dump(dataclasses.asdict(loop(Task(**given))), sys.stdout)


if __name__ == "__main__":
    main()
