"""The instance metadata service, asked as an SDK asks it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core import set_initial_no_auth_action_count
from moto.instance_metadata.responses import InstanceMetadataResponse
from werkzeug.test import Client, TestResponse

from sandbox.metadata import ADDRESS, MetadataService

from .conftest import Clients

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::mine"}],
}


def api(_environ: Any, start_response: Any) -> Iterable[bytes]:
    """Stand for moto."""
    start_response("418 I'm a teapot", [])
    return [b""]


class Instance:
    """An instance with a role, and its view of the metadata service."""

    def __init__(self, aws: Clients, tokens: str = "required") -> None:
        iam, ec2, s3 = aws("iam"), aws("ec2"), aws("s3")
        for bucket in ("mine", "other"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        iam.create_role(RoleName="host", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="host", PolicyName="s3", PolicyDocument=json.dumps(POLICY))
        iam.create_instance_profile(InstanceProfileName="profile")
        iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="host")
        found = ec2.run_instances(
            ImageId=ec2.describe_images()["Images"][0]["ImageId"],
            MinCount=1,
            MaxCount=1,
            IamInstanceProfile={"Name": "profile"},
            MetadataOptions={"HttpTokens": tokens},
        )["Instances"][0]
        self.id: str = found["InstanceId"]
        self.address: str = found["PrivateIpAddress"]
        self.client = Client(MetadataService(api))

    def ask(self, path: str, method: str = "GET", address: str | None = None, **headers: str) -> TestResponse:
        """Send one request from the instance's address."""
        return self.client.open(
            path,
            base_url=f"http://{ADDRESS}",
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_base={"REMOTE_ADDR": address or self.address},
        )

    def token(self, seconds: str = "60") -> TestResponse:
        """Ask for a session."""
        return self.ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=seconds)

    def read(self, path: str) -> str:
        """Read a document in a session."""
        answer = self.ask(f"/latest/{path}", X_aws_ec2_metadata_token=self.token().text)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def instance(aws: Clients) -> Instance:
    """Give an instance that wants version 2."""
    return Instance(aws)


def test_version_2_is_required(instance: Instance) -> None:
    """Without a session, or with one that is not its own, an instance learns nothing."""
    assert instance.ask("/latest/meta-data/instance-id").status_code == 401
    assert instance.ask("/latest/meta-data/instance-id", X_aws_ec2_metadata_token="guessed").status_code == 401
    assert instance.read("meta-data/instance-id") == instance.id


def test_version_1_where_it_is_allowed(aws: Clients) -> None:
    """The option is the instance's."""
    assert Instance(aws, tokens="optional").ask("/latest/meta-data/").status_code == 200


def test_a_bad_lifetime(instance: Instance) -> None:
    """A session has a lifetime of at most six hours."""
    assert [instance.token(seconds).status_code for seconds in ("", "0", "21601", "long", "21600")] == [400] * 4 + [200]


def test_strangers_learn_nothing(instance: Instance) -> None:
    """Who is no instance has no metadata."""
    assert instance.ask("/latest/meta-data/", address="192.0.2.9").status_code == 404


def test_everything_else_is_the_api(instance: Instance) -> None:
    """A bucket may be called `latest`."""
    assert instance.client.get("/latest/meta-data/", base_url="http://10.41.0.1:5566").status_code == 418


def test_folders_list_what_is_in_them(instance: Instance) -> None:
    """A client finds its way from the top."""
    assert "iam/" in instance.read("meta-data/").splitlines()
    assert instance.read("meta-data/iam/") == "security-credentials/"
    assert instance.read("meta-data/iam/security-credentials/") == "host"
    assert json.loads(instance.read("dynamic/instance-identity/document"))["instanceId"] == instance.id


def test_moto_by_itself_gives_credentials_that_it_rejects(instance: Instance) -> None:
    """The reason for this service: when this fails, moto's own may do."""
    url = f"http://{ADDRESS}/latest/meta-data/iam/security-credentials/default-role"
    found = json.loads(InstanceMetadataResponse.metadata_response(None, url, {})[2])
    assert json.loads(instance.read("meta-data/iam/security-credentials/host"))["AccessKeyId"] != found["AccessKeyId"]
    keys = (found["AccessKeyId"], found["SecretAccessKey"], found["Token"])

    @set_initial_no_auth_action_count(0)
    def enforced() -> None:
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            boto3.Session(*keys, region_name="eu-west-1").client("sts").get_caller_identity()

    enforced()


@set_initial_no_auth_action_count(100)
def test_credentials_are_the_roles(aws: Clients) -> None:
    """They hold under enforcement, for what the role's policy allows and nothing else."""
    instance = Instance(aws)
    first, again = (json.loads(instance.read("meta-data/iam/security-credentials/host")) for _ in range(2))
    assert first["AccessKeyId"] == again["AccessKeyId"]
    session = boto3.Session(first["AccessKeyId"], first["SecretAccessKey"], first["Token"], region_name="eu-west-1")

    @set_initial_no_auth_action_count(0)
    def enforced() -> None:
        assert session.client("sts").get_caller_identity()["Arn"].endswith(f":assumed-role/host/{instance.id}")
        session.client("s3").list_objects_v2(Bucket="mine")
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("s3").list_objects_v2(Bucket="other")

    enforced()
