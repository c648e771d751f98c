"""The commands, where no sandbox runs: what they print, where, and what they leave."""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from sandbox import __main__ as command_line
from sandbox import account, process
from sandbox.settings import Settings

from .test_settings import aws, inventory


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give an inventory whose address nothing listens on."""
    settings = Settings.read(inventory(tmp_path / "it's here", aws("http://10.41.249.1:5566")))
    settings.state.mkdir()
    return settings


def deployed(settings: Settings, monkeypatch: pytest.MonkeyPatch, **host: str) -> None:
    """Let the API answer with one tracking host."""
    instance = {"id": "i-1", "name": "n", "role": "tracking_host", "state": "running", "address": "10.42.0.4", **host}
    content: dict[str, Any] = {"instances": [instance], "databases": []}
    monkeypatch.setattr(process, "overview", lambda _: content)
    settings.trust.parent.mkdir()
    settings.trust.write_text("certificate")


def test_env_is_for_eval(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exports and nothing else, whatever is in a path or a password."""
    deployed(settings, monkeypatch)
    login = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "it's $HOME"}
    monkeypatch.setattr(account, "admin_login", lambda _: login)
    assert command_line.main(["env", "--inventory", str(settings.inventory)]) == 0
    words = shlex.split(capsys.readouterr().out)
    trust = f"MLFLOW_TRACKING_SERVER_CERT_PATH={settings.trust}"
    user, password = (f"{name}={value}" for name, value in login.items())
    url = "MLFLOW_TRACKING_URI=https://10.42.0.4"
    assert words == ["export", user, "export", password, "export", url, "export", trust]


@pytest.mark.parametrize("host", [{"state": "stopped"}, {"role": ""}])
def test_env_without_a_deployment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: dict[str, str]
) -> None:
    """An error for the eye, and nothing for eval."""
    deployed(settings, monkeypatch, **host)
    assert command_line.main(["env", "--inventory", str(settings.inventory)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "No tracking server is deployed" in output.err


@pytest.mark.parametrize("command", ["env", "status"])
def test_without_a_sandbox(settings: Settings, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """What to run is said."""
    assert command_line.main([command, "--inventory", str(settings.inventory)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "make sandbox" in output.err


def test_a_stale_process_id_means_nothing(settings: Settings) -> None:
    """The number may be another process's by now, such as this one's: only who holds the lock is the daemon."""
    assert process.running(settings) is None
    settings.lock.write_text(f"{os.getpid()}\n")
    assert process.running(settings) is None
    process.end(settings)
    with settings.lock.open("r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert process.running(settings) == os.getpid()
