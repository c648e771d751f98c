"""An AWS API in this process, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from ansible_collections.mlops.mlflow.tests.unit.support.aws_models import read_models_once
from moto import mock_aws
from moto.ec2.models import amis

from sandbox import moto_settings

Clients = Callable[[str], Any]


@pytest.fixture(scope="session", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        read_models_once(patch)
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Give clients by service's name; moto is as it comes, until a test corrects it."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    # The sandbox's machine images, and not the hundreds that moto loads for each test.
    monkeypatch.setenv("MOTO_AMIS_PATH", "read while moto was imported")
    monkeypatch.setattr(amis, "AMIS", moto_settings.images())
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="eu-west-1")
