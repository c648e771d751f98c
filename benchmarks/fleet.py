"""Many runs open at once through MLflow's stock client, each logging a batch a minute.

``python -m benchmarks.fleet`` takes a ``Task`` as ``benchmarks.load`` does: as many runs as it has clients, in the
experiment that is its subject, for so many seconds. Where the server is and how to log in the client knows from its
environment. What the client itself tries again is no error; each batch is timed from when it was due.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from benchmarks.load import STARTED, Result, Task
from benchmarks.scenarios import SCENARIOS, TIMESTAMP

INTERVAL_SECONDS = 60.0
# How many calls are on their way at a time: each run's trainer waits only for its own.
THREADS = 64


def schedule(runs: int, seconds: float) -> list[tuple[float, int, int]]:
    """Return when which run logs which batch: each once a minute, all of them evenly over it."""
    batches = round(seconds / INTERVAL_SECONDS)
    return [
        ((batch + run / runs) * INTERVAL_SECONDS, run, batch * runs + run)
        for batch in range(batches)
        for run in range(runs)
    ]


def sail(task: Task, client: MlflowClient) -> Result:
    """Open the runs, let each log, finish them."""
    (experiment,) = task.subjects
    result, errors, guard = Result(), Counter[str](), threading.Lock()

    def log(run: str, number: int, due: float) -> None:
        _method, _path, body = SCENARIOS[task.scenario].request(run, number)
        assert body
        try:
            client.log_batch(
                run,
                [Metric(each["key"], each["value"], TIMESTAMP, each["step"]) for each in body["metrics"]],
                [Param(each["key"], each["value"]) for each in body["params"]],
            )
        except MlflowException as problem:
            with guard:
                errors[problem.error_code] += 1
            return
        took = time.monotonic() - due
        with guard:
            result.latencies.append(round(took, 5))
            result.acknowledged.append((run, number))
            result.longest = max(result.longest, took)

    with ThreadPoolExecutor(THREADS) as pool:
        runs = list(pool.map(lambda _: str(client.create_run(experiment).info.run_id), range(task.clients)))
        print(STARTED, flush=True)
        busy, started = time.process_time(), time.monotonic()
        batches = []
        for moment, run, number in schedule(task.clients, task.seconds):
            time.sleep(max(0.0, started + moment - time.monotonic()))
            batches.append(pool.submit(log, runs[run], task.first + number, started + moment))
        for batch in batches:
            batch.result()
        result.seconds = time.monotonic() - started
        result.processor_share = (time.process_time() - busy) / result.seconds
        list(pool.map(client.set_terminated, runs))
    result.errors = dict(errors)
    return result


def main() -> None:
    """Run the task on standard input."""
    # So many threads of one process share fewer connections than they are; each of a fleet's processes has its own.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    json.dump(dataclasses.asdict(sail(Task(**json.load(sys.stdin)), MlflowClient())), sys.stdout)


if __name__ == "__main__":
    main()
