"""Where in S3 an artifact is, as MLflow tells nginx: for those who may have it, and where nginx gets on with S3."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
import requests
from ansible_collections.mlops.mlflow.tests.unit.support.loading import load
from flask import Flask
from mlflow.server import handlers
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
from moto.server import ThreadedMotoServer

from tests.integration.running import ADMIN, asking_for_logins

STRANGER = ("stranger", "a-passphrase-of-a-user")
API = "/api/2.0/mlflow"
PRESIGNED = "/api/2.0/mlflow-artifacts/presigned"
BUCKET, OWNER = "artifacts", "123456789012"
# What every AWS account of moto takes.
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
CONTENT = b"\x1f\x8b, and then nothing that could be unpacked"


@dataclass
class Server:
    """A running MLflow, and a folder of artifacts that is its administrator's."""

    url: str
    s3: str
    folder: str = ""

    def ask(
        self, method: str, path: str, login: tuple[str, str] | None = ADMIN, **options: object
    ) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, auth=login, timeout=60, **options)  # type: ignore[arg-type]

    def address(self, method: str, name: str, login: tuple[str, str] | None = ADMIN) -> requests.Response:
        return self.ask(method, f"{PRESIGNED}/{self.folder}/{name}", login)


@pytest.fixture(scope="module", autouse=True)
def without_detour() -> Iterator[None]:
    """Whoever runs the tests may be behind a proxy, or trust certificates of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    moto = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    moto.start()
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield endpoint
    moto.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[Server]:
    """Run MLflow with logins, and S3 behind it."""
    folder = tmp_path_factory.mktemp("mlflow")
    environment = {**KEYS, "AWS_ENDPOINT_URL_S3": s3, "MLFLOW_S3_EXPECTED_BUCKET_OWNER": OWNER}
    store = ("--artifacts-destination", f"s3://{BUCKET}/of-this-server")
    with asking_for_logins(folder, *store, environment=environment) as url:
        server = Server(url, s3)
        made = server.ask("POST", f"{API}/experiments/create", json={"name": "hers"})
        server.folder = f"{made.json()['experiment_id']}/run/artifacts"
        server.ask("POST", f"{API}/users/create", json=dict(zip(("username", "password"), STRANGER, strict=True)))
        yield server


def test_s3_takes_what_is_sent_to_an_address_and_gives_it_back(server: Server) -> None:
    name = "a%20folder/%C3%BC%25.tar.gz"
    upload = server.address("PUT", name)
    assert (upload.status_code, upload.content) == (204, b"")
    signed = {"Content-Type": upload.headers["X-Artifact-Type"]}
    with requests.Session() as session:
        session.trust_env = False
        owner = {"X-Amz-Expected-Bucket-Owner": upload.headers["X-Artifact-Owner"]}
        sent = session.put(upload.headers["X-Artifact-Address"], CONTENT, headers={**signed, **owner}, timeout=60)
        assert sent.status_code == 200
        download = server.address("GET", name)
        assert download.headers["X-Artifact-Address"] == download.json()["url"]
        assert session.get(download.headers["X-Artifact-Address"], timeout=60).content == CONTENT
    # MLflow itself finds it where it would have put it.
    whole = server.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{server.folder}/{name}")
    assert whole.content == CONTENT


def test_an_address_is_for_one_object_and_one_owner_and_for_a_minute(server: Server) -> None:
    address = server.address("PUT", "model.bin").headers["X-Artifact-Address"]
    path, _question, query = address.partition("?")
    assert path == f"{server.s3}/{BUCKET}/of-this-server/{server.folder}/model.bin"
    assert "X-Amz-Expires=60" in query.split("&")
    assert "X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-expected-bucket-owner" in query.split("&")


@pytest.mark.parametrize("api", ["api", "ajax-api"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(("login", "status"), [(None, 401), (("admin", "guessed"), 401), (STRANGER, 403)])
def test_who_may_not_have_the_artifact_has_no_address(
    server: Server, api: str, method: str, login: tuple[str, str] | None, status: int
) -> None:
    path = f"{PRESIGNED.replace('api', api, 1)}/{server.folder}/secret"
    answer = server.ask(method, path, login)
    assert (answer.status_code, answer.headers.get("X-Artifact-Address")) == (status, None)


@pytest.mark.parametrize("name", ["%2e%2e/%2e%2e/other/run/artifacts/it", "..%252f..%252fit"])
def test_a_path_out_of_the_folder_has_no_address(server: Server, name: str) -> None:
    for method in ("GET", "PUT"):
        answer = server.address(method, name)
        assert answer.status_code >= 400
        assert "X-Artifact-Address" not in answer.headers


def test_what_is_not_there_has_no_address(server: Server) -> None:
    answer = server.address("GET", "nothing")
    assert answer.status_code == 404
    assert "X-Artifact-Address" not in answer.headers


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load(monkeypatch, "mlflow_server/files/app/artifact_addresses.py")


def upload(program: ModuleType, monkeypatch: pytest.MonkeyPatch, repository: object) -> Any:
    """Ask for the address of an upload into a store."""
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    monkeypatch.setattr(handlers, "_get_artifact_repo_mlflow_artifacts", lambda: repository)
    app = Flask("mlflow")
    program.serve(app)
    return app.test_client().put(f"{PRESIGNED}/1/run/artifacts/model.bin")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> S3ArtifactRepository:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    return S3ArtifactRepository("s3://bucket/store")


def test_an_upload_has_an_address(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, bucket: S3ArtifactRepository
) -> None:
    answer = upload(program, monkeypatch, bucket)
    assert answer.status_code == 204
    assert "/store/1/run/artifacts/model.bin?" in answer.headers["X-Artifact-Address"]


def test_one_that_s3_takes_with_other_headers_only_is_left_to_mlflow(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, bucket: S3ArtifactRepository
) -> None:
    monkeypatch.setenv("MLFLOW_S3_UPLOAD_EXTRA_ARGS", '{"ServerSideEncryption": "aws:kms"}')
    answer = upload(program, monkeypatch, bucket)
    assert (answer.status_code, answer.headers.get("X-Artifact-Address")) == (204, None)


def test_one_into_another_store_is_left_to_mlflow(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = upload(program, monkeypatch, SimpleNamespace())
    assert answer.status_code == 501
    assert "X-Artifact-Address" not in answer.headers


@pytest.mark.parametrize(
    "name",
    ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "MLFLOW_S3_IGNORE_TLS", "HTTPS_PROXY", "https_proxy", "http_proxy"],
)
def test_all_are_where_only_mlflow_knows_the_way_to_s3(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, bucket: S3ArtifactRepository, name: str
) -> None:
    monkeypatch.setenv(name, "something")
    assert upload(program, monkeypatch, bucket).status_code == 404
