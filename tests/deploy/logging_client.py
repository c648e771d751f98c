"""Log metrics through MLflow's stock client, 20 a second, until standard input ends; print what became of them as JSON.

Arguments: the experiment's name. What the client's own retries carry through is no error.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from itertools import count

from mlflow import MlflowClient

THREADS, PERIOD = 10, 0.5


def main() -> None:
    """Log, then read back."""
    client = MlflowClient()
    run = client.create_run(client.create_experiment(sys.argv[1])).info.run_id
    ended = threading.Event()
    acknowledged, errors = [0] * THREADS, []

    def log(thread: int) -> None:
        due = time.monotonic()
        for step in count():
            if ended.wait(max(0, due - time.monotonic())):
                return
            due += PERIOD
            try:
                client.log_metric(run, f"metric {thread}", step, step=step)
                acknowledged[thread] += 1
            except Exception as error:
                errors.append(str(error))

    started = time.monotonic()
    threads = [threading.Thread(target=log, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    print("logging", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    kept = [len(client.get_metric_history(run, f"metric {thread}")) for thread in range(THREADS)]
    rate = sum(acknowledged) / (time.monotonic() - started)
    print(json.dumps({"acknowledged": acknowledged, "kept": kept, "errors": errors, "rate": rate}))


if __name__ == "__main__":
    main()
