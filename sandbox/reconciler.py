"""The loop that gives the API's instances and databases bodies."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from docker.errors import DockerException
from requests.exceptions import RequestException

from sandbox.bodies import Body, Database, Desired, Phase
from sandbox.containers import Containers
from sandbox.errors import SandboxError
from sandbox.moto_state import MotoState
from sandbox.plan import Action, Verb, plan

log = logging.getLogger("sandbox")

INTERVAL_SECONDS = 1.0
FAILURES = (SandboxError, DockerException, RequestException, OSError)


class Reconciler:
    """Plans each second, and applies what the plan says."""

    def __init__(self, state: MotoState, containers: Containers) -> None:
        self._state = state
        self._containers = containers
        # Shutting down takes long, building an image longer: nothing else should wait for it.
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="body")
        self._busy: dict[str, Future[None]] = {}
        self._complaints: dict[str, str] = {}

    def run(self, ended: Event) -> None:
        """Repeat until told to end."""
        while not ended.wait(INTERVAL_SECONDS):
            self._guarded("the sandbox", self.step)

    def step(self) -> None:
        """Look, plan, apply."""
        desired = self._state.desired()
        actual = self._containers.actual(desired.bodies)
        self._busy = {name: future for name, future in self._busy.items() if not future.done()}
        for action in plan(desired, actual):
            if action.target not in self._busy:
                self._apply(action, desired)

    def _apply(self, action: Action, desired: Desired) -> None:
        body = desired.bodies.get(action.target)
        match action.verb:
            case Verb.CREATE_NETWORK:
                network = desired.networks[action.target]
                create = functools.partial(self._containers.create_network, network)
                self._guarded(network.id, create, f"create network {network.cidr} of {network.id}")
            case Verb.REMOVE_NETWORK:
                remove = functools.partial(self._containers.remove_network, action.target)
                self._guarded(action.target, remove, f"remove network of {action.target}")
            case Verb.REMOVE:
                self._submit(action, lambda: self._containers.remove(action.target), action.target)
            case _:
                assert body is not None
                self._submit(action, lambda: self._follow(action.verb, body), _describe(body))

    def _follow(self, verb: Verb, body: Body) -> None:
        match verb:
            case Verb.CREATE:
                self._containers.create(body)
            case Verb.START:
                self._containers.start(body)
            case Verb.STOP:
                self._containers.stop(body)
            case Verb.RESTART:
                self._containers.restart(body)
                self._state.report(body, Phase.STARTING if isinstance(body, Database) else Phase.RUNNING)
            case Verb.CONFIGURE:
                assert isinstance(body, Database)
                self._containers.configure(body)
                self._state.report(body, Phase.RUNNING)
            case Verb.REPORT_RUNNING:
                self._state.report(body, Phase.RUNNING)
            case Verb.REPORT_STOPPED:
                self._state.report(body, Phase.STOPPED)

    def _submit(self, action: Action, work: Callable[[], None], what: str) -> None:
        text = f"{action.verb.value} {what}"
        self._busy[action.target] = self._pool.submit(self._guarded, action.target, work, text)

    def _guarded(self, target: str, work: Callable[[], None], text: str = "") -> None:
        """Work, and log: what was done once, and what cannot be done once per reason, not once per second."""
        started = time.monotonic()
        try:
            work()
        except FAILURES as error:
            complaint = f"cannot {text or 'look after ' + target}: {error}"
            if self._complaints.get(target) != complaint:
                self._complaints[target] = complaint
                log.warning(complaint)
        else:
            self._complaints.pop(target, None)
            if text:
                log.info("%s (%.1f s)", text, time.monotonic() - started)


def _describe(body: Body) -> str:
    kind = "database" if isinstance(body, Database) else "host"
    return f"{kind} {body.name} ({body.id}, {body.address})"
