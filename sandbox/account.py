"""The account behind the API: what its owners settle before anybody deploys, and what a deployment left there."""

from __future__ import annotations

import json
from typing import Any

import boto3

from sandbox.settings import Settings


def client(settings: Settings, service: str) -> Any:
    """Make a client of one service."""
    return boto3.client(
        service,
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        # It takes any.
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


def settle(settings: Settings) -> None:
    """Set the account up as its owners should: what scanners then find is the deployment's. No role needs any of it."""
    client(settings, "ec2").enable_ebs_encryption_by_default()
    client(settings, "iam").update_account_password_policy(
        MinimumPasswordLength=14,
        RequireLowercaseCharacters=True,
        RequireUppercaseCharacters=True,
        RequireNumbers=True,
        RequireSymbols=True,
        PasswordReusePrevention=24,
        MaxPasswordAge=90,
        AllowUsersToChangePassword=True,
    )


def admin_login(settings: Settings) -> dict[str, str]:
    """Return the administrator's login as a client's settings, nothing where the server asks for none."""
    secrets = client(settings, "secretsmanager")
    for secret in secrets.list_secrets()["SecretList"]:
        if secret["Name"].endswith("/tracking-server/admin"):
            login = json.loads(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"])
            return {"MLFLOW_TRACKING_USERNAME": login["username"], "MLFLOW_TRACKING_PASSWORD": login["password"]}
    return {}
