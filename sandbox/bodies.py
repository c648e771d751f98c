"""The words that the API's side and Docker's side of the reconciler share."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Phase(enum.Enum):
    """What the API says of an instance or a database; the middle four last until a body has followed."""

    RUNNING = "running"
    STARTING = "starting"
    REBOOTING = "rebooting"
    CONFIGURING = "configuring"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Network:
    """A VPC."""

    id: str
    cidr: str


@dataclass(frozen=True)
class Host:
    """What the body of an EC2 instance is made of."""

    id: str
    name: str
    network: str
    address: str
    phase: Phase
    release: str
    hostname: str
    authorized_key: str


@dataclass(frozen=True)
class Database:
    """What the body of an RDS instance is made of."""

    id: str
    name: str
    network: str
    address: str
    phase: Phase
    endpoint: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str
    tls_only: bool


Body = Host | Database


@dataclass(frozen=True)
class Desired:
    """Everything that the API says should be there."""

    networks: Mapping[str, Network]
    bodies: Mapping[str, Body]


@dataclass(frozen=True)
class Container:
    """What Docker says of one body."""

    body: str
    running: bool
    ready: bool


@dataclass(frozen=True)
class Actual:
    """Everything of this sandbox that Docker has."""

    networks: frozenset[str]
    containers: Mapping[str, Container]
