"""What `site.yml` promises, in the order in which a person would see it: an empty account first."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from docker.types import EndpointConfig
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Locator, Page, sync_playwright

from sandbox.certificates import create_authority, issue
from sandbox.containers import BODY_LABEL
from tests.deploy.deployment import ROOT, Deployment, Play, execute

pytestmark = pytest.mark.deploy

# Seconds, after the service or its host was killed: 11 on a machine with nothing else to do, more beside other tests.
HEALTHY_WITHIN = 90
OUTPUT = ROOT / "tests/output"


def assert_played(play: Play, *, changed: bool | None = None) -> None:
    """Fail with the play's whole output unless it succeeded (and changed nothing, or something)."""
    assert play.returncode == 0, play.output
    assert "localhost" in play.changed, play.output
    if changed is not None:
        assert any(play.changed.values()) is changed, play.output


def assert_refused(deployment: Deployment, overrides: Mapping[str, object], named: str) -> None:
    """Fail unless the deployment with these variables is refused in these words, and nothing was touched."""
    before = deployment.resources()
    play = deployment.play("site.yml", "--extra-vars", json.dumps(overrides))
    assert play.returncode != 0
    assert named in play.one_line, play.output
    assert deployment.resources() == before


def test_a_check_works_on_an_empty_account_and_makes_nothing(deployment: Deployment) -> None:
    before = deployment.resources()
    assert_played(deployment.play("site.yml", "--check", "--diff"), changed=True)
    assert deployment.resources() == before


def write_certificate(folder: Path, name: str, valid_until: datetime) -> None:
    """Write a self-signed certificate for mlflow.test and its key as ``name.pem`` and ``name.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mlflow.test")])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(valid_until - timedelta(days=30))
        .not_valid_after(valid_until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mlflow.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two pairs of certificate and key that are valid, and one that has expired."""
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(tz=UTC)
    write_certificate(folder, "one", now + timedelta(days=20))
    write_certificate(folder, "other", now + timedelta(days=20))
    write_certificate(folder, "expired", now - timedelta(days=1))
    return folder


ENDPOINT = "http://10.41.1.1:5566"
BAD_INPUT = {
    "allowed_cidrs missing": ({"network_allowed_cidrs": None}, "network_allowed_cidrs"),
    "allowed_cidrs malformed": ({"network_allowed_cidrs": ["10.0.0.0/33"]}, "10.0.0.0/33"),
    "allowed_cidrs with host bits": ({"network_allowed_cidrs": ["10.0.0.7/8"]}, "10.0.0.7/8"),
    "the world without a yes": ({"network_allowed_cidrs": ["0.0.0.0/0"]}, "network_allow_world"),
    "more administrators than a network ACL holds": (
        {"network_admin_cidrs": [f"203.0.113.{number}/32" for number in range(14)]},
        "network_admin_cidrs holds 14 IPv4 ranges: the network ACL of the hosts' subnets has room for 13",
    ),
    "a bucket name that S3 refuses": ({"artifact_store_bucket": "My_Bucket"}, "artifact_store_bucket is My_Bucket"),
    "project too long": ({"mlflow_project": "m" * 60}, f"mlflow_project is {'m' * 60}"),
    "project of other characters": ({"mlflow_project": "ML Flow"}, "mlflow_project is ML Flow"),
    "unknown region": ({"mlflow_aws": {"region": "eu-west-9", "endpoint_url": ENDPOINT}}, "eu-west-9"),
    "PostgreSQL too old": ({"backend_store_engine_version": "12"}, "backend_store_engine_version is 12"),
    "backups too short": ({"backend_store_backup_days": 1}, "backend_store_backup_days is 1"),
    "no login, in public": (
        {"mlflow_server_auth": "none", "network_allowed_cidrs": ["10.43.0.0/16", "203.0.113.0/24"]},
        "mlflow_server_auth is none and network_allowed_cidrs admits 203.0.113.0/24",
    ),
    "no way to AWS": ({"network_egress_ports": [80]}, "network_egress_ports is [80]"),
    "no way to the hosts": ({"network_admin_cidrs": []}, "network_admin_cidrs is []"),
    "a key that is not there": (
        {"artifact_store_kms_key": "arn:aws:kms:eu-west-1:123456789012:key/none"},
        "KMS says of it",
    ),
    "no MLflow version": ({"mlflow_server_version": "latest"}, "mlflow_server_version is latest"),
    "half a pool": ({"mlflow_server_pool": {"size": 5}}, "it must have size and overflow"),
    "a size past its checks": ({"mlflow_server_environment": {"MLFLOW_WORKERS": "9"}}, "mlflow_server_workers says it"),
    "too few connections": ({"nginx_worker_connections": 80}, "nginx_worker_connections is 80"),
}


@pytest.mark.parametrize(("overrides", "named"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_named_before_anything_is_touched(
    deployment: Deployment, overrides: Mapping[str, object], named: str
) -> None:
    assert_refused(deployment, overrides, named)


@pytest.mark.parametrize(("certificate", "key"), [("one", "other"), ("expired", "expired")])
def test_a_certificate_that_cannot_serve_is_refused(
    deployment: Deployment, certificates: Path, certificate: str, key: str
) -> None:
    pair = {"file": str(certificates / f"{certificate}.pem"), "key_file": str(certificates / f"{key}.key")}
    overrides = {"nginx_certificate": pair, "mlflow_domain": "mlflow.test"}
    assert_refused(deployment, overrides, f"nginx_certificate is {pair['file']}")


def test_a_bucket_of_another_account_is_named(deployment: Deployment) -> None:
    other = deployment.client("sts").assume_role(
        RoleArn="arn:aws:iam::999999999999:role/somebody", RoleSessionName="somebody"
    )["Credentials"]
    deployment.client("s3", other).create_bucket(
        Bucket="somebody-elses", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert_refused(deployment, {"artifact_store_bucket": "somebody-elses"}, "artifact_store_bucket is somebody-elses")


def test_missing_credentials_are_named(deployment: Deployment) -> None:
    connection = {key: deployment.variables["mlflow_aws"][key] for key in ("region", "endpoint_url")}
    assert_refused(deployment, {"mlflow_aws": connection}, "No AWS credentials were found")


def secrets_of(deployment: Deployment) -> dict[str, str]:
    """Return every generated password and key by its secret's name."""
    manager = deployment.client("secretsmanager")
    names = deployment.resources()["secrets"]
    assert names
    values = {name: json.loads(manager.get_secret_value(SecretId=name)["SecretString"]) for name in names}
    return {name: value.get("password") or value["key"] for name, value in values.items()}


def test_one_run_stands_up_the_whole(deployment: Deployment) -> None:
    play = deployment.play("site.yml", "-vvv", "--diff")
    assert_played(play, changed=True)
    for name, password in secrets_of(deployment).items():
        assert password not in play.output, f"the password of {name} is in Ansible's output"
    assert f"MLFLOW_TRACKING_URI={deployment.client_environment()['MLFLOW_TRACKING_URI']}" in play.output
    # The last of them reads the artifact back.
    assert "12 of 12 checks passed" in play.one_line


def test_a_second_run_changes_nothing(deployment: Deployment) -> None:
    play = deployment.play("site.yml")
    assert_played(play, changed=False)
    assert len(play.changed) == len(["localhost", "the tracking host"]), play.output


def test_a_check_of_what_is_deployed_reports_no_change(deployment: Deployment) -> None:
    play = deployment.play("site.yml", "--check", "--diff")
    assert_played(play, changed=False)
    assert len(play.changed) == len(["localhost", "the tracking host"]), play.output


@pytest.mark.parametrize("tag", ["configure", "nginx", "verify"])
def test_a_part_can_be_run_alone(deployment: Deployment, tag: str) -> None:
    play = deployment.play("site.yml", "--tags", tag)
    assert play.returncode == 0, play.output
    assert list(play.changed.values()) == [0] * len(play.changed), play.output
    assert any(host.startswith("i-") for host in play.changed), play.output


REPLACEMENTS = {
    "another bucket": ({"artifact_store_bucket": "an-empty-bucket"}, "artifact_store_bucket is an-empty-bucket"),
    "another master user": ({"backend_store_master_username": "other"}, "backend_store_master_username is other"),
    "another address range": ({"network_cidr": "10.99.0.0/16"}, "network_cidr is 10.99.0.0/16"),
    "an older PostgreSQL": ({"backend_store_engine_version": "15"}, "backend_store_engine_version is 15"),
}


@pytest.mark.parametrize(("overrides", "named"), REPLACEMENTS.values(), ids=REPLACEMENTS.keys())
def test_what_aws_could_only_do_by_replacement_is_refused(
    deployment: Deployment, overrides: Mapping[str, object], named: str
) -> None:
    assert_refused(deployment, overrides, named)


def test_the_example_logs_a_run_that_ends_in_s3_and_postgresql(deployment: Deployment) -> None:
    environment = deployment.client_environment()
    done = subprocess.run(
        [sys.executable, ROOT / "examples/quickstart.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run_id,) = re.findall(r"^run (\w{32}):", done.stdout, re.MULTILINE)
    deployment.state["run_url"] = done.stdout.split()[-1]

    listed = deployment.client("s3").list_objects_v2(Bucket=deployment.resources()["buckets"][0])
    keys = [entry["Key"] for entry in listed["Contents"]]
    assert any(key.endswith(f"{run_id}/artifacts/confusion_matrix.png") for key in keys), keys

    def query(sql: str) -> str:
        return execute(deployment.database, f'psql mlflow -XAt <<"SQL"\n{sql}\nSQL')

    assert query(f"select status from runs where run_uuid = '{run_id}'").strip() == "FINISHED"
    sessions = query(
        "select s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid) where a.usename = 'mlflow'"
    ).split()
    assert sessions, "MLflow keeps no connection to its database"
    assert set(sessions) == {"t"}


# One artifact of each kind that a browser shows by other means, such as a frame with scripts of its own, or a canvas.
ARTIFACTS = {
    "report.html": "<p id=said></p><script>said.textContent = 'its script ' + new Function('return `ran`')()</script>",
    "paper.pdf": """%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
""",
    "folder/settings.json": '{"kept": "in a folder"}',
    "notes.md": "*emphasised*",
    "table.csv": "column,other\n1,2\n",
}


def artifacts_url(deployment: Deployment) -> str:
    """Return where the example's run keeps its artifacts, as clients address them."""
    path = r"/api/2.0/mlflow-artifacts/artifacts/\1/\2/artifacts"
    return re.sub(r"/#/experiments/(\d+)/runs/(\w+)$", path, str(deployment.state["run_url"]))


def login_of(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the administrator's name and password."""
    return environment["MLFLOW_TRACKING_USERNAME"], environment["MLFLOW_TRACKING_PASSWORD"]


def shown(page: Page, url: str, sign: Locator) -> None:
    """Open ``url`` and wait until ``sign`` is on it.

    Chromium drops what it is loading whenever an address appears on any of the machine's interfaces, and the tests
    beside this one make Docker networks. A person would load the page again; here too, for this one error only.
    """
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(f"{request.url}: {request.failure}"))
    for _ in range(10):
        failures.clear()
        with contextlib.suppress(BrowserError):
            # Pages differ in what follows the #, which alone would load nothing anew.
            page.goto("about:blank")
            page.goto(url)
            sign.first.wait_for(timeout=30_000)
            return
        if not any("ERR_NETWORK_CHANGED" in failure for failure in failures):
            break
    raise AssertionError(f"{url} doesn't show {sign} but {page.inner_text('body')!r}; failed requests: {failures}")


def test_the_user_interface_shows_all_that_there_is(deployment: Deployment) -> None:
    OUTPUT.mkdir(exist_ok=True)
    environment = deployment.client_environment()
    username, password = login_of(environment)
    for name, content in ARTIFACTS.items():
        requests.put(
            f"{artifacts_url(deployment)}/{name}",
            data=content.encode(),
            auth=(username, password),
            verify=environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
            timeout=60,
        ).raise_for_status()
    # Where the system has none, Playwright has one of its own.
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(
            ignore_https_errors=True,
            viewport={"width": 1400, "height": 900},
            # What a person types when the browser asks.
            http_credentials={"username": username, "password": password},
        )
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
        server, run = environment["MLFLOW_TRACKING_URI"], deployment.state["run_url"]
        shown(page, run, page.get_by_text("test_log_loss"))
        page.screenshot(path=str(OUTPUT / "run.png"))
        for url, sign in {
            f"{server}/#/experiments": page.get_by_text("wine-quickstart"),
            f"{run}/model-metrics": page.locator(".js-plotly-plot"),
            f"{run}/artifacts/confusion_matrix.png": page.locator("img[src^='blob:']"),
            f"{run}/artifacts/report.html": page.frame_locator("iframe").get_by_text("its script ran"),
            f"{run}/artifacts/paper.pdf": page.locator("canvas"),
            f"{run}/artifacts/folder/settings.json": page.get_by_text("in a folder"),
            f"{run}/artifacts/notes.md": page.locator("em", has_text="emphasised"),
            f"{run}/artifacts/table.csv": page.get_by_text("column"),
            f"{server}/#/models/wine-classifier": page.get_by_text("Version 1"),
        }.items():
            shown(page, url, sign)
        chromium.close()
    assert [line for line in said if "Content Security Policy" in line] == []


def test_a_scanner_finds_nothing_in_nginxs_configuration(deployment: Deployment) -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("gixy"), "--format", "json", "-"],
        input=deployment.on_host("cat /etc/nginx/nginx.conf"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout, found.stderr
    assert json.loads(found.stdout) == []


def test_no_secret_is_in_sight_on_the_host(deployment: Deployment) -> None:
    seen = deployment.on_host(
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ';"
        " find / /run /dev/shm -xdev -type f -perm -o=r -size -2M"
        " -not -path '/proc/*' -not -path '/sys/*' -not -path '/usr/*' -not -path '/opt/mlflow/releases/*'"
        " -exec cat {} + | tr -d '\\0'; journalctl --no-pager -o cat"
    )
    assert "mlflow" in seen
    for name, password in secrets_of(deployment).items():
        assert password not in seen, f"the password of {name} can be read on the host"
    assert deployment.variables["mlflow_aws"]["secret_key"] not in seen
    environment = deployment.on_host("cat /proc/$(systemctl show -P MainPID mlflow)/environ | tr '\\0' '\\n'")
    assert "MLFLOW_BACKEND_STORE_URI=" in environment
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def healthy(deployment: Deployment, level: str, deadline: int = 20) -> dict[str, object]:
    """Run ``mlflow_health`` from the controller and return what it found, whatever that is."""
    environment = deployment.client_environment()
    arguments = {
        "url": environment["MLFLOW_TRACKING_URI"],
        "ca_file": environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
        "username": environment["MLFLOW_TRACKING_USERNAME"],
        "password": environment["MLFLOW_TRACKING_PASSWORD"],
        "level": level,
        "deadline": deadline,
    }
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible"),
            *("-i", deployment.inventory, "localhost", "-m", "mlops.mlflow.mlflow_health"),
            *("-a", json.dumps(arguments)),
        ],
        cwd=ROOT,
        env={**environment, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, arrow, result = done.stdout.rpartition(" => {")
    assert arrow, done.stdout + done.stderr
    answer: dict[str, object] = json.loads("{" + result)
    return answer


def wait_until_healthy(deployment: Deployment, seconds: float) -> float:
    """Return after how many seconds the server wrote a run again; fail when that took too long."""
    started = time.monotonic()
    while not (answer := healthy(deployment, "write")).get("healthy"):
        assert time.monotonic() - started < seconds, answer
        time.sleep(1)
    took = time.monotonic() - started
    assert took < seconds
    return took


def kill_service(deployment: Deployment) -> None:
    """Kill every process of the service at once."""
    deployment.on_host("systemctl kill -s KILL mlflow")


def reboot_host(deployment: Deployment) -> None:
    """Take the host's power away and give it back."""
    deployment.host.restart(timeout=0)


@pytest.mark.parametrize("fault", [kill_service, reboot_host])
def test_the_service_comes_back_by_itself(deployment: Deployment, fault: Callable[[Deployment], None]) -> None:
    assert healthy(deployment, "write")["healthy"]
    fault(deployment)
    wait_until_healthy(deployment, HEALTHY_WITHIN)


def wait_for(deployment: Deployment, state: str, command: str) -> None:
    """Run a command on the host until it prints this."""
    give_up = time.monotonic() + 60
    while deployment.on_host(command).strip() != state:
        assert time.monotonic() < give_up, f"{command}: not {state}"
        time.sleep(0.2)


@pytest.mark.parametrize("way", ["through MLflow", "straight to S3"])
def test_an_upload_that_has_begun_ends_well_while_the_service_stops(deployment: Deployment, way: str) -> None:
    """MLflow handles one whose size nobody has said, and has 30 seconds to end it; it never sees what S3 takes."""
    environment = deployment.client_environment()
    chunked = way == "through MLflow"
    name = f"half-{'chunked' if chunked else 'sized'}"
    body = secrets.token_bytes(8 * 1024 * 1024)
    address = urlsplit(f"{artifacts_url(deployment)}/{name}")
    connection = http.client.HTTPSConnection(
        address.netloc,
        context=ssl.create_default_context(cafile=environment["MLFLOW_TRACKING_SERVER_CERT_PATH"]),
        timeout=60,
    )
    login = base64.b64encode(":".join(login_of(environment)).encode()).decode()

    def send(part: bytes, *, last: bool) -> None:
        end = b"0\r\n\r\n" if last else b""
        connection.send(b"%x\r\n%b\r\n%b" % (len(part), part, end) if chunked else part)

    try:
        connection.putrequest("PUT", address.path)
        connection.putheader("Authorization", f"Basic {login}")
        connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
        connection.endheaders()
        send(body[: len(body) // 2], last=False)
        if chunked:
            spooled = f"find /var/tmp/systemd-private-*-mlflow.service-* -name {name} -size +3M -exec echo here ';'"
            wait_for(deployment, "here", spooled)
            deployment.on_host("systemctl stop --no-block mlflow")
            wait_for(deployment, "deactivating", "systemctl show -P ActiveState mlflow")
            # Of 30 seconds that such a request is given.
            time.sleep(5)
        else:
            s3 = urlsplit(deployment.variables["mlflow_aws"]["endpoint_url"]).netloc
            wait_for(deployment, "1", f"ss -tneH state established dst {s3} | grep uid:$(id -u www-data) | wc -l")
            deployment.on_host("systemctl stop mlflow")
        send(body[len(body) // 2 :], last=True)
        assert connection.getresponse().status == http.HTTPStatus.OK
        wait_for(deployment, "inactive", "systemctl show -P ActiveState mlflow")
    finally:
        connection.close()
        deployment.on_host("systemctl start mlflow")
    bucket, key = deployment.resources()["buckets"][0], address.path.partition("/mlflow-artifacts/artifacts/")[2]
    assert deployment.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == body


def test_an_artifact_comes_from_s3_as_it_was_sent(deployment: Deployment) -> None:
    environment = deployment.client_environment()
    # By its name it is packed, which whoever gets it as such would undo.
    address = f"{artifacts_url(deployment)}/a%20folder/%C3%BC%25.tar.gz"
    content = b"\x1f\x8b, and then nothing that could be unpacked"
    options: Any = {
        "auth": login_of(environment),
        "verify": environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
        "timeout": 60,
    }
    requests.put(address, data=content, **options).raise_for_status()
    whole = requests.get(address, **options)
    part = requests.get(address, headers={"Range": "bytes=2-6"}, **options)
    absent = requests.get(f"{address}.sha256", **options)
    assert (whole.status_code, whole.content) == (200, content)
    # MLflow's own says when it was spooled.
    assert whole.headers["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert (part.status_code, part.content) == (206, content[2:7])
    assert "error_code" in absent.json()


@contextlib.contextmanager
def s3_as_in_the_region(deployment: Deployment) -> Iterator[tuple[str, Callable[[], str]]]:
    """Let the bucket be where AWS has it: at its own name in the region, over TLS, and MLflow told of no endpoint.

    Gives that name, and what it was asked. The host trusts its certificate, nginx only from its next start on.
    """
    connection, (bucket,) = deployment.variables["mlflow_aws"], deployment.resources()["buckets"]
    name = f"{bucket}.s3.{connection['region']}.amazonaws.com"
    authority = create_authority()
    identity = issue(authority, name)
    engine, host = docker.from_env(), deployment.host
    (network,) = host.attrs["NetworkSettings"]["Networks"]
    front = engine.containers.run(
        str(host.attrs["Config"]["Image"]),
        ["python3", "-c", Path(__file__).with_name("tls_front.py").read_text()],
        environment={
            "CERTIFICATE": identity.certificate.decode(),
            "KEY": identity.key.decode(),
            "SERVER": urlsplit(connection["endpoint_url"]).netloc,
        },
        network=network,
        networking_config={network: EndpointConfig(engine.api.api_version, aliases=[name])},
        detach=True,
    )
    settings, trust = "/run/systemd/system/mlflow.service.d", "/usr/local/share/ca-certificates/s3.crt"
    try:
        # MLflow trusts what came with its release.
        deployment.on_host(f"""set -e
            cat >{trust} <<'END'\n{authority.certificate.decode()}END
            update-ca-certificates >/dev/null 2>&1
            mkdir -p {settings}
            echo MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=virtual >{settings}/region.env
            own=$(readlink -f "$(/opt/mlflow/current/bin/python -m certifi)")
            cat >{settings}/region.conf <<END\n[Service]
            EnvironmentFile={settings}/region.env
            UnsetEnvironment=AWS_ENDPOINT_URL_S3
            BindReadOnlyPaths=/etc/ssl/certs/ca-certificates.crt:$own\nEND
            systemctl daemon-reload
            systemctl restart mlflow""")
        yield name, lambda: front.logs(stderr=False).decode()
    finally:
        # First: in the network it would keep the sandbox from going.
        front.remove(force=True)
        deployment.on_host(f"""rm -rf {settings} {trust}
            update-ca-certificates --fresh >/dev/null
            systemctl daemon-reload && systemctl restart mlflow nginx""")


def test_an_artifact_goes_to_the_regions_s3_over_tls_if_its_certificate_is_trusted(deployment: Deployment) -> None:
    environment = deployment.client_environment()
    address = f"{artifacts_url(deployment)}/by%20TLS.bin"
    content = secrets.token_bytes(2**20)
    options: Any = {
        "auth": login_of(environment),
        "verify": environment["MLFLOW_TRACKING_SERVER_CERT_PATH"],
        "timeout": 60,
    }
    with s3_as_in_the_region(deployment) as (name, asked):
        refused = requests.put(address, data=content, **options)
        assert refused.status_code == http.HTTPStatus.SERVICE_UNAVAILABLE, refused.text
        assert not asked()
        deployment.on_host("systemctl restart nginx")
        requests.put(address, data=content, **options).raise_for_status()
        fetched = requests.get(address, **options)
        heads = asked()
    assert (fetched.status_code, fetched.content) == (200, content)
    assert {line for line in heads.splitlines() if line.lower().startswith("host:")} == {f"Host: {name}"}
    sent, *_ = (head for head in heads.split("\r\n\r\n") if "PUT" in head)
    assert "authorization:" not in sent.lower()
    bucket, key = deployment.resources()["buckets"][0], f"{urlsplit(artifacts_url(deployment)).path}/by TLS.bin"
    stored = deployment.client("s3").get_object(Bucket=bucket, Key=key.partition("/mlflow-artifacts/artifacts/")[2])
    assert stored["Body"].read() == content


def test_a_lost_database_is_reported_and_its_return_needs_nobody(deployment: Deployment) -> None:
    database = deployment.database
    database.stop(timeout=5)
    try:
        started = time.monotonic()
        answer = healthy(deployment, "write", deadline=20)
        assert time.monotonic() - started < 20 + 10, "Ansible's own start included"
        assert not answer.get("healthy")
        assert "run_create" in str(answer["msg"]), answer
    finally:
        database.start()
    wait_until_healthy(deployment, 60)


def test_a_lost_host_is_replaced_and_no_run_is_lost_with_it(deployment: Deployment) -> None:
    """The host holds nothing: another one finds every run, and clients trust it at the same address."""
    search = "import mlflow; print(len(mlflow.search_runs(search_all_experiments=True)))"

    def runs() -> int:
        environment = deployment.client_environment()
        done = subprocess.run(
            [sys.executable, "-c", search], env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    before = runs()
    assert before > 0
    deployment.client("ec2").terminate_instances(InstanceIds=[deployment.host.labels[BODY_LABEL]])
    assert_played(deployment.play("site.yml"), changed=True)
    assert runs() == before
