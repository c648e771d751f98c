"""mlflow_health as Ansible ships it: packed, in a process of its own, with a password to keep."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from ansible_collections.mlops.mlflow.tests.unit.support.certificates import Authority
from ansible_collections.mlops.mlflow.tests.unit.support.tracking_server import TrackingServer

ROOT = Path(__file__).parents[2]


def test_a_task_proves_a_server_and_keeps_the_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "trusted")
    with TrackingServer(authority.server_context()).running() as server:
        server.login = ("ops", "s3cr3t-passphrase")
        task = {
            "mlops.mlflow.mlflow_health": {
                "url": server.url,
                "ca_file": str(authority.file),
                "username": "ops",
                "password": "s3cr3t-passphrase",
                "level": "artifact",
            }
        }
        playbook = tmp_path / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        environment = os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
        }
        command = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert command is not None
        done = subprocess.run(
            [
                *(command, "-vvv", "-i", "localhost,", "-c", "local", str(playbook)),
                *("-e", f"ansible_python_interpreter={sys.executable}"),
            ],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert "passed all 12 checks at level artifact" in done.stdout
        assert "s3cr3t" not in done.stdout + done.stderr
        assert len(server.experiments) == 1
        assert server.leftovers == []
