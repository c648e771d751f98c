"""Try to read, to write to and to connect to what the arguments name; print for each whether that was refused."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def read(path: str) -> None:
    """List a folder or read a file."""
    if Path(path).is_dir():
        list(Path(path).iterdir())
    else:
        with Path(path).open("rb") as file:
            file.read(1)


def write(path: str) -> None:
    """Make a file in a folder, or open a file for writing."""
    os.close(os.open(f"{path}/intruder" if Path(path).is_dir() else path, os.O_WRONLY | os.O_APPEND | os.O_CREAT))


def connect(path: str) -> None:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


ACTIONS: dict[str, Callable[[str], None]] = {"read": read, "write": write, "connect": connect}


def attempt(action: str, path: str) -> str:
    """Return what came of it. Missing is not refused: then there was nothing to protect."""
    try:
        ACTIONS[action](path)
    except PermissionError:
        return "refused"
    except OSError as error:
        return type(error).__name__
    return "possible"


if __name__ == "__main__":
    wanted: dict[str, list[str]] = json.loads(sys.argv[1])
    print(json.dumps({f"{action} {path}": attempt(action, path) for action, paths in wanted.items() for path in paths}))
