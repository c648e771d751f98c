"""What guesses cost those who are logged in: 95th percentile of a client's metrics under a flood of wrong passwords.

Run ``make sandbox`` first, then ``python -m benchmarks.guesses``. A client that the server knows logs 20 metrics a
second; minutes without and with a flood alternate. The flood is 10,000 wrong logins from the same address, half of them
with the client's own name. Its own load is on the same machine and is told, since it slows the client too.
"""

from __future__ import annotations

import argparse
import base64
import collections
import os
import secrets
import statistics
import threading
import time

from benchmarks.login import API, Server, sandbox, spread

CONNECTIONS = 8


def log(server: Server, run: str, rate: float, seconds: float) -> list[float]:
    """Log metrics at a steady rate, return each one's seconds from when it was due; anything but 200 is an error."""
    connection = server.connect()
    metric = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1}
    server.post(connection, "runs/log-metric", {**metric, "step": 0})
    taken, started = [], time.monotonic()
    for step in range(int(rate * seconds)):
        due = started + step / rate
        time.sleep(max(0.0, due - time.monotonic()))
        server.post(connection, "runs/log-metric", {**metric, "step": step})
        taken.append(time.monotonic() - due)
    connection.close()
    return taken


def guess(server: Server, name: str, rate: float, until: float, statuses: collections.Counter[int]) -> None:
    """Try wrong passwords at a steady rate."""
    connection = server.connect()
    started = time.monotonic()
    for number in range(10**9):
        due = started + number / rate
        if due > until:
            break
        time.sleep(max(0.0, due - time.monotonic()))
        who = name if number % 2 else f"nobody-{number}"
        login = base64.b64encode(f"{who}:{secrets.token_hex(8)}".encode()).decode()
        connection.request("GET", f"{API}/users/current", headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
    connection.close()


def p95(values: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return 1000 * statistics.quantiles(values, n=20)[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured (2)")
    parser.add_argument("--seconds", type=float, default=60, help="how long a round lasts (60)")
    parser.add_argument("--guesses", type=int, default=10_000, help="wrong logins in a minute (10000)")
    options = parser.parse_args()

    server, experiment = sandbox()
    run = server.post(server.connect(), "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
    assert server.login is not None
    quiet: list[float] = []
    flooded: list[float] = []
    statuses: collections.Counter[int] = collections.Counter()
    own = 0.0
    for _ in range(options.rounds):
        quiet.append(p95(log(server, run, 20, options.seconds)))
        until = time.monotonic() + options.seconds
        arguments = (server, server.login[0], options.guesses / 60 / CONNECTIONS, until, statuses)
        flood = [threading.Thread(target=guess, args=arguments) for _ in range(CONNECTIONS)]
        before = time.process_time()
        for thread in flood:
            thread.start()
        flooded.append(p95(log(server, run, 20, options.seconds)))
        for thread in flood:
            thread.join()
        own += time.process_time() - before
    minutes = options.rounds * options.seconds / 60
    print(f"guesses: {sum(statuses.values()) / minutes:.0f} a minute, answered {dict(sorted(statuses.items()))}")
    print(f"95th percentile without them: {spread(quiet, 1)} ms")
    print(f"95th percentile with them: {spread(flooded, 1)} ms")
    ratios = [one / other for one, other in zip(flooded, quiet, strict=True)]
    print(f"ratio: {spread(ratios, 2)} (the load's own share: {own / minutes / 60:.2f} of {os.cpu_count()} processors)")


if __name__ == "__main__":
    main()
