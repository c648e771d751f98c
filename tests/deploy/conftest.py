"""A deployment to a sandbox of the tests' own: other address, other network, other name than the user's sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.deploy.deployment import ROOT, Deployment

# A new environment is a copied folder with a handful of values: these are all that this one changes.
VALUES = {
    "10.41.0.": "10.41.1.",
    "10.42.0.0/16": "10.43.0.0/16",
    "mlflow_env: sandbox": "mlflow_env: test",
}


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start an empty sandbox; remove it at the end, with whatever stands in it."""
    inventory = tmp_path_factory.mktemp("inventories") / "test"
    shutil.copytree(ROOT / "inventories/sandbox", inventory, ignore=shutil.ignore_patterns(".sandbox", ".trust"))
    for path in inventory.rglob("*.yml"):
        text = path.read_text()
        for old, new in VALUES.items():
            text = text.replace(old, new)
        path.write_text(text)
    made = Deployment(inventory)
    made.sandbox("up")
    try:
        yield made
    finally:
        made.sandbox("down")
