"""Print what a release of MLflow brings, as JSON: where its user interface is and which database schema it needs.

Run once, by the new release's own interpreter, because the imports take seconds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import boto3  # noqa: F401
import mlflow.server
import psycopg2  # noqa: F401
from alembic.script import ScriptDirectory

package = Path(mlflow.server.__file__).parent.parent
script = ScriptDirectory(str(package / "store" / "db_migrations"))
(head,) = script.get_heads()
print(
    json.dumps(
        {
            "ui": os.path.relpath(package / "server" / "js" / "build", sys.prefix),
            "schema": {"head": head, "revisions": [revision.revision for revision in script.walk_revisions()]},
        }
    )
)
