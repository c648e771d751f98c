"""Artifacts in and out: megabytes per second, and what the server's memory grows by meanwhile.

By one request through the server, as MLflow's client sends them by default; and by the stock client in parts, straight
to and from S3. The limit of the first is nginx with TLS before the same S3, by presigned addresses; that of the second
what boto3, with a login for S3, moves in such parts. What arrives is checked.
"""

from __future__ import annotations

import http.client
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from boto3.s3.transfer import TransferConfig

from benchmarks import servers
from benchmarks.measure import observed
from benchmarks.report import DEPLOYED, TUTORIAL, spread
from benchmarks.servers import Server, Site

MEGABYTE = 2**20
# Sizes in MiB, and how often each is sent by one request; in parts once.
SIZES = {1: 10, 100: 3, 2048: 2}
# In MiB. Below the first the stock client isn't asked to send parts. What it sends in one isn't what the server's own
# client does, which tells them apart; what it fetches in one is its own choice.
SMALLEST_MULTIPART, PART_UP, PART_DOWN = 100, 10, 100
# In MiB. The tutorial's server fetches an artifact from S3 in parts of 8, and the S3 of this machine reads the whole
# object for each of them.
LARGEST_BY_TUTORIAL = 100
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


class Way(Protocol):
    """A way to the store, through a server or around it. Both directions return how many seconds they took."""

    @property
    def name(self) -> str:
        """What it is called in the results."""

    @property
    def server(self) -> Server | None:
        """Whose memory is watched."""

    def send(self, name: str, size: int) -> float:
        """Upload so many bytes; whatever goes wrong is an error."""

    def fetch(self, name: str, size: int) -> float:
        """Download them; a wrong byte is an error."""


@dataclass(frozen=True)
class OneRequest:
    """The whole in one request."""

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
        """Upload; any other status than 200 is an error."""
        began = time.monotonic()
        answer = self._ask("PUT", name, size)
        content = answer.read()
        if answer.status != 200:
            msg = f"{self.name}: an upload of {size} bytes was answered {answer.status}: {content[:300]!r}"
            raise RuntimeError(msg)
        return time.monotonic() - began

    def fetch(self, name: str, size: int) -> float:
        """Download; a wrong byte is an error."""
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


@dataclass(frozen=True)
class InParts:
    """In parts from and to files on the disk."""

    name: str
    move: Callable[[str, Path], float]
    server: Server | None = None

    def send(self, name: str, size: int) -> float:
        """Upload a file that is on the disk already."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, name)
            with file.open("wb") as content:
                source = Repeated(size)
                while block := source.read():
                    content.write(block)
            return self.move("up", file)

    def fetch(self, name: str, size: int) -> float:
        """Download to the disk; a wrong byte is an error."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, name)
            seconds = self.move("down", file)
            checksum = 0
            with file.open("rb") as content:
                while block := content.read(MEGABYTE):
                    checksum = zlib.crc32(block, checksum)
            if (file.stat().st_size, checksum) != (size, _checksum(size)):
                msg = f"{self.name}: a download of {size} bytes brought others"
                raise RuntimeError(msg)
        return seconds


def _by_stock_client(server: Server, run: str) -> Callable[[str, Path], float]:
    settings = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(SMALLEST_MULTIPART * MEGABYTE),
        "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": str(SMALLEST_MULTIPART * MEGABYTE),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(PART_UP * MEGABYTE),
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(PART_DOWN * MEGABYTE),
    }

    def move(direction: str, file: Path) -> float:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.stock_client", direction, run, file],
            env={**os.environ, **server.client_environment, **settings},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return float(done.stdout.split()[-1])

    return move


def _by_boto3(site: Site) -> Callable[[str, Path], float]:
    client = site.deployment.client("s3")
    up, down = (
        TransferConfig(multipart_threshold=SMALLEST_MULTIPART * MEGABYTE, multipart_chunksize=part * MEGABYTE)
        for part in (PART_UP, PART_DOWN)
    )

    def move(direction: str, file: Path) -> float:
        began = time.monotonic()
        if direction == "up":
            client.upload_file(str(file), site.bucket, f"benchmark/{file.name}", Config=up)
        else:
            client.download_file(site.bucket, f"benchmark/{file.name}", str(file), Config=down)
        return time.monotonic() - began

    return move


def _checksum(size: int) -> int:
    checksum, source = 0, Repeated(size)
    while content := source.read():
        checksum = zlib.crc32(content, checksum)
    return checksum


def measure(compared: list[Server], site: Site, deadline: float) -> dict[str, Any]:
    """Send and fetch each size by each way in turn."""
    found: dict[str, Any] = {}
    with servers.bare_nginx(site) as bare:
        ways: list[Way] = [way for server in compared for way in _through(server, site)]
        ways += _without(site, bare)
        for size, times in SIZES.items():
            taken = [way for way in ways if _can(way, size)]
            sent: dict[str, list[dict[str, float]]] = {way.name: [] for way in taken}
            for number in range(times):
                # What went before leaves this machine's memory in another state: nobody always comes first.
                for way in taken[:: -1 if number % 2 else 1]:
                    if time.monotonic() < deadline and not (number and isinstance(way, InParts)):
                        sent[way.name].append(_there_and_back(way, site, size * MEGABYTE))
            found[f"{size} MiB"] = {
                name: {key: spread([each[key] for each in several]).median for key in several[0]}
                for name, several in sent.items()
                if several
            }
    return found


def _can(way: Way, size: int) -> bool:
    if isinstance(way, InParts):
        return size >= SMALLEST_MULTIPART
    return way.name != TUTORIAL or size <= LARGEST_BY_TUTORIAL


def _there_and_back(way: Way, site: Site, size: int) -> dict[str, float]:
    name = secrets.token_hex(8)
    figures: dict[str, float] = {}
    try:
        for direction, move in (("up", way.send), ("down", way.fetch)):
            if way.server:
                with observed({}, way.server.memory, lambda: 0) as costs:
                    seconds = move(name, size)
                figures[f"memory_grown_{direction}"] = max(0, costs.memory_peak - costs.memory_before)
            else:
                seconds = move(name, size)
            figures[f"megabytes_per_second_{direction}"] = size / seconds / MEGABYTE
    finally:
        parts = _remove(site, name)
    if isinstance(way, InParts) and parts != -(-size // (PART_UP * MEGABYTE)):
        # Where parts don't work, the client sends the whole through the server and says nothing.
        msg = f"{way.name}: {size} bytes arrived in {parts} parts, which aren't the client's"
        raise RuntimeError(msg)
    return figures


def _through(server: Server, site: Site) -> list[Way]:
    """Return the ways by a server: into a run of an experiment of its user's."""
    experiment = servers.make_experiment(server, site, "artifacts")
    run = server.post("runs/create", {"experiment_id": experiment})["run"]["info"]
    folder = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    whole = OneRequest(
        server.name,
        lambda _method, name: f"{server.url}/api/2.0/mlflow-artifacts/artifacts/{folder}/{name}",
        server.authorization,
        server.ca_file,
        server,
    )
    # What the other would do is the client's and S3's work too.
    move = _by_stock_client(server, run["run_id"])
    parts = [InParts(f"{server.name}, multipart", move, server)] if server.name == DEPLOYED else []
    return [whole, *parts]


def _without(site: Site, bare: str) -> list[Way]:
    """Return the ways without MLflow: by nginx alone, and in parts straight to S3."""
    client = site.deployment.client("s3")

    def signed(method: str, name: str) -> str:
        action = {"PUT": "put_object", "GET": "get_object"}[method]
        return str(client.generate_presigned_url(action, Params={"Bucket": site.bucket, "Key": f"benchmark/{name}"}))

    return [
        OneRequest(
            "nginx", lambda method, name: signed(method, name).replace(site.endpoint, bare, 1), ca_file=site.ca_file
        ),
        InParts("s3, multipart", _by_boto3(site)),
    ]


def _remove(site: Site, name: str) -> int:
    """Delete an object for good: the store keeps versions, and this machine holds them. Return its number of parts."""
    client = site.deployment.client("s3")
    parts = 0
    # Not by a list of versions, for which the S3 of this machine copies what they hold.
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=site.bucket):
        for key in (one["Key"] for one in page.get("Contents", []) if one["Key"].endswith(name)):
            found = client.head_object(Bucket=site.bucket, Key=key)
            client.delete_object(Bucket=site.bucket, Key=key, VersionId=found["VersionId"])
            parts = int(found["ETag"].strip('"').partition("-")[2] or 1)
    return parts
