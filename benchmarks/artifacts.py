"""Artifacts in and out: megabytes per second, and what the server's memory grows by meanwhile.

As MLflow's client sends them by default: one request through the server. The limit is nginx with TLS before the same
S3, and S3 itself, both by presigned addresses. What arrives is checked.
"""

from __future__ import annotations

import http.client
import os
import secrets
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks import servers
from benchmarks.measure import observed
from benchmarks.report import spread
from benchmarks.servers import Server, Site

MEGABYTE = 2**20
# Sizes in MiB, and how often each is sent.
SIZES = {1: 10, 100: 3, 2048: 1}
BLOCK = os.urandom(MEGABYTE)


@dataclass
class Repeated:
    """So many bytes, made as they are read."""

    left: int

    def read(self, size: int = -1) -> bytes:
        """Return the next of them."""
        taken = min(self.left, MEGABYTE) if size < 0 else min(self.left, size, MEGABYTE)
        self.left -= taken
        return BLOCK[:taken]


@dataclass(frozen=True)
class Path:
    """A way to the store: where an object of a name is sent and fetched."""

    name: str
    address: Callable[[str, str], str]
    authorization: str | None = None
    ca_file: str | None = None
    server: Server | None = None

    def _ask(self, method: str, name: str, size: int) -> http.client.HTTPResponse:
        parts = urlsplit(self.address(method, name))
        host, port = parts.hostname or "", parts.port
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                host, port, context=ssl.create_default_context(cafile=self.ca_file), timeout=600, blocksize=MEGABYTE
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=600, blocksize=MEGABYTE)
        )
        headers = {"Authorization": self.authorization} if self.authorization else {}
        body = None
        if method == "PUT":
            body, headers["Content-Length"] = Repeated(size), str(size)
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        return connection.getresponse()

    def send(self, name: str, size: int) -> float:
        """Return how many seconds an upload took."""
        began = time.monotonic()
        answer = self._ask("PUT", name, size)
        content = answer.read()
        if answer.status != 200:
            msg = f"{self.name}: an upload of {size} bytes was answered {answer.status}: {content[:300]!r}"
            raise RuntimeError(msg)
        return time.monotonic() - began

    def fetch(self, name: str, size: int) -> float:
        """Return how many seconds a download took; a wrong byte is an error."""
        began = time.monotonic()
        answer = self._ask("GET", name, size)
        checksum, received = 0, 0
        while content := answer.read(MEGABYTE):
            checksum, received = zlib.crc32(content, checksum), received + len(content)
        seconds = time.monotonic() - began
        if (answer.status, received, checksum) != (200, size, _checksum(size)):
            msg = f"{self.name}: a download of {size} bytes was answered {answer.status} with {received} other bytes"
            raise RuntimeError(msg)
        return seconds


def _checksum(size: int) -> int:
    checksum, source = 0, Repeated(size)
    while content := source.read():
        checksum = zlib.crc32(content, checksum)
    return checksum


def measure(compared: list[Server], site: Site, deadline: float) -> dict[str, Any]:
    """Send and fetch each size by each way in turn."""
    found: dict[str, Any] = {}
    with servers.bare_nginx(site) as bare:
        ways = [*(_through(server) for server in compared), *_without(site, bare)]
        for size, times in SIZES.items():
            sent: dict[str, list[dict[str, float]]] = {way.name: [] for way in ways}
            for _ in range(times):
                for way in ways:
                    if time.monotonic() < deadline:
                        sent[way.name].append(_there_and_back(way, site, size * MEGABYTE))
            found[f"{size} MiB"] = {
                name: {key: spread([each[key] for each in several]).median for key in several[0]}
                for name, several in sent.items()
                if several
            }
    return found


def _there_and_back(way: Path, site: Site, size: int) -> dict[str, float]:
    name = secrets.token_hex(8)
    figures: dict[str, float] = {}
    for direction, move in (("up", way.send), ("down", way.fetch)):
        if way.server:
            with observed({}, way.server.memory, lambda: 0) as costs:
                seconds = move(name, size)
            figures[f"memory_grown_{direction}"] = max(0, costs.memory_peak - costs.memory_before)
        else:
            seconds = move(name, size)
        figures[f"megabytes_per_second_{direction}"] = size / seconds / MEGABYTE
    _remove(site, name)
    return figures


def _through(server: Server) -> Path:
    """Return the way through a server: into a run of an experiment of its user's."""
    experiment = server.post("experiments/create", {"name": f"artifacts-{secrets.token_hex(4)}"})["experiment_id"]
    run = server.post("runs/create", {"experiment_id": experiment})["run"]["info"]
    folder = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    return Path(
        server.name,
        lambda _method, name: f"{server.url}/api/2.0/mlflow-artifacts/artifacts/{folder}/{name}",
        server.authorization,
        server.ca_file,
        server,
    )


def _without(site: Site, bare: str) -> list[Path]:
    """Return the ways without MLflow: by nginx alone, and straight to S3."""
    client = site.deployment.client("s3")

    def signed(method: str, name: str) -> str:
        action = {"PUT": "put_object", "GET": "get_object"}[method]
        return str(client.generate_presigned_url(action, Params={"Bucket": site.bucket, "Key": f"benchmark/{name}"}))

    return [
        Path("nginx", lambda method, name: signed(method, name).replace(site.endpoint, bare, 1), ca_file=site.ca_file),
        Path("s3", signed),
    ]


def _remove(site: Site, name: str) -> None:
    """Delete an object for good: the store keeps versions, and this machine holds them."""
    client = site.deployment.client("s3")
    listed = client.list_object_versions(Bucket=site.bucket)
    for version in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
        if version["Key"].endswith(name):
            client.delete_object(Bucket=site.bucket, Key=version["Key"], VersionId=version["VersionId"])
