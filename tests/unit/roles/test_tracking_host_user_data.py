"""What a new tracking host runs at its first boot: it installs what AWS signed, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

ROLE = Path(__file__).parents[3] / "roles/tracking_host"
KEYS = (ROLE / "files/amazon-ssm-agent.asc").read_text().strip()
# What EC2 takes, before it is encoded.
LIMIT = 16384
# https://docs.aws.amazon.com/systems-manager/latest/userguide/verify-agent-signature.html
PUBLISHED = ["4855A9E6833216D6A77D8FE451A8E050D0052E5D", "1C5B395CBE5E74E2F1CA21592784DBF388D19D46"]

# A key that was valid on the first of January 2024 alone, and what it signed on that day. The older of AWS's keys has
# expired just so since it signed the agent.
SIGNER = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEZZIAgBYJKwYBBAHaRw8BAQdAfHiFg5uWi2UwDrh9rDnc2Z85KfntXxGMBOw0
I6f/bmW0IUFnZW50IHNpZ25lciA8c2lnbmVyQGV4YW1wbGUuY29tPoiWBBMWCAA+
FiEEFC6MeCPeAvWf2hXqCTcweoQBvz0FAmWSAIACGwMFCQABUYAFCwkIBwIGFQoJ
CAsCBBYCAwECHgECF4AACgkQCTcweoQBvz0ZzQEA8wB/I8xgrDZtabuSicS76tsK
0qybOXszx1iHRmqDLgYBALZsAML9z4JmNFBAW84JNr7mlf5slYoq0Npv9ivPcmMN
=TJHf
-----END PGP PUBLIC KEY BLOCK-----
"""
PACKAGE = "the agent"
SIGNATURE = (
    "iHUEABYIAB0WIQQULox4I94C9Z/aFeoJNzB6hAG/PQUCZZIAgAAKCRAJNzB6hAG/PRx9AQC4yGZU"
    "y2eUzFBT7f1fqYYFzfUHprY+vh/RA+kSYhKmAgEAySXhXJbJvnaEwcHTFwxo8HX2sDP7/WSqHxiT"
    "ABx1bAk="
)

# All but the check itself is played: each command says what it is called with, and curl takes its file from a folder.
PLAYED = """#!/bin/sh
echo "$(basename "$0") $*" >>"$RECORD"
[ "$(basename "$0")" != curl ] || {
    for argument; do [ "$before" != --output ] || to=$argument; before=$argument; done
    cp "$WEB/${argument##*/}" "$to"
}
"""


def rendered(keys: str) -> str:
    """Render the template as the role does."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((ROLE / "templates/user_data.sh.j2").read_text())
    return template.render(lookup=lambda *_: keys, __tracking_host_agent_url="https://agent.example.com/1.2.3.4")


class Boot:
    """A host's first boot, without the host."""

    def __init__(self, folder: Path) -> None:
        self.web, self.record, self.commands = (folder / name for name in ("web", "record", "bin"))
        self.web.mkdir()
        self.commands.mkdir()
        for name in ("apt-get", "curl", "dpkg", "systemctl"):
            command = self.commands / name
            command.write_text(PLAYED)
            command.chmod(0o755)
        self.publish()

    def publish(self, package: str = PACKAGE, signature: bytes = base64.b64decode(SIGNATURE)) -> None:
        """Put a package where it is downloaded from."""
        (self.web / "amazon-ssm-agent.deb").write_text(package)
        (self.web / "amazon-ssm-agent.deb.sig").write_bytes(signature)

    def run(self) -> tuple[int, list[str]]:
        """Run the script, and return how it ended and what it called."""
        path = f"{self.commands}:{os.environ['PATH']}"
        environment = {"PATH": path, "RECORD": str(self.record), "WEB": str(self.web)}
        done = subprocess.run(["sh"], input=rendered(SIGNER), env=environment, text=True, check=False)
        return done.returncode, self.record.read_text().splitlines()


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    return Boot(tmp_path)


INSTALLED = ["dpkg --install amazon-ssm-agent.deb", "systemctl enable --now amazon-ssm-agent"]


def test_the_agent_is_downloaded_and_installed(boot: Boot) -> None:
    code, called = boot.run()
    assert (code, called[-2:]) == (0, INSTALLED)
    fetched = [line.rpartition(" ")[2] for line in called if line.startswith("curl ")]
    assert fetched == [f"https://agent.example.com/1.2.3.4/amazon-ssm-agent.{suffix}" for suffix in ("deb", "deb.sig")]


@pytest.mark.parametrize(
    ("package", "signature"),
    [("another agent", base64.b64decode(SIGNATURE)), (PACKAGE, b""), (PACKAGE, b"no signature")],
    ids=["tampered with", "not signed", "signed with nonsense"],
)
def test_what_aws_did_not_sign_is_not_installed(boot: Boot, package: str, signature: bytes) -> None:
    boot.publish(package, signature)
    code, called = boot.run()
    assert code != 0
    assert not [line for line in called if line.startswith(("dpkg", "systemctl"))]


def test_nothing_follows_a_download_that_fails(boot: Boot) -> None:
    (boot.web / "amazon-ssm-agent.deb.sig").unlink()
    code, called = boot.run()
    assert code != 0
    assert called[-1].startswith("curl ")


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the packets of a key's export by their tags; GnuPG writes the old format, with lengths of up to 4 bytes."""
    while data:
        size = 1 << (data[0] & 3)
        length = int.from_bytes(data[1 : 1 + size])
        yield data[0] >> 2 & 15, data[1 + size : 1 + size + length]
        data = data[1 + size + length :]


def test_the_keys_are_those_that_aws_published() -> None:
    body = KEYS.partition("\n\n")[2].partition("\n=")[0]
    keys = [content for tag, content in packets(base64.b64decode(body)) if tag == 6]
    assert [
        hashlib.sha1(b"\x99" + len(key).to_bytes(2) + key, usedforsecurity=False).hexdigest().upper() for key in keys
    ] == PUBLISHED


def test_it_is_no_larger_than_ec2_takes() -> None:
    assert len(rendered(KEYS).encode()) < LIMIT
