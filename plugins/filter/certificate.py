"""Filters on TLS certificates."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:  # The filter itself says so: the collection's others need no more than Ansible.
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True


def covers(certificate: x509.Certificate, name: str) -> bool:
    """Tell whether clients that connect to this name or address accept the certificate for it."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return address in names.get_values_for_type(x509.IPAddress)
    name = name.lower().rstrip(".")
    parent = name.partition(".")[2]
    covered = {pattern.lower() for pattern in names.get_values_for_type(x509.DNSName)}
    return name in covered or (bool(parent) and f"*.{parent}" in covered)


def _load(pem: str, loader: Callable[[bytes], Any]) -> Any:
    """Load one object, or return nothing when the text isn't one."""
    try:
        return loader(pem.encode())
    except (ValueError, TypeError):
        # Without the cause, which might quote the text: it may be a private key.
        return None


def _date(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def certificate_problems(certificate_pem: str, key_pem: str, name: str) -> list[str]:
    """Return what keeps this certificate and key from serving this name."""
    if not HAS_CRYPTOGRAPHY:
        raise AnsibleFilterError(
            "certificate_problems reads the certificate with Python's cryptography, which is missing here on the "
            "controller. Install it beside Ansible: pip install cryptography"
        )
    if not all(isinstance(value, str) for value in (certificate_pem, key_pem, name)):
        raise AnsibleFilterError("certificate_problems takes the certificate's text, the key's text and a name.")
    certificate: x509.Certificate | None = _load(certificate_pem, x509.load_pem_x509_certificate)
    key = _load(key_pem, lambda pem: load_pem_private_key(pem, password=None))
    if certificate is None or key is None:
        return [
            *(["the certificate is not in PEM form"] if certificate is None else []),
            *(["the key is not in PEM form, or it has a passphrase"] if key is None else []),
        ]
    problems = []
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*encoding) != key.public_key().public_bytes(*encoding):
        problems.append("the key belongs to another certificate")
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_valid_after_utc <= now:
        problems.append(f"the certificate expired at {_date(certificate.not_valid_after_utc)}")
    if certificate.not_valid_before_utc > now:
        problems.append(f"the certificate is not valid before {_date(certificate.not_valid_before_utc)}")
    if not covers(certificate, name):
        problems.append(f"the certificate does not cover {name}")
    return problems


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"certificate_problems": certificate_problems}
