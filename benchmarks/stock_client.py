"""MLflow's own client moves one file: ``python -m benchmarks.stock_client up|down RUN FILE`` prints the seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mlflow.tracking import MlflowClient


def main(direction: str, run: str, file: Path) -> None:
    """Upload the file to the run, or download what has its name to where it says."""
    client = MlflowClient()
    began = time.monotonic()
    if direction == "up":
        client.log_artifact(run, str(file))
    else:
        client.download_artifacts(run, file.name, str(file.parent))
    print(time.monotonic() - began)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
