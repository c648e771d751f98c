"""What is found wrong with a certificate before it reaches a host."""

from __future__ import annotations

import datetime
import ipaddress
import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mlops.mlflow.plugins.filter import certificate
from ansible_collections.mlops.mlflow.plugins.filter.certificate import FilterModule, certificate_problems
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey = KEY, encryption: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def certificate_pem(*names: str, start: datetime.timedelta = -DAY, end: datetime.timedelta = DAY) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mlflow.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        subject, subject, KEY.public_key(), x509.random_serial_number(), now + start, now + end
    )
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["mlflow.example.com"], "mlflow.example.com"),
        (["MLflow.example.com"], "mlflow.Example.com"),
        (["other.example.com", "*.example.com"], "mlflow.example.com"),
        (["10.0.0.7"], "10.0.0.7"),
    ],
)
def test_a_valid_pair_has_no_problem(names: list[str], name: str) -> None:
    assert certificate_problems(certificate_pem(*names), key_pem(), name) == []


def test_intermediates_may_follow_the_certificate() -> None:
    chain = certificate_pem("mlflow.example.com") + certificate_pem("ca.example.com")
    assert certificate_problems(chain, key_pem(), "mlflow.example.com") == []


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["other.example.com"], "mlflow.example.com"),
        (["*.example.com"], "a.mlflow.example.com"),
        (["*.example.com"], "example.com"),
        (["10.0.0.7"], "10.0.0.8"),
        # The common name says so, but no client reads it any more.
        ([], "mlflow.example.com"),
    ],
)
def test_an_uncovered_name_is_a_problem(names: list[str], name: str) -> None:
    problems = certificate_problems(certificate_pem(*names), key_pem(), name)
    assert problems == [f"the certificate does not cover {name}"]


def test_another_certificates_key_is_a_problem() -> None:
    problems = certificate_problems(certificate_pem("mlflow.example.com"), key_pem(OTHER), "mlflow.example.com")
    assert problems == ["the key belongs to another certificate"]


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [(-2 * DAY, -DAY, "the certificate expired at "), (DAY, 2 * DAY, "the certificate is not valid before ")],
)
def test_a_certificate_out_of_its_time_is_a_problem(
    start: datetime.timedelta, end: datetime.timedelta, problem: str
) -> None:
    problems = certificate_problems(
        certificate_pem("mlflow.example.com", start=start, end=end), key_pem(), "mlflow.example.com"
    )
    assert len(problems) == 1
    assert re.fullmatch(rf"{problem}\d{{4}}-\d\d-\d\d \d\d:\d\d UTC", problems[0])


def test_every_problem_is_told_at_once() -> None:
    problems = certificate_problems(certificate_pem("a.example.com", start=-2 * DAY, end=-DAY), key_pem(OTHER), "b.com")
    assert len(problems) == 3


def test_unreadable_files_are_problems_and_no_key_is_quoted() -> None:
    encrypted = key_pem(encryption=BestAvailableEncryption(b"secret"))
    assert certificate_problems("nonsense", encrypted, "b.com") == [
        "the certificate is not in PEM form",
        "the key is not in PEM form, or it has a passphrase",
    ]


def test_one_unreadable_file_is_one_problem() -> None:
    readable = certificate_pem("b.com")
    assert certificate_problems("nonsense", key_pem(), "b.com") == ["the certificate is not in PEM form"]
    assert certificate_problems(readable, "nonsense", "b.com") == ["the key is not in PEM form, or it has a passphrase"]


def test_other_types_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes the certificate's text"):
        FilterModule().filters()["certificate_problems"](None, "", "")


def test_a_controller_without_cryptography_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(AnsibleFilterError, match="pip install cryptography"):
        certificate_problems("", "", "mlflow.example.com")
