"""The checks that drive a tracking server as a client would, and the removal of all that they made."""

from __future__ import annotations

import enum
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from ansible_collections.mlops.mlflow.plugins.module_utils.http_client import Deadline, Peer, TrackingError
from ansible_collections.mlops.mlflow.plugins.module_utils.tracking_api import Run, TrackingApi, proxied_path

T = TypeVar("T")

# Of the deadline, this part is kept for the cleanup, but no more than so many seconds.
CLEANUP_SHARE = 0.25
CLEANUP_SECONDS = 15.0
METRIC, PARAM, ARTIFACT = "health_metric", "health_param", "health.bin"
PAUSE_BETWEEN_LOOKS = 0.5


class Level(enum.IntEnum):
    """How far the checks go; each level holds those before it."""

    PING = 0
    READ = 1
    WRITE = 2
    ARTIFACT = 3

    @classmethod
    def parse(cls, name: str) -> Level:
        """Return the level of that name."""
        return cls[name.upper()]

    def __str__(self) -> str:
        """Return its name as the user writes it."""
        return self.name.lower()


@dataclass(frozen=True)
class Check:
    """One check's outcome."""

    name: str
    level: str
    passed: bool
    reached: bool
    reason: str
    duration_ms: int


@dataclass
class Latency:
    """Milliseconds that single requests took, without the time to connect; None for those not answered."""

    connect: int | None = None
    ping: int | None = None
    api: int | None = None
    write: int | None = None
    artifact_put: int | None = None
    artifact_get: int | None = None


@dataclass
class Report:
    """What was found."""

    url: str
    level: Level
    checks: list[Check] = field(default_factory=list)
    server_version: str | None = None
    certificate_days_left: int | None = None
    tls_protocol: str | None = None
    latency_ms: Latency = field(default_factory=Latency)
    experiment: str | None = None
    advice: str = ""

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def message(self) -> str:
        """Say it in a sentence or two: what failed and why, what couldn't be tried, what to do."""
        failed = [check for check in self.checks if not check.passed]
        if not failed:
            return f"{self.url} passed all {len(self.checks)} checks at level {self.level}."
        reached = ", ".join(f"{check.name} ({check.reason})" for check in failed if check.reached)
        sentences = [f"{self.url} failed {len(failed)} of {len(self.checks)} checks: {reached or 'none was reached'}."]
        unreached: dict[str, list[str]] = {}
        for check in failed:
            if not check.reached:
                unreached.setdefault(check.level, []).append(check.name)
        if unreached:
            groups = ", ".join(f"{level} ({', '.join(names)})" for level, names in unreached.items())
            sentences.append(f"Not reached: {groups}.")
        return " ".join([*sentences, self.advice]).rstrip()

    def facts(self) -> dict[str, Any]:
        """Give everything as JSON knows it."""
        return {
            "url": self.url,
            "level": str(self.level),
            "healthy": self.healthy,
            "server_version": self.server_version,
            "certificate_days_left": self.certificate_days_left,
            "tls_protocol": self.tls_protocol,
            "latency_ms": asdict(self.latency_ms),
            "experiment": self.experiment,
            "checks": [asdict(check) for check in self.checks],
        }


@dataclass(frozen=True)
class _Step:
    name: str
    level: Level
    needs: str | None
    perform: Callable[[], str]


class HealthCheck:
    """One pass over a tracking server."""

    def __init__(self, api: TrackingApi, level: Level, deadline: Deadline, *, payload: bytes, name: str) -> None:
        """Check up to this level before the deadline, with this artifact, in an experiment of this name."""
        self._api = api
        self._level = level
        self._deadline = deadline
        self._work = deadline
        self._payload = payload
        self._name = name
        self._report = Report(str(api.client.endpoint), level)
        # What the cleanup has to look for.
        self._experiment_tried = False
        self._experiment_unanswered = False
        self._experiment_id: str | None = None
        self._run: Run | None = None
        self._folder: str | None = None
        self._artifact_tried = False

    def run(self) -> Report:
        """Perform the checks in their order; remove what they made, whatever happens meanwhile."""
        steps = [step for step in self._steps() if step.level <= self._level]
        if self._level < Level.WRITE:
            for step in steps:
                self._perform(step)
            return self._report
        seconds = self._deadline.remaining()
        self._work = self._deadline.within(seconds - min(seconds * CLEANUP_SHARE, CLEANUP_SECONDS))
        try:
            for step in steps:
                self._perform(step)
        finally:
            self._work = self._deadline
            self._perform(_Step("cleanup", Level.WRITE, None, self._cleanup))
        return self._report

    def _steps(self) -> list[_Step]:
        """List each check with the one without which it makes no sense."""
        return [
            _Step("tls", Level.PING, None, self._tls),
            _Step("ping", Level.PING, "tls", self._ping),
            _Step("api", Level.READ, "ping", self._api_answers),
            _Step("experiment_create", Level.WRITE, "api", self._experiment_create),
            _Step("run_create", Level.WRITE, "experiment_create", self._run_create),
            _Step("metric_logged", Level.WRITE, "run_create", self._metric_logged),
            _Step("param_logged", Level.WRITE, "run_create", self._param_logged),
            _Step("artifact_put", Level.ARTIFACT, "run_create", self._artifact_put),
            _Step("artifact_list", Level.ARTIFACT, "artifact_put", self._artifact_list),
            _Step("artifact_get", Level.ARTIFACT, "artifact_put", self._artifact_get),
            _Step("artifact_delete", Level.ARTIFACT, "artifact_put", self._artifact_delete),
        ]

    def _perform(self, step: _Step) -> None:
        started = time.monotonic()
        blocker = next((check for check in self._report.checks if check.name == step.needs and not check.passed), None)
        passed, reached = False, True
        if blocker is not None:
            reached = False
            reason = f"not reached: {blocker.name} failed" if blocker.reached else blocker.reason
        elif step.name != "cleanup" and self._work.remaining() <= 0:
            reached = False
            reason = "not reached: the deadline left no time"
            self._report.advice = self._report.advice or "Give a longer deadline, or find out what is slow."
        else:
            try:
                reason = step.perform()
                passed = True
            except TrackingError as error:
                reason = error.reason
                self._report.advice = self._report.advice or advice(step.name, error.status)
        duration = round((time.monotonic() - started) * 1000)
        self._report.checks.append(Check(step.name, str(step.level), passed, reached, reason, duration))

    def _tls(self) -> str:
        peer: Peer = self._api.client.connect(self._work)
        self._report.latency_ms.connect = peer.connect_ms
        self._report.tls_protocol = peer.protocol
        self._report.certificate_days_left = peer.certificate_days_left
        if peer.protocol is None:
            return "not applicable: plain HTTP, which stays on this machine"
        return f"{peer.protocol}, certificate verified, {peer.certificate_days_left} days left"

    def _ping(self) -> str:
        self._report.latency_ms.ping = self._api.health(self._work).elapsed_ms
        self._report.server_version = self._api.version(self._work)
        return f"MLflow {self._report.server_version or 'answers, its version only after a login'}"

    def _api_answers(self) -> str:
        self._report.latency_ms.api = self._api.search_experiments(self._work).elapsed_ms
        return "experiments searched"

    def _experiment_create(self) -> str:
        self._report.experiment = self._name
        self._experiment_tried = True
        try:
            self._experiment_id = self._api.create_experiment(self._name, self._work)
        except TrackingError as error:
            self._experiment_unanswered = error.carried_out is None
            raise
        return f"experiment {self._name} has id {self._experiment_id}"

    def _run_create(self) -> str:
        self._run = self._api.create_run(_made(self._experiment_id), self._name, self._work)
        return f"run {self._run.id}"

    def _metric_logged(self) -> str:
        run = _made(self._run)
        sent = random.random()
        self._report.latency_ms.write = self._api.log_metric(run.id, METRIC, sent, self._work).elapsed_ms
        return _same("metric", sent, self._api.run_data(run.id, self._work).metrics.get(METRIC))

    def _param_logged(self) -> str:
        run = _made(self._run)
        self._api.log_param(run.id, PARAM, self._name, self._work)
        return _same("param", self._name, self._api.run_data(run.id, self._work).params.get(PARAM))

    def _artifact_put(self) -> str:
        self._folder = proxied_path(_made(self._run).artifact_uri, self._api.client.endpoint)
        self._artifact_tried = True
        answer = self._api.put_artifact(self._artifact_path(), self._payload, self._work)
        self._report.latency_ms.artifact_put = answer.elapsed_ms
        return f"{len(self._payload)} bytes sent to {self._artifact_path()}"

    def _artifact_list(self) -> str:
        listed = self._api.list_artifacts(_made(self._folder), self._work)
        if ARTIFACT not in listed:
            raise TrackingError(f"{self._artifact_path()} was put but isn't listed")
        return _same("size", len(self._payload), listed[ARTIFACT])

    def _artifact_get(self) -> str:
        answer = self._api.get_artifact(self._artifact_path(), self._work)
        self._report.latency_ms.artifact_get = answer.elapsed_ms
        difference = first_difference(self._payload, answer.body)
        if difference is not None:
            raise TrackingError(
                f"{self._artifact_path()} came back altered: {len(self._payload)} bytes were put, "
                f"{len(answer.body)} came back, they differ from byte {difference} on"
            )
        return f"{len(answer.body)} bytes came back, byte for byte"

    def _artifact_delete(self) -> str:
        self._api.delete_artifacts(self._artifact_path(), self._work)
        if ARTIFACT in self._api.list_artifacts(_made(self._folder), self._work):
            raise TrackingError(f"{self._artifact_path()} is still listed after its deletion")
        return "deleted, no longer listed"

    def _artifact_path(self) -> str:
        return f"{_made(self._folder)}/{ARTIFACT}"

    def _cleanup(self) -> str:
        """Try every removal, each within a share of the time, even if those before it failed."""
        if not self._experiment_tried:
            return "nothing was made"
        problems: list[str] = []

        def attempt(share: float, what: str, action: Callable[[Deadline], None]) -> None:
            try:
                action(self._deadline.within(self._deadline.remaining() * share))
            except TrackingError as error:
                problems.append(f"{what}: {error.reason}")

        if self._experiment_id is None:
            attempt(0.6, f"looking for experiment {self._name}", self._find_lost_experiment)
        if self._artifact_tried:
            attempt(0.4, f"deleting artifact {self._artifact_path()}", self._remove_artifacts)
        run, experiment_id = self._run, self._experiment_id
        if run is not None:
            attempt(0.4, f"deleting run {run.id}", lambda limit: self._api.delete_run(run.id, limit))
        if experiment_id is not None:
            attempt(0.5, f"deleting experiment {self._name} (id {experiment_id})", self._remove_experiment)
        if problems:
            raise TrackingError("; ".join(problems))
        return "nothing is left" if experiment_id else "nothing was made"

    def _find_lost_experiment(self, limit: Deadline) -> None:
        """Look up by its name what has no known id, because the server didn't answer its creation.

        Such a server may still be busy creating it, so one look doesn't do.
        """
        while True:
            found = self._api.find_experiment(self._name, limit)
            if found is not None:
                self._experiment_id = found.id
                return
            if not self._experiment_unanswered:
                return
            if limit.remaining() <= PAUSE_BETWEEN_LOOKS:
                raise TrackingError(
                    "its creation got no answer; it isn't there now but may still appear, then delete it"
                )
            time.sleep(PAUSE_BETWEEN_LOOKS)

    def _remove_artifacts(self, limit: Deadline) -> None:
        """Delete the run's folder; then the experiment's too, should it be left as an empty directory.

        The run's id is unique everywhere. The experiment's is so for one database only, and another server may keep
        its artifacts in the same place: so that folder is deleted when it is empty, never otherwise.
        """
        run, segments = _made(self._run), _made(self._folder).split("/")
        if run.id not in segments:
            self._api.delete_artifacts(self._artifact_path(), limit)
            return
        position = segments.index(run.id)
        folder = "/".join(segments[: position + 1])
        self._api.delete_artifacts(folder, limit)
        left = self._api.list_artifacts(folder, limit)
        if left:
            raise TrackingError(f"{', '.join(sorted(left))} is still listed in {folder}")
        if position and segments[position - 1] == run.experiment_id:
            parent = "/".join(segments[:position])
            if not self._api.list_artifacts(parent, limit):
                self._api.delete_artifacts(parent, limit)

    def _remove_experiment(self, limit: Deadline) -> None:
        self._api.delete_experiment(_made(self._experiment_id), limit)
        found = self._api.find_experiment(self._name, limit)
        if found is not None and not found.deleted:
            raise TrackingError("it is still there after its deletion")


def _made(value: T | None) -> T:
    """Return what an earlier check made: no check is performed unless the one that it needs passed."""
    if value is None:
        raise RuntimeError("a check was performed without the one that it needs")
    return value


def first_difference(left: bytes, right: bytes) -> int | None:
    """Return the first position at which the two differ, None when they are equal."""
    if left == right:
        return None
    pairs = zip(left, right, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def advice(check: str, status: int | None) -> str:
    """Say where to look when this check is the first to fail."""
    if status == 401:
        return "Give a valid username and password."
    if status == 403:
        return "Check that the user may do this, and that the server's allowed hosts include the name in url."
    if check == "tls":
        return (
            "Check the address, that the server's port is open to this host, "
            "and that ca_file holds the certificate's CA (or the certificate itself where it is self-signed)."
        )
    if check == "ping":
        return "Check that url is MLflow's address, and look at the journals of nginx and of mlflow on its host."
    if check.startswith("artifact_"):
        if status == 413:
            return "Raise the limit for request bodies of the proxy before the server."
        return "Look at the artifact store, the host's permissions on it, and mlflow's journal on the host."
    if check == "cleanup":
        return "Delete by hand what is named here."
    return "Look at the backend store, its connections and free space, and at mlflow's journal on the host."


def _same(what: str, sent: object, found: object) -> str:
    if found != sent:
        raise TrackingError(f"{what} {sent!r} was read back as {found!r}")
    return f"{what} {sent!r} read back"
