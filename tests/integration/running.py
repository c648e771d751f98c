"""MLflow itself, with SQLite and a local artifact folder, on a free loopback port; open, or asking for logins."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.mlops.mlflow.plugins.modules import mlflow_health
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import run

PROGRAM = Path(__file__).parents[2] / "roles/mlflow_server/files/app/tracking_server.py"
# Who comes with the server.
ADMIN = ("admin", "the-admins-passphrase")


@contextmanager
def serving(
    folder: Path,
    *options: str,
    program: Sequence[str] = ("-m", "mlflow", "server"),
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Start MLflow, which keeps everything in that folder, and return its address at once; end it after the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(sys.executable, *program, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"),
        *options,
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        # The server's workers are children of it: a session of their own lets us end them all.
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            env=os.environ | quiet | dict(environment or {}),
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def asking_for_logins(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start MLflow by the role's own program and as on a host, with logins; return its address when it answers."""
    settings = folder / "basic_auth.ini"
    settings.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{folder}/auth.db\nauth_cache_ttl_seconds = 60\n"
    )
    logins = {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN[0],
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs-the-sessions-of-a-test",
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "RUNTIME_DIRECTORY": str(folder),
    }
    with serving(
        folder,
        *("--app-name", "basic-auth"),
        *options,
        program=(str(PROGRAM),),
        environment=logins | dict(environment or {}),
    ) as url:
        ready = run(mlflow_health, {"url": url, "level": "ping", "deadline": 300, "timeout": 30, "retries": 1000})
        assert ready["healthy"] is True, ready["msg"] + (folder / "log").read_text()
        yield url
