"""What the hosts may do in the account, tried with their own identity: `pytest tests/provision/privileges.py`.

In an account that looks as `account.py` says. moto's enforcement is trusted for S3 by name, and elsewhere for refusals.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.deploy.deployment import Deployment
from tests.provision.account import Account

FOREIGN = "somebody-elses-bucket"
KEY = "1/run/artifacts/model"


def enforce(deployment: Deployment, calls_before: str) -> None:
    """Let moto judge identities: after so many calls, "0" from now on, "inf" never."""
    request = urllib.request.Request(
        deployment.variables["mlflow_aws"]["endpoint_url"] + "/moto-api/reset-auth",
        data=calls_before.encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    # No proxy stands between us and an address of this machine.
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()


class Host:
    """A host's identity, and the names of what it tries it on."""

    def __init__(self, account: Account, credentials: dict[str, str], version: str) -> None:
        self.bucket, self.version, self.region = account.bucket, version, account.region
        self.role, self.role_arn = account.host, f"arn:aws:iam::{account.number}:role/{account.host}"
        self.secrets = account.secrets
        self.client: Callable[[str], Any] = lambda service: account.client(service, credentials)
        self.ec2, self.rds, self.iam, self.s3 = (self.client(name) for name in ("ec2", "rds", "iam", "s3"))


Deed = Callable[[Host], object]


@pytest.fixture(scope="module")
def host(deployment: Deployment) -> Iterator[Host]:
    """Take the hosts' identity as an instance does, beside a bucket that isn't theirs."""
    account = Account(deployment)
    account.s3.create_bucket(Bucket=FOREIGN, CreateBucketConfiguration={"LocationConstraint": account.region})
    account.s3.put_object(Bucket=FOREIGN, Key=KEY, Body=b"theirs")
    version = account.s3.put_object(Bucket=account.bucket, Key=KEY, Body=b"ours")["VersionId"]
    role = account.iam.get_role(RoleName=account.host)["Role"]["Arn"]
    taken = deployment.client("sts").assume_role(RoleArn=role, RoleSessionName="i-0123456789abcdef0")
    made = Host(account, taken["Credentials"], version)
    enforce(deployment, "0")
    try:
        yield made
    finally:
        enforce(deployment, "inf")
        for bucket in (FOREIGN, account.bucket):
            for entry in account.s3.list_object_versions(Bucket=bucket).get("Versions", []):
                account.s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            for entry in account.s3.list_object_versions(Bucket=bucket).get("DeleteMarkers", []):
                account.s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
        account.s3.delete_bucket(Bucket=FOREIGN)


def multipart(host: Host) -> None:
    """Upload in parts, and give up on it."""
    names = {"Bucket": host.bucket, "Key": f"{KEY}.large"}
    upload = host.s3.create_multipart_upload(**names)["UploadId"]
    host.s3.upload_part(**names, UploadId=upload, PartNumber=1, Body=b"part")
    host.s3.list_parts(**names, UploadId=upload)
    host.s3.list_multipart_uploads(Bucket=host.bucket)
    host.s3.abort_multipart_upload(**names, UploadId=upload)


ALLOWED: dict[str, Deed] = {
    "find out where the bucket is": lambda h: h.s3.get_bucket_location(Bucket=h.bucket),
    "list artifacts": lambda h: h.s3.list_objects_v2(Bucket=h.bucket),
    "read an artifact": lambda h: h.s3.get_object(Bucket=h.bucket, Key=KEY)["Body"].read(),
    "write an artifact": lambda h: h.s3.put_object(Bucket=h.bucket, Key=f"{KEY}.new", Body=b"ours"),
    "delete an artifact": lambda h: h.s3.delete_object(Bucket=h.bucket, Key=f"{KEY}.new"),
    "upload in parts": multipart,
}

REFUSED: dict[str, Deed] = {
    "list another bucket": lambda h: h.s3.list_objects_v2(Bucket=FOREIGN),
    "read in another bucket": lambda h: h.s3.get_object(Bucket=FOREIGN, Key=KEY),
    "write into another bucket": lambda h: h.s3.put_object(Bucket=FOREIGN, Key=KEY, Body=b""),
    "list old versions": lambda h: h.s3.list_object_versions(Bucket=h.bucket),
    "delete a version for good": lambda h: h.s3.delete_object(Bucket=h.bucket, Key=KEY, VersionId=h.version),
    "list the buckets": lambda h: h.s3.list_buckets(),
    "change the bucket's policy": lambda h: h.s3.put_bucket_policy(Bucket=h.bucket, Policy="{}"),
    "delete the bucket's policy": lambda h: h.s3.delete_bucket_policy(Bucket=h.bucket),
    "suspend its versions": lambda h: h.s3.put_bucket_versioning(
        Bucket=h.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "open it to the public": lambda h: h.s3.delete_public_access_block(Bucket=h.bucket),
    "end its objects early": lambda h: h.s3.delete_bucket_lifecycle(Bucket=h.bucket),
    "delete the bucket": lambda h: h.s3.delete_bucket(Bucket=h.bucket),
    "make a bucket": lambda h: h.s3.create_bucket(
        Bucket="of-my-own", CreateBucketConfiguration={"LocationConstraint": h.region}
    ),
    "read the master's secret": lambda h: read_secret(h, "backend-store/master"),
    "read its own database's secret": lambda h: read_secret(h, "backend-store/service"),
    "read the administrator's secret": lambda h: read_secret(h, "tracking-server/admin"),
    "list secrets": lambda h: h.client("secretsmanager").list_secrets(),
    "make itself a key": lambda h: h.iam.create_access_key(UserName="somebody"),
    "widen its policy": lambda h: h.iam.put_role_policy(RoleName=h.role, PolicyName="mlflow", PolicyDocument="{}"),
    "read its policy": lambda h: h.iam.get_role_policy(RoleName=h.role, PolicyName="mlflow"),
    "lend its role out": lambda h: h.iam.update_assume_role_policy(RoleName=h.role, PolicyDocument="{}"),
    "list instances": lambda h: h.ec2.describe_instances(),
    "list databases": lambda h: h.rds.describe_db_instances(),
    "open a session on a host": lambda h: h.client("ssm").start_session(Target="i-0123456789abcdef0"),
    "run a command on a host": lambda h: h.client("ssm").send_command(
        InstanceIds=["i-0123456789abcdef0"], DocumentName="AWS-RunShellScript"
    ),
    "read a parameter": lambda h: h.client("ssm").get_parameter(Name="/somebody/elses"),
    "take its role again": lambda h: h.client("sts").assume_role(RoleArn=h.role_arn, RoleSessionName="again"),
}


def read_secret(host: Host, name: str) -> Any:
    """Read a secret of this deployment."""
    whole = next(each for each in host.secrets if each.endswith(f"/{name}"))
    return host.client("secretsmanager").get_secret_value(SecretId=whole)


def test_the_identity_is_the_hosts(host: Host) -> None:
    assert host.client("sts").get_caller_identity()["Arn"].endswith(f":assumed-role/{host.role}/i-0123456789abcdef0")


@pytest.mark.parametrize("deed", ALLOWED.values(), ids=ALLOWED.keys())
def test_a_host_can(host: Host, deed: Deed) -> None:
    deed(host)


@pytest.mark.parametrize("deed", REFUSED.values(), ids=REFUSED.keys())
def test_a_host_cannot(host: Host, deed: Deed) -> None:
    with pytest.raises(ClientError) as refused:
        deed(host)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, refused.value
