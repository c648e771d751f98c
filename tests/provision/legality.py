"""Whether a request is one that AWS takes, by botocore's own description of the service and what is documented beside.

boto3 itself looks at types, required members and minimums; AWS also at enums, patterns, lengths and maximums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from tests.provision.recorded import Recorded

# Classes of characters that AWS's patterns name as Java does.
JAVA_CLASSES = {r"\p{L}": "a-zA-Z\u00aa-\uffff", r"\p{Z}": r"\s", r"\p{N}": "0-9", r"\p{M}": "\u0300-\u036f"}
TAG_KEY, TAG_VALUE = r"(?!aws:)[\w .:/=+@-]{1,128}", r"[\w .:/=+@-]{0,256}"
# Documented, and missing from the models: the end of a parameter's path, and what it must match in full.
DOCUMENTED = {
    "Tags[].Key": TAG_KEY,
    "TagSet[].Key": TAG_KEY,
    "Tags[].Value": TAG_VALUE,
    "TagSet[].Value": TAG_VALUE,
    "ec2:CreateSecurityGroup.GroupName": r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}",
    "ec2:CreateSecurityGroup.Description": r"[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}",
    "IpRanges[].Description": r"[\w .:/()#,@\[\]+=&;{}!$*-]{0,255}",
    "UserIdGroupPairs[].Description": r"[\w .:/()#,@\[\]+=&;{}!$*-]{0,255}",
    "ec2:RunInstances.ImageId": r"ami-[0-9a-f]{8,17}",
    "ec2:RunInstances.ClientToken": r"[\x21-\x7e]{1,64}",
    "rds:CreateDBInstance.AllocatedStorage": r"[2-9]\d|[1-9]\d{2,4}",
    "rds:CreateDBInstance.BackupRetentionPeriod": r"\d|[12]\d|3[0-5]",
    "rds:CreateDBInstance.DBInstanceClass": r"db\.[a-z0-9-]+\.[a-z0-9]+",
    "rds:CreateDBInstance.DBName": r"[A-Za-z]\w{0,62}",
    "rds:CreateDBInstance.MasterUsername": r"(?!admin$|postgres$|pg_|rds)[a-z]\w{0,62}",
    "rds:CreateDBInstance.MasterUserPassword": r".{8,128}",
    "rds:CreateDBInstance.StorageType": r"gp2|gp3|io1|io2|standard",
    ".DBInstanceIdentifier": r"(?!.*--)[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
    ".FinalDBSnapshotIdentifier": r"(?!.*--)[a-zA-Z](?:[a-zA-Z0-9-]{0,253}[a-zA-Z0-9])?",
    "rds:CreateDBParameterGroup.DBParameterGroupName": r"(?!.*--)[a-z](?:[a-z0-9-]{0,253}[a-z0-9])?",
    "rds:CreateDBSubnetGroup.DBSubnetGroupName": r"(?!default$)[a-z0-9 ._-]{1,255}",
    "s3:CreateBucket.Bucket": r"(?!xn--|sthree-|.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "secretsmanager:CreateSecret.Name": r"(?!.*-[A-Za-z0-9]{6}$)[A-Za-z0-9/_+=.@-]{1,512}",
    "secretsmanager:DeleteSecret.RecoveryWindowInDays": r"[7-9]|[12]\d|30",
}


@cache
def model(service: str) -> ServiceModel:
    """Return what botocore knows about a service."""
    return botocore.session.get_session().get_service_model(service)


def problems(call: Recorded) -> list[str]:
    """Return what AWS would not take of a request; [] when nothing."""
    if not call.operation:
        return [f"{call}: no operation of the service"]
    shape = model(call.service).operation_model(call.operation).input_shape
    found = _problems(shape, call.parameters, call.name) if shape else []
    return [f"{problem} (by {call.role} | {call.task})" for problem in found]


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    size = value if shape.type_name in ("integer", "long", "float", "double") else None
    match shape, value:
        case StructureShape(), dict():
            yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
            yield from (f"{path}.{name} is unknown" for name in value if name not in shape.members)
            for name in value.keys() & shape.members.keys():
                yield from _problems(shape.members[name], value[name], f"{path}.{name}")
        case ListShape(), list():
            size = len(value)
            for item in value:
                yield from _problems(shape.member, item, f"{path}[]")
        case MapShape(), dict():
            size = len(value)
            for key, item in value.items():
                yield from _problems(shape.key, key, f"{path}.*")
                yield from _problems(shape.value, item, f"{path}.{key}")
        case Shape(type_name="string" | "blob" | "timestamp"), str():
            size = len(value) if shape.type_name != "timestamp" else None
            yield from _text_problems(shape, value, path)
        case Shape(type_name="integer" | "long"), int() if not isinstance(value, bool):
            yield from _documented(str(value), path)
        case (Shape(type_name="boolean"), bool()) | (Shape(type_name="float" | "double"), int() | float()):
            pass
        case _:
            yield f"{path} is {value!r}, no {shape.type_name}"
    if size is not None:
        least, most = shape.metadata.get("min", size), shape.metadata.get("max", size)
        if not least <= size <= most:
            yield f"{path} is or has {size}: AWS takes {least} to {most}"


def _text_problems(shape: Shape, value: str, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield f"{path} is {value!r}, none of {', '.join(allowed)}"
    yield from _documented(value, path)
    pattern = shape.metadata.get("pattern")
    # A secret is a mask on the record: what it is made of cannot be seen there.
    if pattern and not shape.metadata.get("sensitive"):
        for java, python in JAVA_CLASSES.items():
            pattern = pattern.replace(java, python)
        if not re.search(pattern if pattern[0] == "^" else f"^(?:{pattern})$", value):
            yield f"{path} is {value!r}: AWS takes {pattern}"


def _documented(value: str, path: str) -> Iterator[str]:
    for end, pattern in DOCUMENTED.items():
        if path.endswith(end) and not re.fullmatch(pattern, value):
            yield f"{path} is {value!r}: AWS documents {pattern}"
