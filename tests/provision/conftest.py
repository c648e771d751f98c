"""The account that these checks look into: the one whose inventory molecule names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.deployment import Deployment

pytest.register_assert_rewrite("tests.provision.account")
CALLBACK = Path(__file__).with_name("callback")


def recorded(deployment: Deployment) -> Deployment:
    """Let an environment's plays tell the sandbox which role makes a call."""
    deployment.environment.update(
        ANSIBLE_CALLBACKS_ENABLED="sandbox_origin",
        ANSIBLE_CALLBACK_PLUGINS=str(CALLBACK),
        SANDBOX_CALLS_URL=deployment.variables["mlflow_aws"]["endpoint_url"] + "/moto-api/sandbox/calls",
    )
    return deployment


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """Return the environment that a molecule scenario has made."""
    return recorded(Deployment(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "inventory"))
