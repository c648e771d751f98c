"""The user interface in a browser: what the first visit fetches, and what the second still does."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks.report import spread
from benchmarks.servers import Server

ASSETS = "/static-files/"
VISITS = ("first", "second")
# A page has all that it wants when nothing more came of the server for so long; some of it asks again and again.
QUIET_SECONDS, PATIENCE_SECONDS = 2.0, 60.0
TRIES, DISTURBED = 5, "ERR_NETWORK_CHANGED"


def measure(servers: list[Server], rounds: int) -> dict[str, Any]:
    """Visit each server's start page twice, with a new browser in each round; medians of the rounds."""
    seen: dict[str, list[dict[str, dict[str, float]]]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            seen[server.name].append(_undisturbed(server))
    return {
        name: {
            visit: {key: spread([each[visit][key] for each in several]).median for key in several[0][visit]}
            for visit in VISITS
        }
        for name, several in seen.items()
    }


def _undisturbed(server: Server) -> dict[str, dict[str, float]]:
    """Visit once more when Chromium dropped everything, as it does when an address appears on the machine."""
    for _ in range(TRIES - 1):
        try:
            return visits(server)
        except BrowserError as problem:
            if DISTURBED not in str(problem):
                raise
    return visits(server)


def visits(server: Server) -> dict[str, dict[str, float]]:
    """Visit a server's start page twice with a new browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    options = ["--no-sandbox"]
    if server.ca_file:
        # Trusted by their keys: what comes with a certificate that is only let pass, a browser doesn't keep.
        options.append(f"--ignore-certificate-errors-spki-list={','.join(keys(Path(server.ca_file)))}")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as tools:
        context = tools.chromium.launch_persistent_context(
            profile,
            executable_path=browser,
            args=options,
            # Playwright's own way to log in takes the cache away.
            extra_http_headers={"Authorization": server.authorization} if server.authorization else {},
        )
        found = {visit: _visit(context, server.url) for visit in VISITS}
        context.close()
    return found


def _visit(context: BrowserContext, url: str) -> dict[str, float]:
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    paths: dict[str, str] = {}
    kept: set[str] = set()
    sizes: dict[str, float] = {}

    last = time.monotonic()

    def answered(event: Any) -> None:
        nonlocal last
        if event["response"]["url"].startswith(url):
            last = time.monotonic()
        paths[event["requestId"]] = event["response"]["url"]
        if event["response"].get("fromDiskCache"):
            kept.add(event["requestId"])

    session.on("Network.responseReceived", answered)
    dropped: list[str] = []
    session.on("Network.loadingFailed", lambda event: dropped.append(event["errorText"]))
    session.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    began = time.monotonic()
    page.goto(url)
    page.get_by_text("Experiments").first.wait_for(timeout=120_000)
    shown = time.monotonic() - began
    while time.monotonic() - last < QUIET_SECONDS and time.monotonic() - began < PATIENCE_SECONDS:
        page.wait_for_timeout(100)
    if any(DISTURBED in text for text in dropped):
        raise BrowserError(DISTURBED)
    fetched = [request for request, path in paths.items() if path.startswith(url) and request not in kept]
    assets = [request for request in fetched if ASSETS in paths[request]]
    page.close()
    return {
        "requests": len(fetched),
        "bytes": sum(sizes.get(request, 0) for request in fetched),
        "assets": len(assets),
        "asset_bytes": sum(sizes.get(request, 0) for request in assets),
        "seconds_until_shown": shown,
    }


def keys(file: Path) -> list[str]:
    """Return the hashes of the public keys in a file of certificates, as Chromium takes them."""
    found = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", file.read_bytes(), re.DOTALL)
    return [
        base64.b64encode(
            hashlib.sha256(
                x509.load_pem_x509_certificate(each)
                .public_key()
                .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ).digest()
        ).decode()
        for each in found
    ]
