"""What the API holds, read from moto's own memory: the desired state, and word back of what became of it.

Reading it over HTTP would need credentials once IAM enforcement is on, and twenty requests a second.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance, InstanceState
from moto.ec2.models.subnets import Subnet
from moto.rds.models import DBInstance, rds_backends

from sandbox.bodies import Body, Database, Desired, Host, Network, Phase
from sandbox.images import DEFAULT_RELEASE

INSTANCE_PHASES = {
    "pending": Phase.STARTING,
    "running": Phase.RUNNING,
    "rebooting": Phase.REBOOTING,
    "stopping": Phase.STOPPING,
    "stopped": Phase.STOPPED,
}
DATABASE_PHASES = {
    "creating": Phase.STARTING,
    "starting": Phase.STARTING,
    "available": Phase.RUNNING,
    "rebooting": Phase.REBOOTING,
    "resetting-master-credentials": Phase.CONFIGURING,
    "stopping": Phase.STOPPING,
    "stopped": Phase.STOPPED,
}
INSTANCE_STATES = {Phase.STARTING: ("pending", 0), Phase.RUNNING: ("running", 16), Phase.STOPPED: ("stopped", 80)}
DATABASE_STATUSES = {Phase.STARTING: "starting", Phase.RUNNING: "available", Phase.STOPPED: "stopped"}


class MotoState:
    """The API's instances and databases as bodies."""

    def __init__(self) -> None:
        self._addresses: dict[str, tuple[Subnet, str]] = {}

    def desired(self) -> Desired:
        """Read what should be there."""
        networks: dict[str, Network] = {}
        bodies: dict[str, Body] = {}
        found: list[tuple[EC2Backend, Body | None]] = [(ec2, _host(ec2, instance)) for ec2, instance in instances()]
        found += [(ec2, self._database(ec2, database)) for ec2, database in databases()]
        for ec2, body in found:
            # moto lets a VPC go while something is in it; AWS would not, so nothing is lost with the body.
            if body and (vpc := ec2.vpcs.get(body.network)):
                bodies[body.id] = body
                networks[body.network] = Network(body.network, vpc.cidr_block)
        for gone in self._addresses.keys() - bodies.keys():
            subnet, address = self._addresses.pop(gone)
            subnet.del_subnet_ip(address)
        return Desired(networks, bodies)

    @staticmethod
    def report(body: Body, phase: Phase) -> None:
        """Let the API say what became of a body, unless it wants something else meanwhile."""
        for _, instance in instances():
            if instance.id == body.id and _phase_of(instance) is body.phase:
                instance._state = InstanceState(*INSTANCE_STATES[phase])
                instance.rebooting = False  # type: ignore[attr-defined]
        for _, database in databases():
            if database.dbi_resource_id == body.id and DATABASE_PHASES.get(database.status) is body.phase:
                database.status = DATABASE_STATUSES[phase]

    def _database(self, ec2: EC2Backend, database: DBInstance) -> Database | None:
        phase = DATABASE_PHASES.get(database.status)
        if phase is None or database.engine != "postgres":
            return None
        if database.dbi_resource_id not in self._addresses:
            self._addresses[database.dbi_resource_id] = _reserve(ec2, database)
        subnet, address = self._addresses[database.dbi_resource_id]
        return Database(
            id=database.dbi_resource_id,
            name=database.db_instance_identifier,
            network=subnet.vpc_id,
            address=address,
            phase=phase,
            endpoint=database.address,
            port=database.port or 5432,
            username=database.master_username or "postgres",
            password=database._master_user_password or "",
            database=database.db_name or "",
            tls_only=_parameter(database, "rds.force_ssl") == "1",
        )


def instances() -> Iterator[tuple[EC2Backend, Instance]]:
    """Every instance of every account and region that was ever asked for anything."""
    for account in list(ec2_backends.values()):
        for backend in list(account.values()):
            for reservation in list(backend.reservations.values()):
                for instance in list(reservation.instances):
                    yield backend, instance


def databases() -> Iterator[tuple[EC2Backend, DBInstance]]:
    """Every database, with the backend of the VPC that it stands in."""
    for account_id, account in list(rds_backends.items()):
        for region, backend in list(account.items()):
            for database in list(backend.databases.values()):
                yield ec2_backends[account_id][region], database


def overview() -> dict[str, list[dict[str, str]]]:
    """Tell what there is in a few words, for the command line."""
    return {
        "instances": [
            {
                "id": instance.id,
                "name": (tags := _tags(instance)).get("Name", ""),
                "role": tags.get("mlflow_role", ""),
                "state": instance.state,
                "address": instance.private_ip or "",
            }
            for _, instance in instances()
            if instance.state != "terminated"
        ],
        "databases": [
            {
                "id": database.dbi_resource_id,
                "name": database.db_instance_identifier,
                "role": "",
                "state": database.status,
                "address": f"{database.address}:{database.port}",
            }
            for _, database in databases()
        ],
    }


def new_resource_id() -> str:
    """Make an id as RDS gives one."""
    return "db-" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(26))


def _phase_of(instance: Instance) -> Phase | None:
    phase = INSTANCE_PHASES.get(instance.state)
    # EC2 has no such state: an instance that reboots says that it runs.
    if phase is Phase.RUNNING and getattr(instance, "rebooting", False):
        return Phase.REBOOTING
    return phase


def _host(ec2: EC2Backend, instance: Instance) -> Host | None:
    phase = _phase_of(instance)
    if phase is None or instance.vpc_id is None or instance.private_ip is None:
        return None
    key = ec2.key_pairs.get(instance.key_name or "")
    return Host(
        id=instance.id,
        name=_tags(instance).get("Name", instance.id),
        network=instance.vpc_id,
        address=instance.private_ip,
        phase=phase,
        release=_release(ec2, instance.image_id),
        hostname=instance.private_dns_name.split(".")[0],
        authorized_key=key.public_key if key else "",
    )


def _tags(instance: Instance) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in instance.get_tags()}


def _release(ec2: EC2Backend, image_id: str) -> str:
    image: Any = ec2.amis.get(image_id)
    return "bookworm" if image and (image.name or "").startswith("debian-12-") else DEFAULT_RELEASE


def _reserve(ec2: EC2Backend, database: DBInstance) -> tuple[Subnet, str]:
    """Take an address in the database's subnets, as RDS does; moto gives databases none."""
    group = getattr(database, "db_subnet_group", None)
    subnet: Subnet = group._subnets[0] if group else next(iter(ec2.get_default_subnets().values()))
    return subnet, subnet.get_available_subnet_ip(instance=database)  # type: ignore[arg-type]


def _parameter(database: DBInstance, name: str) -> str | None:
    for group in database.db_parameter_groups():
        value = group.parameters.get(name, {}).get("ParameterValue")
        if value is not None:
            return str(value)
    return None
