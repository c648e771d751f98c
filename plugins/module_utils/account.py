"""How an AWS account as a whole is kept: the checks behind account_info, which look and change nothing.

Nothing here knows about Ansible. A check returns what is wrong in a few words, "" when nothing is; whatever AWS
answers instead makes a finding that is open, never an error.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import Clients, DeploymentError, error_code

# AnsibleAWSModule reports a missing library before any of this is used.
with contextlib.suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

# Each service says in its own words that the caller may not ask.
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
PASSWORD_LENGTH = 14


def _is_address(url: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True


def _s3_public(clients: Clients, account_id: str) -> str:
    s3control = clients("s3control")
    # botocore would spend a minute on looking for such a name.
    if _is_address(s3control.meta.endpoint_url):
        raise DeploymentError(
            "an endpoint that is an address can't be asked: the account's number goes before its name"
        )
    try:
        block = s3control.get_public_access_block(AccountId=account_id)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error_code(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        block = {}
    missing = [name for name in _PUBLIC_ACCESS if not block.get(name)]
    return f"the account doesn't block public access to S3: {', '.join(missing)}" if missing else ""


def _ebs_encryption(clients: Clients, _account_id: str) -> str:
    on = clients("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    return "" if on else "a new disk is encrypted only if somebody asks for it"


def _ebs_snapshots(clients: Clients, _account_id: str) -> str:
    state = clients("ec2").get_snapshot_block_public_access_state()["State"]
    return "" if state.startswith("block-") else "snapshots of disks can be made public"


def _metadata(clients: Clients, _account_id: str) -> str:
    defaults = clients("ec2").get_instance_metadata_defaults().get("AccountLevel") or {}
    return "" if defaults.get("HttpTokens") == "required" else "new instances may answer IMDSv1, which needs no token"


def _root_user(clients: Clients, _account_id: str) -> str:
    summary = clients("iam").get_account_summary()["SummaryMap"]
    # An organization can take the root user's password away; then there is no login that could need a second factor.
    can_log_in = summary.get("AccountPasswordPresent", 1)
    faults = [
        "has access keys" if summary["AccountAccessKeysPresent"] else "",
        "logs in without a second factor" if can_log_in and not summary["AccountMFAEnabled"] else "",
    ]
    return f"the root user {' and '.join(filter(None, faults))}" if any(faults) else ""


def _passwords(clients: Clients, _account_id: str) -> str:
    try:
        length = clients("iam").get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"]
    except ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        return "IAM users' passwords follow no policy"
    return "" if length >= PASSWORD_LENGTH else f"IAM users' passwords may have {length} characters"


def _cloudtrail(clients: Clients, _account_id: str) -> str:
    cloudtrail = clients("cloudtrail")
    trails = [trail for trail in cloudtrail.describe_trails()["trailList"] if trail.get("IsMultiRegionTrail")]
    if not trails:
        return "no trail of all regions records who did what"
    # By its ARN, since it may live in another region.
    if any(cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails):
        return ""
    return f"the trail {trails[0]['Name']} records nothing"


def _guardduty(clients: Clients, _account_id: str) -> str:
    guardduty = clients("guardduty")
    detectors = guardduty.list_detectors()["DetectorIds"]
    if any(guardduty.get_detector(DetectorId=each)["Status"] == "ENABLED" for each in detectors):
        return ""
    return "nothing here notices stolen credentials or a host that misbehaves"


@dataclass(frozen=True)
class Check:
    """A question to the account: what it may take to ask, how to ask, and what to do if the answer is bad."""

    name: str
    actions: tuple[str, ...]
    problem: Callable[[Clients, str], str]
    remedy: str


CHECKS = (
    Check(
        "s3_public",
        ("s3:GetAccountPublicAccessBlock",),
        _s3_public,
        "once no bucket needs to be public, turn on all four under S3, Block Public Access settings for this account",
    ),
    Check(
        "ebs_encryption",
        ("ec2:GetEbsEncryptionByDefault",),
        _ebs_encryption,
        "aws ec2 enable-ebs-encryption-by-default --region {region}",
    ),
    Check(
        "ebs_snapshots",
        ("ec2:GetSnapshotBlockPublicAccessState",),
        _ebs_snapshots,
        "aws ec2 enable-snapshot-block-public-access --state block-all-sharing --region {region}",
    ),
    Check(
        "metadata",
        ("ec2:GetInstanceMetadataDefaults",),
        _metadata,
        "aws ec2 modify-instance-metadata-defaults --http-tokens required --region {region}",
    ),
    Check(
        "root_user",
        ("iam:GetAccountSummary",),
        _root_user,
        "as the root user, add an MFA device and delete the access keys under Security credentials",
    ),
    Check(
        "passwords",
        ("iam:GetAccountPasswordPolicy",),
        _passwords,
        f"require at least {PASSWORD_LENGTH} characters under IAM, Account settings, Password policy",
    ),
    Check(
        "cloudtrail",
        ("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus"),
        _cloudtrail,
        "make a trail of all regions under CloudTrail, Trails, or start the one that is there",
    ),
    Check(
        "guardduty",
        ("guardduty:GetDetector", "guardduty:ListDetectors"),
        _guardduty,
        "aws guardduty create-detector --enable --region {region}",
    ),
)


def read_account_checks(clients: Clients, account: dict[str, str], region: str) -> list[dict[str, Any]]:
    """Return what each check found in the account, as `read_account` described it."""
    findings: list[dict[str, Any]] = []
    for check in CHECKS:
        ok: bool | None = None
        try:
            detail = check.problem(clients, account["account_id"])
        except (BotoCoreError, ClientError, DeploymentError) as error:
            if error_code(error) in _DENIED:
                detail = f"{account['caller_arn']} may not look ({error_code(error)})"
                remedy = f"allow {' and '.join(check.actions)}"
            else:
                detail = " ".join(str(error).split())
                remedy = "look in AWS's console, or run again"
        else:
            ok, remedy = not detail, check.remedy.format(region=region) if detail else ""
        findings.append({"check": check.name, "ok": ok, "detail": detail, "remedy": remedy})
    return findings
