"""Print what a release of MLflow brings, as JSON: where its user interface is and which database schemas it needs.

Run once, by the new release's own interpreter, because the imports take seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import mlflow.server
from alembic.script import ScriptDirectory

# The server imports them when they are first needed, which is too late to learn that they don't load.
for module in ("boto3", "psycopg2"):
    importlib.import_module(module)

package = Path(mlflow.server.__file__).parent.parent


def schema(migrations: Path) -> dict[str, object]:
    """Return the revision that the release needs, and all that it knows."""
    script = ScriptDirectory(str(migrations))
    (head,) = script.get_heads()
    return {"head": head, "revisions": [revision.revision for revision in script.walk_revisions()]}


print(
    json.dumps(
        {
            "ui": os.path.relpath(package / "server" / "js" / "build", sys.prefix),
            "schema": {
                "tracking": schema(package / "store" / "db_migrations"),
                "auth": schema(package / "server" / "auth" / "db" / "migrations"),
            },
        }
    )
)
