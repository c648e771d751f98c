"""The load generator: asynchronous clients in a process of their own, whose own cost is part of what it reports.

``python -m benchmarks.load`` reads a ``Task`` as JSON, puts the load on, and prints a ``Result`` as JSON. A client
behaves as MLflow's: it keeps its connection, and waits after a refusal for as long as the answer says.

Closed loop: each client sends its next request when the one before is answered. Open loop: requests are due at a fixed
rate, whatever becomes of those before, and each is timed from when it was due. Either way no request starts after the
last second; those on their way then have until their patience ends, and what is still unanswered counts as an error.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import resource
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.scenarios import API, SCENARIOS, Scenario

TICK_SECONDS = 0.02
# How many connections are opened at a time before the clock starts.
OPENING = 100
# So many of them with a login, at the same time so that every worker sees it: each hashes a password once a minute, for
# 0.1 s, and whether a short round has that minute's beginning is luck.
WARMING, WARM_PATH = 16, f"{API}/experiments/search?max_results=1"
# What MLflow's client tries again, and how long it waits at least where the answer doesn't say.
REFUSALS = frozenset({408, 429, 500, 502, 503, 504})
PAUSE_SECONDS = 1.0
UNANSWERED = "unanswered"
# The line that a generator prints when its clock starts.
STARTED = "started"


@dataclass(frozen=True)
class Task:
    """What to put on a server."""

    scenario: str
    url: str
    subjects: list[str]
    clients: int
    seconds: float
    # Numbers of requests begin here, so that no write of a task equals one of another.
    first: int
    # Requests per second of an open loop; none for a closed one.
    rate: float | None = None
    patience: float = 30.0
    authorization: str | None = None
    ca_file: str | None = None


@dataclass
class Result:
    """What came of it."""

    # Seconds that each right answer took.
    latencies: list[float] = field(default_factory=list)
    # Subject and number of each request that was rightly answered.
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    # How many requests failed, by status or by the error's name.
    errors: dict[str, int] = field(default_factory=dict)
    # The longest that any client waited, also for a failure.
    longest: float = 0.0
    # From the first request's start to the last right answer.
    seconds: float = 0.0
    # The generator's own processor time as a share of one processor, and the worst that 1 % of its ticks came late.
    processor_share: float = 0.0
    lag: float = 0.0


def basic(user: str, password: str) -> str:
    """Return the header's value of a login."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def due(rate: float, seconds: float) -> list[float]:
    """Return when the requests of an open loop are due, in seconds from its start."""
    return [number / rate for number in range(round(rate * seconds))]


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that so large a share of all doesn't exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(share * len(ordered) * 1000) // 1000) - 1)] if ordered else 0.0


def put_on(
    task: Task,
    module: str = "benchmarks.load",
    environment: dict[str, str] | None = None,
    started: Callable[[], None] = lambda: None,
) -> Result:
    """Run a task in a process of its own, with something more in its environment; say when its clock starts."""
    command = [sys.executable, "-m", module]
    variables = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        json.dump(dataclasses.asdict(task), process.stdin)
        process.stdin.close()
        last = ""
        # MLflow's client prints lines of its own between.
        for line in process.stdout:
            if line == STARTED + "\n":
                started()
            last = line
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    found = json.loads(last)
    found["acknowledged"] = [(subject, number) for subject, number in found["acknowledged"]]
    return Result(**found)


class Load:
    """One task while it runs."""

    def __init__(self, task: Task, scenario: Scenario) -> None:
        self.task = task
        self.scenario = scenario
        self.result = Result()
        self.errors: Counter[str] = Counter()
        self.headers = {"Authorization": task.authorization} if task.authorization else {}
        self.trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=task.ca_file) if task.ca_file else True
        self.started = 0.0

    async def run(self) -> Result:
        """Open the connections, start the clock, put the load on."""
        lags: list[float] = []
        pacing = self.open_loop if self.task.rate else self.closed_loop
        ticking = asyncio.create_task(self._tick(lags))
        busy, began = await pacing()
        self.result.processor_share = (time.process_time() - busy) / (asyncio.get_running_loop().time() - began)
        ticking.cancel()
        # Only what the clock saw: opening connections is no part of it.
        self.result.lag = percentile(lags, 0.99)
        self.result.errors = dict(self.errors)
        return self.result

    async def closed_loop(self) -> tuple[float, float]:
        """Let each client send one request after the other."""
        clock = asyncio.get_running_loop().time
        gate, opening = asyncio.Event(), asyncio.Semaphore(OPENING)
        ready = asyncio.Semaphore(0)

        async def client(index: int) -> None:
            owned = self.task.subjects[index :: self.task.clients] or self.task.subjects
            async with self._session(1) as session:
                async with opening:
                    await self._open(session, warm=index < WARMING)
                ready.release()
                await gate.wait()
                turn = 0
                while clock() < self.started + self.task.seconds:
                    subject = owned[turn // self.scenario.turns_each % len(owned)]
                    pause = await self._send(
                        session, subject, self.task.first + index + turn * self.task.clients, clock()
                    )
                    turn += 1
                    if pause:
                        await asyncio.sleep(min(pause, max(0.0, self.started + self.task.seconds - clock())))

        clients = [asyncio.create_task(client(index)) for index in range(self.task.clients)]
        for _ in clients:
            await ready.acquire()
        begun = self._start()
        gate.set()
        await asyncio.gather(*clients)
        return begun

    async def open_loop(self) -> tuple[float, float]:
        """Send each request when it is due, on whichever connection is free."""
        clock = asyncio.get_running_loop().time
        assert self.task.rate
        async with self._session(self.task.clients) as session:
            await asyncio.gather(*(self._open(session, warm=True) for _ in range(min(self.task.clients, WARMING))))
            begun = self._start()
            sent: list[Awaitable[float]] = []
            for number, moment in enumerate(due(self.task.rate, self.task.seconds)):
                await asyncio.sleep(max(0.0, self.started + moment - clock()))
                subject = self.task.subjects[number % len(self.task.subjects)]
                sent.append(
                    asyncio.create_task(self._send(session, subject, self.task.first + number, self.started + moment))
                )
            await asyncio.gather(*sent)
        return begun

    def _start(self) -> tuple[float, float]:
        print(STARTED, flush=True)
        self.started = asyncio.get_running_loop().time()
        return time.process_time(), self.started

    async def _send(self, session: aiohttp.ClientSession, subject: str, number: int, since: float) -> float:
        """Send one request and note its outcome; return how long the client must wait before its next."""
        clock = asyncio.get_running_loop().time
        method, path, body = self.scenario.request(subject, number)
        pause = 0.0
        error = ""
        try:
            async with session.request(method, self.task.url + path, json=body, headers=self.headers) as answer:
                content = await answer.read()
                if answer.status != 200:
                    error = str(answer.status)
                elif not self.scenario.right(subject, number, content):
                    error = "wrong answer"
                if answer.status in REFUSALS:
                    pause = _seconds(answer.headers.get("Retry-After"))
        except TimeoutError:
            error = UNANSWERED
        except (aiohttp.ClientError, OSError) as problem:
            error, pause = type(problem).__name__, PAUSE_SECONDS
        ended = clock()
        self.result.longest = max(self.result.longest, ended - since)
        if error:
            self.errors[error] += 1
        else:
            self.result.latencies.append(round(ended - since, 5))
            self.result.acknowledged.append((subject, number))
            self.result.seconds = max(self.result.seconds, ended - self.started)
        return pause

    async def _open(self, session: aiohttp.ClientSession, *, warm: bool) -> None:
        """Make the session's connection before the clock starts; a server that is late here is late in its figures."""
        try:
            path, headers = (WARM_PATH, self.headers) if warm else ("/health", {})
            async with session.get(self.task.url + path, headers=headers) as answer:
                await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self.errors["connection not opened"] += 1

    def _session(self, connections: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=self.trust, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=self.task.patience),
            # No proxy of the environment stands between us and this machine.
            trust_env=False,
        )

    async def _tick(self, lags: list[float]) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            await asyncio.sleep(TICK_SECONDS)
            if self.started:
                lags.append(clock() - began - TICK_SECONDS)


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else PAUSE_SECONDS


def generate(given: dict[str, Any]) -> Result:
    """Run a task in this process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    task = Task(**given)
    make: Callable[[], Awaitable[Result]] = Load(task, SCENARIOS[task.scenario]).run
    return asyncio.run(_awaited(make))


async def _awaited(make: Callable[[], Awaitable[Result]]) -> Result:
    return await make()


if __name__ == "__main__":
    json.dump(dataclasses.asdict(generate(json.load(sys.stdin))), sys.stdout)
