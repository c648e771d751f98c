"""What the sandbox's record says of calls that boto3 makes: each as it was meant, in every protocol that is used."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from sandbox.aws import QuietHandler
from sandbox.calls import CALLS_PATH, Calls
from sandbox.faults import FAULTS_PATH, Faults


class Api:
    """The sandbox's API in this process, its layers and moto behind them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client that tries once."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        return boto3.client(
            service, region_name="eu-west-1", endpoint_url=self.url, aws_access_key_id="who", aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def control(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the sandbox itself."""
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.url + path, data=data, method=method), timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The record."""
        found: list[dict[str, Any]] = self.control(CALLS_PATH)
        return found


@pytest.fixture(scope="module")
def served() -> Iterator[Api]:
    """Serve on an address of this machine."""
    application = Calls(Faults(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Api(f"http://127.0.0.1:{server.port}")
    server.shutdown()


@pytest.fixture
def api(served: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Begin with an empty account, no record and no fault."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served.control("/moto-api/reset", "POST", {})
    served.control(CALLS_PATH, "DELETE")
    served.control(FAULTS_PATH, "DELETE")
    return served


TAGS = [{"Key": "a", "Value": "b"}]
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ec2": (
        "ec2",
        "DescribeInstances",
        {"Filters": [{"Name": "tag:a", "Values": ["b", "c"]}, {"Name": "vpc-id", "Values": ["vpc-1"]}]},
    ),
    "query": (
        "rds",
        "CreateDBParameterGroup",
        {"DBParameterGroupName": "g", "DBParameterGroupFamily": "postgres16", "Description": "d", "Tags": TAGS},
    ),
    "json": ("secretsmanager", "ListSecrets", {"Filters": [{"Key": "name", "Values": ["x"]}], "MaxResults": 5}),
    "another name for signing": ("resourcegroupstaggingapi", "GetResources", {"ResourceTypeFilters": ["s3"]}),
    "rest-xml, a body": (
        "s3",
        "CreateBucket",
        {"Bucket": "one", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
    ),
    "rest-xml, a query": ("s3", "ListObjectsV2", {"Bucket": "none", "Prefix": "a/b"}),
}


def method_of(operation: str) -> str:
    """Return the name of a client's method."""
    names = {"CreateDBParameterGroup": "create_db_parameter_group", "ListObjectsV2": "list_objects_v2"}
    return names.get(operation) or "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


@pytest.mark.parametrize(("service", "operation", "parameters"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_call_is_on_record_as_it_was_made(api: Api, service: str, operation: str, parameters: dict[str, Any]) -> None:
    client = api.client(service)
    api.control(CALLS_PATH, "PUT")
    try:
        getattr(client, method_of(operation))(**parameters)
        status = 200
    except client.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    (call,) = api.calls
    assert (call["name"], call["access_key"], call["status"]) == (f"{service}:{operation}", "who", status)
    # The client adds what it sends of its own accord.
    assert parameters.items() <= call["parameters"].items()
    assert call["parameters"].keys() - parameters.keys() <= {"EncodingType"}


def test_nothing_is_on_record_unless_somebody_asked(api: Api) -> None:
    api.client("ec2").describe_vpcs()
    assert api.calls == []
    api.control(CALLS_PATH, "PUT")
    api.client("ec2").describe_vpcs()
    assert len(api.calls) == 1
    api.control(CALLS_PATH, "DELETE")
    api.client("ec2").describe_vpcs()
    assert api.calls == []


def test_a_call_carries_on_whose_behalf_it_was_made(api: Api) -> None:
    api.control(CALLS_PATH, "PUT")
    for role in ("network", "artifact_store"):
        api.control(CALLS_PATH, "POST", {"role": role})
        api.client("ec2").describe_vpcs()
    assert [call["origin"] for call in api.calls] == [{"role": "network"}, {"role": "artifact_store"}]


def test_a_secret_is_a_mask_of_its_length(api: Api) -> None:
    api.control(CALLS_PATH, "PUT")
    api.client("secretsmanager").create_secret(Name="one", SecretString="not to be seen")
    assert api.calls[0]["parameters"]["SecretString"] == "*" * len("not to be seen")
    found = api.client("secretsmanager").get_secret_value(SecretId="one")
    assert found["SecretString"] == "not to be seen"
    assert "not to be seen" not in json.dumps(api.calls)


def test_an_object_passes_unread(api: Api) -> None:
    s3 = api.client("s3")
    s3.create_bucket(Bucket="one", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    api.control(CALLS_PATH, "PUT")
    s3.put_object(Bucket="one", Key="a b/c", Body=io.BytesIO(b"a=b&c=d" * 1000))
    assert s3.get_object(Bucket="one", Key="a b/c")["Body"].read() == b"a=b&c=d" * 1000
    (put, get) = api.calls
    assert (put["name"], put["parameters"]["Key"]) == ("s3:PutObject", "a b/c")
    assert "Body" not in put["parameters"]
    assert get["name"] == "s3:GetObject"


def test_a_call_that_cannot_be_read_is_on_record_as_that(api: Api) -> None:
    api.control(CALLS_PATH, "PUT")
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=who/20260101/eu-west-1/ec2/aws4_request, Signature=x"}
    request = urllib.request.Request(api.url, data=b"Action=NoSuchThing", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.request.HTTPError):
        opener.open(request, timeout=10)
    (call,) = api.calls
    assert (call["service"], call["operation"]) == ("ec2", "")
    assert "NoSuchThing" in call["parameters"]["unreadable"]


def refusal(client: Any, operation: str, **parameters: object) -> tuple[int, str, str]:
    """Return status, code and message of a call that fails."""
    with pytest.raises(client.exceptions.ClientError) as caught:
        getattr(client, operation)(**parameters)
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "describe_vpcs", {}),
        ("rds", "describe_db_instances", {}),
        ("secretsmanager", "list_secrets", {}),
        ("s3", "list_buckets", {}),
    ],
)
def test_a_fault_is_told_in_the_services_own_protocol(
    api: Api, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    api.control(FAULTS_PATH, "PUT", [{"call": f"{service}:*", "code": "Odd", "message": "a < b & c", "status": 418}])
    assert refusal(api.client(service), operation, **parameters) == (418, "Odd", "a < b & c")


def test_a_fault_hits_the_calls_that_it_names_as_often_as_it_says(api: Api) -> None:
    fault = {"call": "ec2:DescribeVpcs", "code": "Throttling", "after": 2, "every": 2, "times": 2}
    api.control(FAULTS_PATH, "PUT", [fault])
    ec2 = api.client("ec2")
    outcomes = []
    for _ in range(6):
        ec2.describe_subnets()
        try:
            ec2.describe_vpcs()
            outcomes.append("answered")
        except ec2.exceptions.ClientError:
            outcomes.append("refused")
    assert outcomes == ["answered", "answered", "refused", "answered", "refused", "answered"]
    (fault,) = api.control(FAULTS_PATH)
    assert fault["hits"] == 2
    api.control(FAULTS_PATH, "PUT", [{"call": "ec2:*", "code": "Throttling"}])
    api.control(FAULTS_PATH, "DELETE")
    ec2.describe_vpcs()


def test_a_refused_call_changes_nothing_and_is_on_record(api: Api) -> None:
    api.control(CALLS_PATH, "PUT")
    api.control(FAULTS_PATH, "PUT", [{"call": "ec2:CreateVpc", "code": "InternalError", "status": 500}])
    ec2 = api.client("ec2")
    before = len(ec2.describe_vpcs()["Vpcs"])
    assert refusal(ec2, "create_vpc", CidrBlock="10.0.0.0/16")[:2] == (500, "InternalError")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before
    assert [(call["name"], call["status"]) for call in api.calls][1] == ("ec2:CreateVpc", 500)


def test_a_stale_answer_says_what_was(api: Api) -> None:
    ec2 = api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    stale = {"<state>available</state>": "<state>pending</state>"}
    api.control(FAULTS_PATH, "PUT", [{"call": "ec2:DescribeVpcs", "stale": stale, "times": 1}])
    # An answer that has nothing of the kind is none of the stale ones.
    assert ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"] == []
    states = [ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["State"] for _ in range(2)]
    assert states == ["pending", "available"]


def test_a_slow_call_is_answered_all_the_same(api: Api) -> None:
    api.control(FAULTS_PATH, "PUT", [{"call": "ec2:DescribeVpcs", "seconds": 0.1}])
    assert api.client("ec2").describe_vpcs()["Vpcs"]
    assert api.control(FAULTS_PATH)[0]["hits"] == 1


def test_a_fault_that_makes_no_sense_is_refused_with_what_one_has(api: Api) -> None:
    with pytest.raises(urllib.request.HTTPError) as caught:
        api.control(FAULTS_PATH, "PUT", [{"call": "ec2:*", "colour": "red"}])
    assert caught.value.code == 400
    assert "colour" in (said := caught.value.read().decode())
    assert "every" in said
