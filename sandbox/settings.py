"""What an inventory says about its sandbox, and where the sandbox keeps its files."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from sandbox.errors import SandboxError


@dataclass(frozen=True)
class Settings:
    """One sandbox: a function of its inventory's directory."""

    inventory: Path
    address: str
    port: int
    region: str

    @property
    def endpoint_url(self) -> str:
        """The URL of the API."""
        return f"http://{self.address}:{self.port}"

    @property
    def prefix(self) -> str:
        """Begins the names of this sandbox's containers and networks, which Docker wants unique on the machine."""
        return "sandbox-" + hashlib.sha256(str(self.inventory).encode()).hexdigest()[:6]

    @property
    def state(self) -> Path:
        """The directory of everything that `up` makes and `down` removes."""
        return self.inventory / ".sandbox"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives; its content is the process id."""
        return self.state / "daemon.pid"

    @property
    def log(self) -> Path:
        """What the daemon did, one line per action."""
        return self.state / "sandbox.log"

    @property
    def ssh_key(self) -> Path:
        """The private key for the hosts; its public half lies beside it."""
        return self.state / "id_ed25519"

    @property
    def ca_certificate(self) -> Path:
        """The authority that signs the databases' certificates, as Amazon's does for RDS."""
        return self.state / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The private key of that authority."""
        return self.state / "ca.key"

    @property
    def trust(self) -> Path:
        """The certificate by which clients trust the tracking server."""
        return self.inventory / ".trust" / "tracking-server.pem"

    @classmethod
    def read(cls, inventory: Path) -> Settings:
        """Read `mlflow_aws` from the inventory's variables."""
        inventory = inventory.resolve()
        variables = inventory / "group_vars" / "all.yml"
        try:
            content = yaml.safe_load(variables.read_text(encoding="utf-8"))
        except OSError as error:
            raise SandboxError(f"Cannot read {variables}: {error.strerror}. Name an inventory's directory.") from error
        except yaml.YAMLError as error:
            raise SandboxError(f"{variables} is not valid YAML: {error}") from error
        aws = content.get("mlflow_aws") if isinstance(content, Mapping) else None
        if not isinstance(aws, Mapping):
            raise SandboxError(f"{variables}: mlflow_aws is missing. Take inventories/sandbox as the example.")
        url, region = str(aws.get("endpoint_url", "")), str(aws.get("region", ""))
        address, port = _listen(url, variables)
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
            raise SandboxError(f"{variables}: mlflow_aws.region is {region!r}: name an AWS region, such as eu-west-1.")
        return cls(inventory=inventory, address=address, port=port, region=region)


def _listen(url: str, variables: Path) -> tuple[str, int]:
    """Split the endpoint's URL into an address of a private network and a port."""
    wanted = "write http://, a private IPv4 address and a port, such as http://10.41.0.1:5566"
    try:
        parts = urlsplit(url)
        address, port = ipaddress.IPv4Address(parts.hostname or ""), parts.port
    except ValueError:
        address, port = ipaddress.IPv4Address(0), None
    # The address becomes the gateway of a Docker network of eight: its first usable one keeps that unambiguous.
    if url != f"http://{address}:{port}" or not address.is_private or address.is_loopback or int(address) % 8 != 1:
        raise SandboxError(
            f"{variables}: mlflow_aws.endpoint_url is {url!r}: {wanted} "
            "(the last number of the address one more than a multiple of eight)."
        )
    assert port is not None
    return str(address), port
