"""The databases' certificates, judged by a TLS handshake, and the key pair, judged by ssh-keygen."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from sandbox.certificates import create_authority, ensure_authority, ensure_ssh_key, issue

ENDPOINT = "mlflow-sandbox-with-a-name-as-long-as-any.aaaaaaaaaa.eu-west-1.rds.amazonaws.com"


def handshake(tmp_path: Path, trusted: bytes, certificate: bytes, key: bytes, hostname: str) -> None:
    """Let a client meet a server, in memory."""
    (tmp_path / "server.pem").write_bytes(certificate + key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "server.pem")
    client_context = ssl.create_default_context(cadata=trusted.decode())
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=hostname)
    server = server_context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_a_client_that_trusts_the_authority_trusts_the_endpoint(tmp_path: Path) -> None:
    """Also one whose name is longer than a common name may be."""
    authority = create_authority()
    server = issue(authority, ENDPOINT)
    handshake(tmp_path, authority.certificate, server.certificate, server.key, ENDPOINT)


def test_another_name_or_authority_is_refused(tmp_path: Path) -> None:
    """What verify-full is for."""
    authority = create_authority()
    server = issue(authority, ENDPOINT)
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        handshake(tmp_path, authority.certificate, server.certificate, server.key, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, create_authority().certificate, server.certificate, server.key, ENDPOINT)


def test_files_are_made_once_and_keys_are_private(tmp_path: Path) -> None:
    """A second `up` must not lock out what the first one trusted."""
    certificate, key, ssh_key = tmp_path / "ca.crt", tmp_path / "ca.key", tmp_path / "id_ed25519"
    first = ensure_authority(certificate, key)
    assert ensure_authority(certificate, key) == first
    ensure_ssh_key(ssh_key)
    content = ssh_key.read_bytes()
    ensure_ssh_key(ssh_key)
    assert ssh_key.read_bytes() == content
    assert [path.stat().st_mode & 0o777 for path in (key, ssh_key)] == [0o600, 0o600]
    public = subprocess.run(["ssh-keygen", "-y", "-f", ssh_key], check=True, capture_output=True, text=True).stdout
    assert public.split()[:2] == ssh_key.with_name("id_ed25519.pub").read_text().split()[:2]
