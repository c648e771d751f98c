"""Make calls of AWS's API in one process by boto3 alone: the file of them is the argument."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError


def main() -> None:
    """Read what to call, and call it."""
    given = json.loads(Path(sys.argv[1]).read_text())
    clients = {}
    for call in given["calls"]:
        service = call["service"]
        if service not in clients:
            clients[service] = boto3.client(service, **given["connection"])
        with contextlib.suppress(ClientError):
            getattr(clients[service], xform_name(call["operation"]))(**call["parameters"])


if __name__ == "__main__":
    main()
