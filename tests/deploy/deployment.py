"""The environment ``test`` as a person at its controller handles it: play, look into the account, into the hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import docker
import yaml
from docker.models.containers import Container

from sandbox.containers import BODY_LABEL, LABEL

ROOT = Path(__file__).resolve().parents[2]
LAST_WORDS = """journalctl --no-pager --lines 60 --unit mlflow --unit nginx
for log in /var/log/nginx/*.log; do [ ! -e "$log" ] || tail -v -n 30 "$log"; done"""
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """How one run of ansible-playbook ended."""

    returncode: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """Changed tasks by host, from the recap."""
        return {host: int(changed) for host, _ok, changed, _unreachable, _failed in RECAP.findall(self.output)}

    @property
    def one_line(self) -> str:
        """The output with its folding undone, to look for sentences in it."""
        return re.sub(r"\s+", " ", self.output)


@dataclass
class Deployment:
    """The environment ``test``: its inventory, and what a person at its controller would run."""

    inventory: Path
    state: dict[str, Any] = field(default_factory=dict)
    # What else a play finds in its environment.
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, Any]:
        """Return the inventory's own variables for all hosts."""
        loaded: dict[str, Any] = yaml.safe_load((self.inventory / "group_vars/all.yml").read_text())
        return loaded

    def sandbox(self, *arguments: str) -> str:
        """Run the sandbox's command line and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", *arguments, "--inventory", str(self.inventory)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def play(self, playbook: str, *arguments: str) -> Play:
        """Run a playbook against the inventory, whatever its outcome."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
        # Nor may a play find whatever identity this machine has elsewhere.
        environment |= {
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.environment,
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", self.inventory, playbook, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Play(done.returncode, done.stdout)

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """Return a boto3 client of the sandbox's API, with the inventory's identity or another account's."""
        connection = self.variables["mlflow_aws"]
        own = {"AccessKeyId": connection["access_key"], "SecretAccessKey": connection["secret_key"]}
        identity = credentials or own
        return boto3.client(
            service,
            region_name=connection["region"],
            endpoint_url=connection["endpoint_url"],
            aws_access_key_id=identity["AccessKeyId"],
            aws_secret_access_key=identity["SecretAccessKey"],
            aws_session_token=identity.get("SessionToken"),
        )

    def resources(self) -> dict[str, list[str]]:
        """Name everything in the account that a deployment could have made."""
        ec2, rds, iam = self.client("ec2"), self.client("rds"), self.client("iam")
        return {
            "addresses": sorted(address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]),
            "endpoints": sorted(
                point["VpcEndpointId"]
                for point in ec2.describe_vpc_endpoints()["VpcEndpoints"]
                # EC2 goes on listing a deleted one for a while.
                if point["State"].lower() not in ("deleting", "deleted")
            ),
            "flow logs": sorted(log["FlowLogId"] for log in ec2.describe_flow_logs()["FlowLogs"]),
            "gateways": sorted(
                gateway["InternetGatewayId"] for gateway in ec2.describe_internet_gateways()["InternetGateways"]
            ),
            "parameter groups": sorted(
                group["DBParameterGroupName"] for group in rds.describe_db_parameter_groups()["DBParameterGroups"]
            ),
            "profiles": sorted(
                profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]
            ),
            "subnets": sorted(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]),
            "subnet groups": sorted(
                group["DBSubnetGroupName"] for group in rds.describe_db_subnet_groups()["DBSubnetGroups"]
            ),
            "vpcs": sorted(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]),
            "groups": sorted(group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]),
            "keys": sorted(key["KeyName"] for key in ec2.describe_key_pairs()["KeyPairs"]),
            "instances": sorted(
                instance["InstanceId"]
                for reservation in ec2.describe_instances()["Reservations"]
                for instance in reservation["Instances"]
            ),
            "buckets": sorted(bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]),
            "databases": sorted(db["DBInstanceIdentifier"] for db in rds.describe_db_instances()["DBInstances"]),
            "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"]),
            "secrets": sorted(secret["Name"] for secret in self.client("secretsmanager").list_secrets()["SecretList"]),
        }

    def _containers(self, prefix: str) -> list[Container]:
        mine = docker.from_env().containers.list(all=True, filters={"label": f"{LABEL}={self.inventory}"})
        return [container for container in mine if container.labels[BODY_LABEL].startswith(prefix)]

    def _container(self, prefix: str) -> Container:
        (found,) = self._containers(prefix)
        return found

    @property
    def host(self) -> Container:
        """The tracking host's container."""
        return self._container("i-")

    @property
    def database(self) -> Container:
        """The backend store's container."""
        return self._container("db-")

    def logs(self) -> dict[str, str]:
        """Return the last words of every tracking host that runs, by a title for each."""
        hosts = (body for body in self._containers("i-") if body.status == "running")
        return {f"journal and nginx's logs of {host.name}": execute(host, LAST_WORDS) for host in hosts}

    def on_host(self, script: str) -> str:
        """Run a shell script as root on the tracking host and return its output."""
        return execute(self.host, script)

    def client_environment(self) -> dict[str, str]:
        """Return the settings that ``make -s sandbox-env`` prints, as a client's environment."""
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", self.sandbox("env"), re.MULTILINE))
        return {**os.environ, **exports}


@contextmanager
def started(source: Path, inventory: Path, values: Mapping[str, str]) -> Iterator[Deployment]:
    """Make an environment as one is made, a copied folder with a handful of other values, and start its empty sandbox.

    At the end that is removed, with whatever stands in it.
    """
    shutil.copytree(source, inventory, ignore=shutil.ignore_patterns(".sandbox", ".trust"))
    for path in inventory.rglob("*.yml"):
        text = path.read_text()
        for old, new in values.items():
            text = text.replace(old, new)
        path.write_text(text)
    made = Deployment(inventory)
    made.sandbox("up")
    try:
        yield made
    finally:
        made.sandbox("down")


def execute(container: Container, script: str) -> str:
    """Run a shell script as root in a container and return its output; a failure is an error."""
    code, output = container.exec_run(["sh", "-c", script])
    assert isinstance(output, bytes)
    text = output.decode(errors="replace")
    if code != 0:
        msg = f"{script!r} ended with {code} on {container.name}:\n{text}"
        raise RuntimeError(msg)
    return text
