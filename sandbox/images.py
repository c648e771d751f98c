"""The images of the sandbox's hosts and databases, built from Debian's packages, tagged by what they are made of."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import ssl
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import certifi
import docker
from cryptography import x509
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from sandbox.errors import SandboxError

Kind = Literal["host", "database"]

SOURCES = Path(__file__).parent / "images"
DEFAULT_RELEASE = "trixie"
RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
REPOSITORY = "mlflow-sandbox"
REGISTRY = "https://registry-1.docker.io/v2/"
REGISTRY_SECONDS = 4
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def ensure_image(client: docker.DockerClient, kind: Kind, release: str = DEFAULT_RELEASE) -> str:
    """Build the image if it is not there; return its tag."""
    tag = f"{REPOSITORY}-{kind}:{release}-{_fingerprint(kind)}"
    try:
        client.images.get(tag)
    except ImageNotFound:
        base = _ensure_base(client, release)
        with _Step(f"building the {kind} image of {RELEASES[release]} (once, a minute or so)"):
            _build(client, _context(kind), tag, base)
    return tag


def extra_certificates() -> dict[str, bytes]:
    """Find the authorities that this machine trusts and no public list knows: those of a proxy that inspects TLS.

    Without them nothing inside a container could download. They come from the file that SANDBOX_CA_BUNDLE names,
    or else from the usual variables, which only a user behind such a proxy sets; `SANDBOX_CA_BUNDLE=` is none.
    """
    names = ("SANDBOX_CA_BUNDLE",) if "SANDBOX_CA_BUNDLE" in os.environ else ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    bundles = [Path(os.environ[name]) for name in names if os.environ.get(name)]
    public = [Path(certifi.where()), *Path("/usr/share/ca-certificates").rglob("*.crt")]
    known = {_digest(pem) for file in public for pem in _split(file.read_bytes())}
    found: dict[str, bytes] = {}
    for bundle in bundles:
        try:
            content = bundle.read_bytes()
        except OSError as error:
            raise SandboxError(f"Cannot read the CA bundle {bundle}: {error.strerror}. Correct {names[0]}.") from error
        for pem in _split(content):
            if (digest := _digest(pem)) not in known and _is_authority(pem):
                found[f"extra-{digest[:16]}.crt"] = pem
    return found


def _split(bundle: bytes) -> list[bytes]:
    """Cut a bundle into its certificates: update-ca-certificates wants one per file."""
    return re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\r?\n?", bundle, re.DOTALL)


def _digest(pem: bytes) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()


def _is_authority(pem: bytes) -> bool:
    try:
        constraints = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, x509.ExtensionNotFound):
        return False
    return constraints.value.ca


def _inputs(kind: Kind) -> Iterator[tuple[str, bytes, int]]:
    """Yield name, content and mode of each file that the image is made of."""
    for path in sorted((SOURCES / kind).rglob("*")):
        if path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield str(path.relative_to(SOURCES / kind)), path.read_bytes(), mode
    yield "certificates/.keep", b"", 0o644
    for name, pem in sorted(extra_certificates().items()):
        yield f"certificates/{name}", pem, 0o644


def _fingerprint(kind: Kind) -> str:
    digest = hashlib.sha256()
    for name, content, mode in _inputs(kind):
        digest.update(f"{name}\0{mode}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _context(kind: Kind) -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content, mode in _inputs(kind):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    context.seek(0)
    return context


def _build(client: docker.DockerClient, context: io.BytesIO, tag: str, base: str) -> None:
    proxies = {name: value for name in PROXIES if (value := os.environ.get(name) or os.environ.get(name.upper()))}
    output: list[str] = []
    lines = client.api.build(
        fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True,
        buildargs={"BASE": base, **proxies},
    )  # fmt: skip
    for line in lines:
        output.append(line.get("stream", ""))
        if "error" in line:
            tail = "".join(output).splitlines()[-15:]
            raise SandboxError("\n".join([f"Building the image {tag} failed: {line['error']}", *tail]))


def _ensure_base(client: docker.DockerClient, release: str) -> str:
    """Find Debian itself: the registry's image where one answers, otherwise made from Debian's packages."""
    official, own = f"debian:{release}-slim", f"{REPOSITORY}-base:{release}"
    for tag in (official, own):
        try:
            client.images.get(tag)
        except ImageNotFound:
            continue
        return tag
    if _registry_answers() and _pull(client, official):
        return official
    _import(client, _ensure_rootfs(release), own)
    return own


def _registry_answers() -> bool:
    try:
        urllib.request.urlopen(REGISTRY, timeout=REGISTRY_SECONDS)
    except urllib.error.HTTPError as error:
        # It asks who we are, which is how a registry says that it is one.
        return error.code == 401
    except (urllib.error.URLError, OSError):
        return False
    return True


def _pull(client: docker.DockerClient, tag: str) -> bool:
    with _Step(f"pulling {tag}"):
        try:
            client.images.pull(tag)
        except (DockerException, RequestException):
            return False
    return True


def _cache() -> Path:
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlops-mlflow"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _ensure_rootfs(release: str) -> Path:
    """Make the smallest root file system that has apt, once per machine."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", release]
    fingerprint = hashlib.sha256(json.dumps([command, platform.machine()]).encode()).hexdigest()[:12]
    rootfs = _cache() / f"rootfs-{release}-{fingerprint}.tar.zst"
    if not rootfs.exists():
        partial = rootfs.with_name(f"{os.getpid()}-{rootfs.name}")
        try:
            with _Step(f"building {RELEASES[release]} root file system (once, about a minute)"):
                made = subprocess.run([*command, str(partial)], check=False, capture_output=True, text=True)
            if made.returncode != 0:
                raise SandboxError(f"mmdebstrap of {release} failed: {made.stderr.strip()[-1500:]}")
            partial.rename(rootfs)
        except FileNotFoundError as error:
            raise SandboxError(
                "No registry answers, so the sandbox's Debian is made by mmdebstrap, which is missing. "
                "Run 'make setup', or 'sudo apt-get install mmdebstrap zstd'."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
    return rootfs


def _import(client: docker.DockerClient, rootfs: Path, tag: str) -> None:
    # The engine reads zstd only since version 23.
    with _Step(f"importing {rootfs.name}"), subprocess.Popen(["zstd", "-dcq", rootfs], stdout=subprocess.PIPE) as zstd:
        assert zstd.stdout is not None
        repository, _, name = tag.partition(":")
        client.api.import_image_from_stream(zstd.stdout, repository=repository, tag=name, changes=['CMD ["/bin/bash"]'])
    if zstd.returncode != 0:
        raise SandboxError(f"{rootfs} cannot be read. Delete it and repeat.")


class _Step:
    """Say what takes long, and afterwards how long it took."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        self.started = time.monotonic()
        print(f"[sandbox] {self.text} …", flush=True)

    def __exit__(self, *_: object) -> None:
        print(f"[sandbox]   {time.monotonic() - self.started:.0f} s", flush=True)
