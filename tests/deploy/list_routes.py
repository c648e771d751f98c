"""Print every route that a release of MLflow registers with basic authentication, as a JSON list of [method, path].

Run on the host by the release's own interpreter, which gets it on standard input.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

folder = tempfile.mkdtemp()
Path(folder, "basic_auth.ini").write_text(
    f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/users.db\n"
)
os.environ.update(
    MLFLOW_AUTH_CONFIG_PATH=f"{folder}/basic_auth.ini",
    MLFLOW_AUTH_ADMIN_USERNAME="admin",
    MLFLOW_AUTH_ADMIN_PASSWORD="of-no-use-elsewhere",
    MLFLOW_FLASK_SERVER_SECRET_KEY="of-no-use-elsewhere",
    MLFLOW_BACKEND_STORE_URI=f"sqlite:///{folder}/mlflow.db",
    _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{folder}/mlflow.db",
    _MLFLOW_SGI_NAME="uvicorn",
    MLFLOW_DISABLE_TELEMETRY="true",
    HOME=folder,
)

# What the service adds to it.
sys.path.insert(0, "/opt/mlflow/app")

from mlflow.server import app  # noqa: E402 - the environment comes first
from mlflow.server.auth import create_app  # noqa: E402


def listed(routes: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route, of included routers too."""
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from listed(route.effective_candidates())
        else:
            yield from ((method, route.path) for method in getattr(route, "methods", None) or ())


import_module("artifact_addresses").serve(app)
found = set(listed(create_app(app).routes))
found |= {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
json.dump(sorted(found), sys.stdout)
