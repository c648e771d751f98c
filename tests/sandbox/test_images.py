"""What the images are made of: their tags, and the certificates of a proxy that inspects TLS."""

from __future__ import annotations

import tarfile
from pathlib import Path

import certifi
import pytest

from sandbox import images
from sandbox.certificates import create_authority, issue
from sandbox.errors import SandboxError


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget this machine's own settings."""
    for name in ("SANDBOX_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["SANDBOX_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_only_the_companys_authority_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A bundle is mostly the public list, which the image has; a server's own certificate is no authority."""
    company = create_authority()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(
        Path(certifi.where()).read_bytes() + company.certificate + issue(company, "a.example").certificate
    )
    monkeypatch.setenv(name, str(bundle))
    assert list(images.extra_certificates().values()) == [company.certificate]


def test_none_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off, unless the user's environment says otherwise; an empty setting turns the finding off."""
    assert images.extra_certificates() == {}
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SANDBOX_CA_BUNDLE", "")
    assert images.extra_certificates() == {}


def test_a_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is named, and what it says."""
    monkeypatch.setenv("SANDBOX_CA_BUNDLE", "/nonexistent")
    with pytest.raises(SandboxError, match=r"/nonexistent.*SANDBOX_CA_BUNDLE"):
        images.extra_certificates()


def test_the_tag_follows_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed file gives another tag, which `up` then builds; an unchanged one builds nothing."""
    (tmp_path / "host").mkdir()
    dockerfile = tmp_path / "host" / "Dockerfile"
    dockerfile.write_text("FROM scratch\n")
    monkeypatch.setattr(images, "SOURCES", tmp_path)
    first, again = images._fingerprint("host"), images._fingerprint("host")
    dockerfile.write_text("FROM scratch\n# changed\n")
    changed = images._fingerprint("host")
    dockerfile.chmod(0o755)
    assert first == again
    assert len({first, changed, images._fingerprint("host")}) == 3


@pytest.mark.parametrize("kind", ["host", "database"])
def test_the_build_gets_every_file(kind: images.Kind) -> None:
    """Programs stay executable, whatever the checkout's umask was."""
    with tarfile.open(fileobj=images._context(kind)) as archive:
        modes = {entry.name: entry.mode for entry in archive.getmembers()}
    assert modes["Dockerfile"] == 0o644
    assert {mode for name, mode in modes.items() if "/bin/" in name} <= {0o755}
    assert "certificates/.keep" in modes
