"""Docker's side of the sandbox: networks and containers that carry its label, and nothing else of the machine."""

from __future__ import annotations

import io
import ipaddress
import socket
import struct
import tarfile
import time
from collections.abc import Mapping
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container as DockerContainer
from docker.types import EndpointConfig, IPAMConfig, IPAMPool

from sandbox.bodies import Actual, Body, Container, Database, Host, Network, Phase
from sandbox.certificates import ensure_authority, issue
from sandbox.errors import SandboxError
from sandbox.images import ensure_image
from sandbox.settings import Settings

# The inventory's path: how several sandboxes share a machine.
LABEL = "mlflow.sandbox"
BODY_LABEL = "mlflow.sandbox.body"
NAME_LABEL = "mlflow.sandbox.name"
NETWORK_LABEL = "mlflow.sandbox.network"

PROBE_SECONDS = 1.0
STOP_SECONDS = 60
ADMIN_UID = 1000
# Bytes of a packet inside a VPC ("Network maximum transmission unit (MTU) for your EC2 instance" in EC2's user guide).
VPC_MTU = 9001

# What systemd needs, without --privileged. A cgroup name space of its own would boot, and silently lift MemoryMax.
HOST_OPTIONS: dict[str, Any] = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "cgroupns": "host",
    "volumes": {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}},
    "tmpfs": {"/run": "exec,mode=755", "/run/lock": ""},
    "environment": {"container": "docker"},
}


class Containers:
    """The bodies of one sandbox."""

    def __init__(self, client: docker.DockerClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._mine = {"label": f"{LABEL}={settings.inventory}"}

    def listing(self) -> list[dict[str, Any]]:
        """List the containers as Docker describes them, in one request."""
        return list(self._client.api.containers(all=True, filters=self._mine))

    def actual(self, bodies: Mapping[str, Body]) -> Actual:
        """Look at what there is; ask those whether they are ready whose phase waits for it."""
        containers = {}
        for entry in self.listing():
            body_id, running = entry["Labels"][BODY_LABEL], entry["State"] == "running"
            body = bodies.get(body_id)
            waits = body is not None and body.phase in (Phase.STARTING, Phase.CONFIGURING)
            containers[body_id] = Container(body_id, running, ready=bool(body and waits and running and _ready(body)))
        networks = self._client.api.networks(filters=self._mine)
        return Actual(
            frozenset(n["Labels"][NETWORK_LABEL] for n in networks if NETWORK_LABEL in n["Labels"]), containers
        )

    def create_api_network(self) -> None:
        """Give the machine the API's address, which hosts reach and the outside does not."""
        address = self._settings.address
        name = f"{self._settings.prefix}-api"
        if any(network.name == name for network in self._client.networks.list(filters=self._mine)):
            return
        for network in self._client.networks.list():
            pools = (network.attrs.get("IPAM") or {}).get("Config") or []
            overlaps = [
                p for p in pools if ipaddress.ip_address(address) in ipaddress.ip_network(p.get("Subnet", "::/128"))
            ]
            if overlaps:
                owner = (network.attrs.get("Labels") or {}).get(LABEL)
                of = f"the sandbox of {owner}" if owner else f"Docker's network {network.name}"
                raise SandboxError(
                    f"The address {address} belongs to {of}. End that one first, or give "
                    f"{self._settings.inventory}/group_vars/all.yml another mlflow_aws.endpoint_url."
                )
        subnet = str(ipaddress.ip_network(f"{address}/29", strict=False))
        self._create_network(name, subnet, address, {})

    def create_network(self, network: Network) -> None:
        """Make the Docker network of a VPC."""
        # The first address of a subnet is its router's on AWS too, and never an instance's.
        gateway = str(ipaddress.ip_network(network.cidr)[1])
        labels = {NETWORK_LABEL: network.id}
        self._create_network(f"{self._settings.prefix}-{network.id}", network.cidr, gateway, labels)

    def remove_network(self, network_id: str) -> None:
        """Remove the Docker network of a VPC."""
        self._client.api.remove_network(f"{self._settings.prefix}-{network_id}")

    def create(self, body: Body) -> None:
        """Make and start a container, complete before its first process runs."""
        name = f"{self._settings.prefix}-{body.name if isinstance(body, Database) else body.id}"
        network = f"{self._settings.prefix}-{body.network}"
        labels = {LABEL: str(self._settings.inventory), BODY_LABEL: body.id, NAME_LABEL: body.name}
        if isinstance(body, Host):
            image = ensure_image(self._client, "host", body.release)
            files, aliases, options = self._host_files(body), [], {**HOST_OPTIONS, "hostname": body.hostname}
        else:
            image = ensure_image(self._client, "database")
            files, aliases, options = self._database_files(body), [body.endpoint], {}
        endpoint = EndpointConfig(self._client.api.api_version, aliases=aliases, ipv4_address=body.address)
        container = self._client.containers.create(
            image, name=name, labels=labels, network=network, networking_config={network: endpoint}, **options
        )
        try:
            container.put_archive("/", _archive(files))
            container.start()
        except APIError:
            # Half a body would pass for one that somebody stopped.
            container.remove(force=True)
            raise

    def start(self, body: Body) -> None:
        """Start a stopped container."""
        self._container(body.id).start()

    def stop(self, body: Body) -> None:
        """Shut a container down in order."""
        self._container(body.id).stop(timeout=STOP_SECONDS)

    def restart(self, body: Body) -> None:
        """Shut a container down in order, and start it."""
        self._container(body.id).restart(timeout=STOP_SECONDS)

    def remove(self, body_id: str) -> None:
        """Remove a container with all that is in it."""
        self._container(body_id).remove(force=True, v=True)

    def configure(self, database: Database) -> None:
        """Give a running database its master user's new password."""
        container = self._container(database.id)
        container.put_archive("/", _archive(_master_files(database)))
        result = container.exec_run(["sandbox-database-master"])
        if result.exit_code != 0:
            raise SandboxError(str(result.output))

    def remove_all(self) -> list[str]:
        """Remove every container and network of this sandbox; return their names."""
        removed = []
        for entry in self.listing():
            try:
                self._client.api.remove_container(entry["Id"], force=True, v=True)
            except NotFound:
                continue
            removed.append(entry["Names"][0].lstrip("/"))
        for network in self._client.api.networks(filters=self._mine):
            self._client.api.remove_network(network["Id"])
            removed.append(network["Name"])
        return removed

    def _container(self, body_id: str) -> DockerContainer:
        filters = {"label": [self._mine["label"], f"{BODY_LABEL}={body_id}"]}
        found = self._client.api.containers(all=True, filters=filters)
        if not found:
            raise SandboxError(f"there is no container of {body_id}")
        return self._client.containers.get(found[0]["Id"])

    def _create_network(self, name: str, subnet: str, gateway: str, labels: dict[str, str]) -> None:
        pool = IPAMPool(subnet=subnet, gateway=gateway)
        try:
            self._client.networks.create(
                name, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]),
                labels={LABEL: str(self._settings.inventory), **labels},
                options={"com.docker.network.driver.mtu": str(VPC_MTU)},
            )  # fmt: skip
        except APIError as error:
            raise SandboxError(f"Docker cannot make a network of {subnet}: {error.explanation}") from error

    def _host_files(self, host: Host) -> list[_Entry]:
        return [
            _file("etc/sandbox/metadata", f"METADATA={self._settings.address}:{self._settings.port}\n"),
            _file("home/admin/.ssh/authorized_keys", host.authorized_key.strip() + "\n", mode=0o600, owner=ADMIN_UID),
        ]

    def _database_files(self, database: Database) -> list[_Entry]:
        authority = ensure_authority(self._settings.ca_certificate, self._settings.ca_key)
        identity = issue(authority, database.endpoint)
        host = "hostssl" if database.tls_only else "host"
        rules = [
            "local all rdsadmin,postgres peer map=superuser",
            "host all rdsadmin all reject",
            f"{host} all all all scram-sha-256",
        ]
        return [
            *_master_files(database),
            _file("etc/sandbox/server.crt", identity.certificate),
            _file("etc/sandbox/server.key", identity.key, mode=0o600),
            _file("etc/sandbox/pg_hba.conf", "\n".join(rules) + "\n"),
            _file("etc/sandbox/settings.conf", f"port = {database.port}\n"),
        ]


class _Entry(tarfile.TarInfo):
    """A file of an archive together with its content."""

    content: bytes


def _file(name: str, content: str | bytes, *, mode: int = 0o644, owner: int = 0) -> _Entry:
    entry = _Entry(name)
    entry.content = content.encode() if isinstance(content, str) else content
    entry.size, entry.mode, entry.uid, entry.gid, entry.mtime = len(entry.content), mode, owner, owner, int(time.time())
    return entry


def _master_files(database: Database) -> list[_Entry]:
    values = {"username": database.username, "password": database.password, "database": database.database}
    return [_file(f"etc/sandbox/master/{name}", value, mode=0o600) for name, value in values.items()]


def _archive(files: list[_Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in files:
            archive.addfile(entry, io.BytesIO(entry.content))
    return buffer.getvalue()


def _ready(body: Body) -> bool:
    try:
        return _ssh_ready(body.address) if isinstance(body, Host) else _postgres_ready(body.address, body.port)
    except OSError:
        return False


def _ssh_ready(address: str) -> bool:
    with socket.create_connection((address, 22), PROBE_SECONDS) as connection:
        connection.settimeout(PROBE_SECONDS)
        return connection.recv(4) == b"SSH-"


def _postgres_ready(address: str, port: int) -> bool:
    """Ask for a session without TLS or password: whatever the refusal, only a server that works gives it."""
    parameters = b"user\0probe\0database\0postgres\0\0"
    with socket.create_connection((address, port), PROBE_SECONDS) as connection:
        connection.settimeout(PROBE_SECONDS)
        connection.sendall(struct.pack("!ii", 8 + len(parameters), 196608) + parameters)
        answer = connection.recv(1024)
    # 57P03: cannot connect now.
    return answer[:1] in (b"R", b"E") and b"57P03" not in answer
