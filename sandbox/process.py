"""The daemon seen from the command line: started, asked, ended."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.settings import Settings

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
END_SECONDS = 20
# Below moto's own prefix, which no bucket can have.
OVERVIEW_PATH = "/moto-api/sandbox"


def running(settings: Settings) -> int | None:
    """Tell the daemon's process id, if it lives."""
    try:
        with settings.lock.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read().strip() or 0) or None
    except FileNotFoundError:
        pass
    return None


def overview(settings: Settings) -> dict[str, Any] | None:
    """Ask the API what there is; None where no sandbox of this inventory answers."""
    # No proxy stands between us and an address of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(settings.endpoint_url + OVERVIEW_PATH, timeout=10) as response:
            content: dict[str, Any] = json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return content if content.get("inventory") == str(settings.inventory) else None


def start(settings: Settings, environment: dict[str, str]) -> None:
    """Start the daemon, unless it runs, and wait until its API answers."""
    process = None
    if running(settings) is None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with settings.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.daemon", str(settings.inventory)],
                env={**os.environ, **environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
                cwd=settings.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if overview(settings) is not None:
            return
        if process and process.poll() is not None and running(settings) is None:
            raise SandboxError(f"The sandbox ended at its start. {settings.log} ends with:\n{_tail(settings.log)}")
        time.sleep(0.2)
    raise SandboxError(
        f"The sandbox runs, but nothing answers at {settings.endpoint_url}. "
        f"Run 'down' and 'up' again if the address has changed; otherwise read {settings.log}."
    )


def end(settings: Settings) -> None:
    """End the daemon, if it lives, and wait until it has gone."""
    pid = running(settings)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while running(settings) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += END_SECONDS
        time.sleep(0.1)


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
