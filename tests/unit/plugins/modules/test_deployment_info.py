"""deployment_info at its boundary: arguments in, JSON out."""

from __future__ import annotations

import boto3
import pytest
from ansible_collections.mlops.mlflow.plugins.modules import deployment_info
from moto import mock_aws

from tests.unit.conftest import ModuleRun

TAGS = {"mlflow_project": "mlflow", "mlflow_env": "dev"}
ARGUMENTS: dict[str, object] = {"tags": TAGS, "region": "eu-central-1", "access_key": "key", "secret_key": "hidden"}


@pytest.fixture
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@mock_aws
@pytest.mark.parametrize("check_mode", [False, True])
def test_an_empty_account(run_module: ModuleRun, check_mode: bool) -> None:
    arguments = {**ARGUMENTS, "network": True, "bucket": "mlflow-dev-{account_id}", "secrets": ["mlflow/dev/x"]}
    result = run_module(deployment_info, arguments, check_mode=check_mode)
    assert result["changed"] is False
    assert result["bucket"]["ownership"] == "missing"
    assert result["bucket"]["name"] == f"mlflow-dev-{result['account_id']}"
    assert result["secrets"] == {}
    assert result["network"]["vpcs"] == []
    assert len(result["network"]["zones"]) >= 2


@mock_aws
def test_what_exists_is_found(run_module: ModuleRun) -> None:
    s3 = boto3.client("s3", region_name="eu-central-1")
    for name in ("ours", "other"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_bucket_tagging(
            Bucket=name, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in TAGS.items()]}
        )
    secret = boto3.client("secretsmanager", region_name="eu-central-1").create_secret(
        Name="mlflow/dev/x", SecretString="not to be seen"
    )
    result = run_module(deployment_info, {**ARGUMENTS, "bucket": "ours", "secrets": ["mlflow/dev/x"]})
    assert result["bucket"]["ownership"] == "ours"
    assert result["bucket"]["settings"]["tags"] == TAGS
    assert result["bucket"]["others"] == ["other"]
    assert result["secrets"]["mlflow/dev/x"]["arn"] == secret["ARN"]
    assert "not to be seen" not in str(result)


def test_an_unknown_region_is_told_without_asking_anyone(run_module: ModuleRun) -> None:
    result = run_module(deployment_info, {**ARGUMENTS, "region": "eu-centrel-1"})
    assert "Did you mean eu-central-1" in result["msg"]


@pytest.mark.usefixtures("_no_credentials")
def test_missing_credentials_are_told(run_module: ModuleRun) -> None:
    result = run_module(deployment_info, {"tags": TAGS, "region": "eu-central-1"})
    assert result["msg"].startswith("No AWS credentials were found")
