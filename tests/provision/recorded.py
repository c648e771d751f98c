"""What the sandbox's record says of the calls that were made."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.deploy.deployment import Deployment


@dataclass(frozen=True)
class Recorded:
    """One call, and the role and task that made it ("" where none did)."""

    service: str
    operation: str
    parameters: dict[str, Any]
    status: int
    role: str
    task: str

    @property
    def name(self) -> str:
        """The operation with its service."""
        return f"{self.service}:{self.operation}"

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.operation.startswith(("Describe", "Get", "Head", "List"))

    def __str__(self) -> str:
        return f"{self.name} of {self.role} | {self.task}: {json.dumps(self.parameters)}"


def control(deployment: Deployment, path: str, method: str = "GET", body: Any = None) -> Any:
    """Ask the sandbox itself, rather than the API that it plays."""
    url = f"{deployment.variables['mlflow_aws']['endpoint_url']}/moto-api/sandbox/{path}"
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data=data, method=method), timeout=30) as response:
        content = response.read()
    return json.loads(content) if content else None


def calls(deployment: Deployment) -> list[Recorded]:
    """Return every call since the record began, in its order."""
    return [
        Recorded(
            entry["service"],
            entry["operation"],
            entry["parameters"],
            entry["status"],
            entry["origin"].get("role", ""),
            entry["origin"].get("task", ""),
        )
        for entry in control(deployment, "calls")
    ]
