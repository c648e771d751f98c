"""Every place where moto differs from AWS in something that this project needs: the symptom, and what AWS does.

Each correction is one function, and tests/sandbox/test_corrections.py shows both sides of it. Its first
assertions fail on the day when moto has fixed the matter; then the correction goes. Differences that moto lets us
configure stand in moto_settings.py; the metadata service, which moto only hints at, has a file of its own.
"""

from __future__ import annotations

import base64
import binascii
import copy
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from moto.core.responses import ActionResult
from moto.ec2.exceptions import FlowLogAlreadyExists
from moto.ec2.models import EC2Backend
from moto.ec2.models.flow_logs import FlowLogs
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociation
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, MetadataOptions
from moto.ec2.models.network_acls import NetworkAcl
from moto.ec2.responses.network_acls import NetworkACLs
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.settings import Settings
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError, InvalidParameterCombination
from moto.rds.models import DBInstance, DBParameterGroup, DBSubnetGroup, RDSBackend
from moto.s3.models import FakeBucket, FakeDeleteMarker, MultipartChecksumBuilder, S3Backend

from sandbox.moto_state import new_resource_id


class Patcher(Protocol):
    """Sets what can be set back: pytest's monkeypatch is one."""

    def setattr(self, target: Any, name: str, value: Any, raising: bool = True) -> None:
        """Set an attribute, which has to be there already unless `raising` is false."""

    def setitem(self, dic: Any, name: Any, value: Any) -> None:
        """Set an item."""


class ForGood:
    """The patcher of the server, which never sets anything back."""

    def setattr(self, target: Any, name: str, value: Any, raising: bool = True) -> None:  # noqa: ARG002 - as pytest's
        """Set an attribute."""
        setattr(target, name, value)

    def setitem(self, dic: Any, name: Any, value: Any) -> None:
        """Set an item."""
        dic[name] = value


def correct_all(patch: Patcher) -> None:
    """Apply every correction."""
    for correction in CORRECTIONS:
        correction(patch)


def address_tag_types(patch: Patcher) -> None:
    """NAT gateways and Elastic IPs are "changed" on each run: their tags are found under AWS's type names only."""
    patch.setitem(EC2_PREFIX_TO_RESOURCE, "nat", "natgateway")
    patch.setitem(EC2_PREFIX_TO_RESOURCE, "eipalloc", "elastic-ip")


def parameter_group_not_found(patch: Patcher) -> None:
    """An unknown parameter group is an empty list in moto; AWS raises DBParameterGroupNotFound."""
    stock = RDSBackend.describe_db_parameter_groups

    @functools.wraps(stock)
    def describe(self: RDSBackend, db_parameter_group_kwargs: dict[str, Any]) -> list[DBParameterGroup]:
        groups = stock(self, db_parameter_group_kwargs)
        name = db_parameter_group_kwargs.get("db_parameter_group_name")
        if name and not groups:
            raise DBParameterGroupNotFoundError(name)
        return groups

    patch.setattr(RDSBackend, "describe_db_parameter_groups", describe)


# Name, RDS's default (None: the engine's own, which the API leaves out), type, whether it needs a restart.
POSTGRES_PARAMETERS: tuple[tuple[str, str | None, str, bool], ...] = (
    ("autovacuum_max_workers", None, "integer", True),
    ("autovacuum_vacuum_scale_factor", "0.1", "float", False),
    ("checkpoint_timeout", None, "integer", False),
    ("deadlock_timeout", None, "integer", False),
    ("default_transaction_isolation", None, "string", False),
    ("effective_cache_size", "{DBInstanceClassMemory/16384}", "integer", False),
    ("idle_in_transaction_session_timeout", "86400000", "integer", False),
    ("idle_session_timeout", None, "integer", False),
    ("lock_timeout", None, "integer", False),
    ("log_autovacuum_min_duration", "10000", "integer", False),
    ("log_connections", None, "boolean", False),
    ("log_disconnections", None, "boolean", False),
    ("log_lock_waits", None, "boolean", False),
    ("log_min_duration_statement", None, "integer", False),
    ("log_statement", None, "string", False),
    ("log_temp_files", None, "integer", False),
    ("maintenance_work_mem", "GREATEST({DBInstanceClassMemory*1024/63963136},65536)", "integer", False),
    ("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)", "integer", True),
    ("max_wal_size", None, "integer", False),
    ("pg_stat_statements.track", None, "string", False),
    ("random_page_cost", None, "float", False),
    ("rds.force_ssl", "1", "integer", False),
    ("rds.log_retention_period", "4320", "integer", False),
    ("rds.logical_replication", "0", "boolean", True),
    ("rds.restrict_password_commands", None, "boolean", True),
    ("shared_buffers", "{DBInstanceClassMemory/32768}", "integer", True),
    ("shared_preload_libraries", "pg_stat_statements", "list", True),
    ("ssl_min_protocol_version", None, "string", False),
    ("statement_timeout", None, "integer", False),
    ("tcp_keepalives_idle", "300", "integer", False),
    ("timezone", None, "string", False),
    ("work_mem", None, "integer", False),
)


def parameter_group_defaults(patch: Patcher) -> None:
    """A fresh parameter group is empty in moto; on AWS it holds the engine's parameters, each with its type."""
    stock = DBParameterGroup.__init__

    @functools.wraps(stock)
    def init(self: DBParameterGroup, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        family = re.fullmatch(r"postgres(\d+)", self.family or "")
        if family is None:
            return
        for name, value, kind, needs_restart in POSTGRES_PARAMETERS:
            # Encryption has been RDS's default since PostgreSQL 15.
            default = "0" if name == "rds.force_ssl" and int(family[1]) < 15 else value
            parameter = {
                "ParameterName": name,
                "DataType": kind,
                "IsModifiable": True,
                "ApplyType": "static" if needs_restart else "dynamic",
                "ApplyMethod": "pending-reboot",
                "Source": "engine-default" if default is None else "system",
            }
            self.parameters[name].update(parameter if default is None else {**parameter, "ParameterValue": default})

    patch.setattr(DBParameterGroup, "__init__", init)


def gp3_performance(patch: Patcher) -> None:
    """A gp3 volume has no throughput and no IOPS in moto; AWS tells its baseline."""
    stock_init, stock_update = DBInstance.__init__, DBInstance.update

    def complete(database: DBInstance) -> None:
        if database.storage_type != "gp3":
            return
        # From 400 GiB on, RDS stripes PostgreSQL's storage over four volumes.
        throughput, iops = (125, 3000) if int(database.allocated_storage) < 400 else (500, 12000)
        database.storage_throughput = database.storage_throughput or throughput
        database.iops = database.iops or iops  # type: ignore[assignment]

    @functools.wraps(stock_init)
    def init(self: DBInstance, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        complete(self)

    @functools.wraps(stock_update)
    def update(self: DBInstance, *args: Any, **kwargs: Any) -> None:
        stock_update(self, *args, **kwargs)
        complete(self)

    patch.setattr(DBInstance, "__init__", init)
    patch.setattr(DBInstance, "update", update)


# The newest minor version of each major one; what matters is that there is one.
POSTGRES_VERSIONS = {"13": "13.22", "14": "14.19", "15": "15.14", "16": "16.10", "17": "17.6", "18": "18.1"}


def engine_versions(patch: Patcher) -> None:
    """Any engine version goes in moto and stays as it was written; AWS knows which exist, and completes "16"."""
    stock = RDSBackend.create_db_instance

    @functools.wraps(stock)
    def create(self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
        version = db_kwargs.get("engine_version")
        if db_kwargs.get("engine") == "postgres" and not db_kwargs.get("db_cluster_identifier"):
            major, _, minor = (version or "17").partition(".")
            if major not in POSTGRES_VERSIONS or (minor and not minor.isdigit()):
                raise InvalidParameterCombination(f"Cannot find version {version} for postgres")
            db_kwargs["engine_version"] = version if minor else POSTGRES_VERSIONS[major]
        return stock(self, db_kwargs)

    patch.setattr(RDSBackend, "create_db_instance", create)


def database_resource_ids(patch: Patcher) -> None:
    """All databases share one resource id in moto; on AWS it is a database's only lasting name."""
    stock = DBInstance.__init__

    @functools.wraps(stock)
    def init(self: DBInstance, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        self.dbi_resource_id = new_resource_id()

    patch.setattr(DBInstance, "__init__", init)


# The sandbox speaks plain HTTP on a bridge of one machine, and stands for a connection that is encrypted.
REQUEST_CONTEXT = {"aws:securetransport": "true", "s3:tlsversion": "1.3"}
OPERATORS: dict[str, Callable[[str, list[str]], bool]] = {
    "Bool": lambda actual, expected: actual.lower() in [value.lower() for value in expected],
    "StringEquals": lambda actual, expected: actual in expected,
    "StringNotEquals": lambda actual, expected: actual not in expected,
    "NumericLessThan": lambda actual, expected: any(float(actual) < float(value) for value in expected),
    "NumericGreaterThanEquals": lambda actual, expected: any(float(actual) >= float(value) for value in expected),
}


def policy_conditions(patch: Patcher) -> None:
    """A Deny for plain HTTP locks everybody out of moto's bucket; on AWS a statement counts where its condition holds.

    A condition on something that only AWS knows (a VPC endpoint, an address) cannot be judged here: an Allow is then
    taken to apply and a Deny not to.
    """
    stock = IAMPolicyStatement.is_action_permitted

    @functools.wraps(stock)
    def is_action_permitted(
        self: IAMPolicyStatement,
        action: str,
        resource: str = "*",
        principal: str | None = None,
        incoming_condition_values: dict[str, str] | None = None,
    ) -> PermissionResult:
        known = REQUEST_CONTEXT | {key.lower(): value for key, value in (incoming_condition_values or {}).items()}
        holds = conditions_hold(self._statement.get("Condition") or {}, known)
        if holds is None:
            holds = self._statement["Effect"] == "Allow"
        if not holds:
            return PermissionResult.NEUTRAL
        unconditional = IAMPolicyStatement({**self._statement, "Condition": {}})
        return stock(unconditional, action, resource, principal, incoming_condition_values)

    patch.setattr(IAMPolicyStatement, "is_action_permitted", is_action_permitted)


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], known: Mapping[str, str]) -> bool | None:
    """Say whether all of the conditions hold; None where that depends on something unknown."""
    unknown = False
    for operator, tests in conditions.items():
        for key, expected in tests.items():
            actual, compare = known.get(key.lower()), OPERATORS.get(operator.removesuffix("IfExists"))
            if actual is None or compare is None:
                unknown = True
            elif not compare(actual, [str(value) for value in _as_list(expected)]):
                return False
    return None if unknown else True


def _as_list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def folders_of_deleted_objects(patch: Patcher) -> None:
    """In a versioned bucket moto goes on listing a folder whose objects were all deleted; AWS lists living ones."""
    stock = S3Backend.list_objects

    @functools.wraps(stock)
    def list_objects(self: S3Backend, bucket: FakeBucket, *args: Any, **kwargs: Any) -> Any:
        living: Any = copy.copy(bucket)
        living.keys = {name: key for name, key in bucket.keys.items() if not isinstance(key, FakeDeleteMarker)}
        return stock(self, living, *args, **kwargs)

    patch.setattr(S3Backend, "list_objects", list_objects)


def sums_of_uploads(patch: Patcher) -> None:
    """An upload in parts without checksums is held three times to sum it up, 6 s for a GiB; S3 is done at once."""
    stock_add, stock_build = MultipartChecksumBuilder.addPart, MultipartChecksumBuilder.build

    @functools.wraps(stock_add)
    def add(self: MultipartChecksumBuilder, part: bytes) -> None:
        if self.checksum_algorithm != "CRC64NVME":
            stock_add(self, part)
            return
        # What moto takes for this algorithm, which is AWS's default, is CRC32.
        self.checksum[:] = binascii.crc32(part, int.from_bytes(self.checksum, "big")).to_bytes(4, "big")

    @functools.wraps(stock_build)
    def build(self: MultipartChecksumBuilder) -> tuple[str, str, int] | None:
        if self.checksum_algorithm != "CRC64NVME":
            return stock_build(self)
        return self.checksum_type, base64.b64encode(self.checksum).decode(), 1

    patch.setattr(MultipartChecksumBuilder, "addPart", add)
    patch.setattr(MultipartChecksumBuilder, "build", build)


def instance_transitions(patch: Patcher) -> None:
    """An instance changes its state at once in moto; on AWS it is pending or stopping until its machine is there."""
    stock_init, stock_start, stock_stop, stock_reboot = (
        Instance.__init__, Instance.start, Instance.stop, Instance.reboot,
    )  # fmt: skip

    @functools.wraps(stock_init)
    def init(self: Instance, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        self._state = InstanceState("pending", 0)

    @functools.wraps(stock_start)
    def start(self: Instance) -> InstanceState:
        if self.state in ("pending", "running"):
            return InstanceState(self.state, self.state_code)
        previous = stock_start(self)
        self._state = InstanceState("pending", 0)
        return previous

    @functools.wraps(stock_stop)
    def stop(self: Instance) -> InstanceState:
        if self.state in ("stopping", "stopped"):
            return InstanceState(self.state, self.state_code)
        previous = stock_stop(self)
        self._state = InstanceState("stopping", 64)
        return previous

    @functools.wraps(stock_reboot)
    def reboot(self: Instance) -> None:
        if self.state == "running":
            stock_reboot(self)
            self.rebooting = True  # type: ignore[attr-defined]

    patch.setattr(Instance, "__init__", init)
    patch.setattr(Instance, "start", start)
    patch.setattr(Instance, "stop", stop)
    patch.setattr(Instance, "reboot", reboot)


def subnet_group_stays(patch: Patcher) -> None:
    """A subnet group that is modified is gone in moto; on AWS it is modified."""
    stock = RDSBackend.modify_db_subnet_group

    @functools.wraps(stock)
    def modify(self: RDSBackend, subnet_name: str, *args: Any, **kwargs: Any) -> DBSubnetGroup:
        group = stock(self, subnet_name, *args, **kwargs)
        self.subnet_groups[subnet_name] = group
        return group

    patch.setattr(RDSBackend, "modify_db_subnet_group", modify)


def replaced_profile_shows(patch: Patcher) -> None:
    """An instance goes on showing the profile that was replaced in moto; on AWS it shows the one that it has."""
    stock = EC2Backend.replace_iam_instance_profile_association

    @functools.wraps(stock)
    def replace(self: EC2Backend, *args: Any, **kwargs: Any) -> IamInstanceProfileAssociation:
        association = stock(self, *args, **kwargs)
        shown = {"Arn": association.iam_instance_profile.arn, "Id": association.association_id}
        self.modify_instance_attribute(association.instance.id, "iam_instance_profile", shown)
        return association

    patch.setattr(EC2Backend, "replace_iam_instance_profile_association", replace)


def described_rules_are_answered(patch: Patcher) -> None:
    """A security group's rule that is described anew is an empty answer in moto; AWS returns whether it was done."""

    def answered(method: str) -> None:
        stock: Callable[[SecurityGroups], ActionResult] = getattr(SecurityGroups, method)

        @functools.wraps(stock)
        def update(self: SecurityGroups) -> ActionResult:
            stock(self)
            return ActionResult({"Return": True})

        patch.setattr(SecurityGroups, method, update)

    answered("update_security_group_rule_descriptions_ingress")
    answered("update_security_group_rule_descriptions_egress")


def metadata_options_kept(patch: Patcher) -> None:
    """A metadata option that a request leaves out is lost in moto; AWS leaves it as it was."""
    stock = InstanceBackend.modify_instance_metadata_options

    @functools.wraps(stock)
    def modify(self: InstanceBackend, instance_id: str, **options: Any) -> MetadataOptions:
        before = self.get_instance(instance_id).metadata_options
        kept = {
            "http_tokens": before.http_tokens,
            "hop_limit": before.http_put_response_hop_limit,
            "http_endpoint": before.http_endpoint,
            "http_protocol": before.http_protocol_ipv6,
            "metadata_tags": before.instance_metadata_tags,
        }
        return stock(self, instance_id, **{name: value or kept.get(name) for name, value in options.items()})

    patch.setattr(InstanceBackend, "modify_instance_metadata_options", modify)


def account_defaults(patch: Patcher) -> None:
    """Two settings of an account cannot be asked for in moto; AWS answers as long as nobody set them, too."""

    def never_set(answer: Mapping[str, Any]) -> Callable[[Settings], ActionResult]:
        return lambda _self: ActionResult(dict(answer))

    patch.setattr(Settings, "get_instance_metadata_defaults", never_set({"AccountLevel": {}}), raising=False)
    unblocked = never_set({"State": "unblocked"})
    patch.setattr(Settings, "get_snapshot_block_public_access_state", unblocked, raising=False)


def network_acl_by_id(patch: Patcher) -> None:
    """Network ACLs cannot be looked for by their ids in moto; amazon.aws does so."""
    stock = NetworkAcl.get_filter_value

    @functools.wraps(stock)
    def get_filter_value(self: NetworkAcl, filter_name: str, method_name: str | None = None) -> Any:
        return self.id if filter_name == "network-acl-id" else stock(self, filter_name, method_name)

    patch.setattr(NetworkAcl, "get_filter_value", get_filter_value)


def folders_of_flow_logs(patch: Patcher) -> None:
    """A flow log's bucket is "not there" in moto if a folder stands behind its name, as AWS allows."""
    stock = EC2Backend.create_flow_logs

    @functools.wraps(stock)
    def create(self: EC2Backend, *args: Any, **kwargs: Any) -> tuple[list[FlowLogs], list[Any]]:
        wanted = inspect.signature(stock).bind(self, *args, **kwargs)
        destination = wanted.arguments["log_destination"]
        if wanted.arguments["log_destination_type"] != "s3":
            return stock(self, *args, **kwargs)
        known = {(log.resource_id, log.log_destination) for log in self.describe_flow_logs()}
        if any((resource, destination) in known for resource in wanted.arguments["resource_ids"]):
            raise FlowLogAlreadyExists
        wanted.arguments["log_destination"] = destination.split("/")[0]
        made, refused = stock(*wanted.args, **wanted.kwargs)
        for log in made:
            log.log_destination = destination
        return made, refused

    patch.setattr(EC2Backend, "create_flow_logs", create)


def icmp_of_network_acls(patch: Patcher) -> None:
    """A network ACL's rule for one kind of ICMP is one for all of ICMP in moto, which looks for it by an older name."""
    stock = NetworkACLs.create_network_acl_entry

    @functools.wraps(stock)
    def create(self: NetworkACLs) -> ActionResult:
        answer = stock(self)
        kind = self._get_param("IcmpTypeCode") or {}
        made = self.ec2_backend.get_network_acl(self._get_param("NetworkAclId")).network_acl_entries[-1]
        made.icmp_type, made.icmp_code = kind.get("Type"), kind.get("Code")
        return answer

    patch.setattr(NetworkACLs, "create_network_acl_entry", create)


def database_transitions(patch: Patcher) -> None:
    """A database is available at once in moto; on AWS it is creating, stopping, … until its server has followed."""

    def then(method: str, status: str, applies: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> None:
        stock: Callable[..., DBInstance] = getattr(RDSBackend, method)

        @functools.wraps(stock)
        def changed(self: RDSBackend, *args: Any, **kwargs: Any) -> DBInstance:
            # Read first: moto takes settings out of the arguments as it goes.
            wanted = applies(args[-1] if args and isinstance(args[-1], Mapping) else kwargs)
            database = stock(self, *args, **kwargs)
            # A new password waits in a stopped database's settings until it starts: nobody can be told it before.
            reachable = method != "modify_db_instance" or database.status not in ("stopping", "stopped")
            if wanted and reachable and database.engine == "postgres" and not database.db_cluster_identifier:
                database.status = status
            return database

        patch.setattr(RDSBackend, method, changed)

    then("create_db_instance", "creating")
    then("start_db_instance", "starting")
    then("stop_db_instance", "stopping")
    then("reboot_db_instance", "rebooting")
    then("modify_db_instance", "resetting-master-credentials", lambda kwargs: "master_user_password" in kwargs)


# In this order: the transitions wrap what the others have put right.
CORRECTIONS: tuple[Callable[[Patcher], None], ...] = (
    address_tag_types,
    parameter_group_not_found,
    parameter_group_defaults,
    gp3_performance,
    engine_versions,
    database_resource_ids,
    policy_conditions,
    folders_of_deleted_objects,
    sums_of_uploads,
    instance_transitions,
    metadata_options_kept,
    subnet_group_stays,
    replaced_profile_shows,
    described_rules_are_answered,
    account_defaults,
    network_acl_by_id,
    folders_of_flow_logs,
    icmp_of_network_acls,
    database_transitions,
)
