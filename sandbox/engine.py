"""The Docker engine: found, started where that is ours to do, or explained."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import ConnectionError as NoConnection

from sandbox.errors import SandboxError

DOCKERD_LOG = Path("/var/log/dockerd.log")
STARTUP_SECONDS = 30


def connect() -> docker.DockerClient:
    """Connect to the engine that answers, or raise DockerException."""
    return docker.from_env(timeout=120)


def ensure() -> docker.DockerClient:
    """Connect to the engine; start its daemon where no service manager does and we are root."""
    try:
        return connect()
    except DockerException as error:
        reason = str(error)
    if "Permission denied" in reason or "PermissionError" in reason:
        raise SandboxError(
            "Docker runs, but this user may not use it. Run 'sudo usermod -aG docker $USER', log in again, and repeat."
        )
    if sys.platform != "linux":
        raise SandboxError("Docker does not answer. The sandbox needs Linux with Docker Engine; start it and repeat.")
    dockerd = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if dockerd is None:
        raise SandboxError("Docker is not installed. Run 'make setup', or 'sudo apt-get install docker.io iptables'.")
    if os.environ.get("DOCKER_HOST"):
        raise SandboxError(f"No Docker answers at DOCKER_HOST={os.environ['DOCKER_HOST']}. Start it, or unset that.")
    if os.geteuid() != 0:
        raise SandboxError("Docker is installed but not running. Run 'sudo systemctl start docker' and repeat.")
    return _start(dockerd)


def _start(dockerd: str) -> docker.DockerClient:
    if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):
        print("[sandbox] starting docker.service …", flush=True)
        started = subprocess.run(["systemctl", "start", "docker"], check=False, capture_output=True, text=True)
        if started.returncode != 0:
            raise SandboxError(f"'systemctl start docker' failed: {started.stderr.strip()}")
        process = None
    else:
        print(f"[sandbox] starting {dockerd} (log: {DOCKERD_LOG}) …", flush=True)
        with DOCKERD_LOG.open("ab") as log:
            process = subprocess.Popen(
                [dockerd], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        try:
            return connect()
        except (DockerException, NoConnection):
            if process and process.poll() is not None:
                break
            time.sleep(0.5)
    raise SandboxError(f"Docker's daemon did not come up within {STARTUP_SECONDS} s. Read {DOCKERD_LOG}.")
