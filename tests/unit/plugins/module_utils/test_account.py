"""What is said of an account: asked of clients that answer as AWS does, errors included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.account import CHECKS, Check, read_account_checks
from ansible_collections.mlops.mlflow.tests.unit.support.canned import canned
from botocore.exceptions import ClientError, ConnectTimeoutError

CALLER = "arn:aws:iam::123456789012:user/ops"
ACCOUNT = {"account_id": "123456789012", "caller_arn": CALLER, "partition": "aws"}
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
SUMMARY = {"AccountPasswordPresent": 1, "AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0}
TRAIL = {"Name": "all", "TrailARN": "arn:aws:cloudtrail:us-east-1:123456789012:trail/all", "IsMultiRegionTrail": True}
HERE_ONLY = {**TRAIL, "IsMultiRegionTrail": False}

# An account in which all is well, as the services' operations answer it.
WELL: dict[str, Any] = {
    "s3control.get_public_access_block": {"PublicAccessBlockConfiguration": BLOCK},
    "ec2.get_ebs_encryption_by_default": {"EbsEncryptionByDefault": True},
    "ec2.get_snapshot_block_public_access_state": {"State": "block-new-sharing"},
    "ec2.get_instance_metadata_defaults": {"AccountLevel": {"HttpTokens": "required"}},
    "iam.get_account_summary": {"SummaryMap": SUMMARY},
    "iam.get_account_password_policy": {"PasswordPolicy": {"MinimumPasswordLength": 14}},
    "cloudtrail.describe_trails": {"trailList": [HERE_ONLY, TRAIL]},
    "cloudtrail.get_trail_status": {"IsLogging": True},
    "guardduty.list_detectors": {"DetectorIds": ["one"]},
    "guardduty.get_detector": {"Status": "ENABLED"},
}
# IAM's name of what s3control calls otherwise, since S3 has a call of this name for buckets.
ACTIONS = {"s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock"}


def refusal(code: str) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError({"Error": {"Code": code, "Message": "said\nso"}}, "Operation")


class Account:
    """The clients of an account with canned answers: a value, an error, or a function of the request."""

    def __init__(
        self, answers: Mapping[str, Any] | None = None, endpoint: str = "https://s3-control.eu-west-1.amazonaws.com"
    ) -> None:
        self._answers = {**WELL, **(answers or {})}
        self._endpoint = endpoint
        self.called: list[str] = []

    def clients(self, service: str) -> Any:
        """Return the client of a service."""
        operations = [name.partition(".")[2] for name in self._answers if name.startswith(f"{service}.")]
        calls = {operation: self._call(service, operation) for operation in operations}
        return SimpleNamespace(meta=SimpleNamespace(endpoint_url=self._endpoint), **calls)

    def _call(self, service: str, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.called.append(f"{service}:{operation.title().replace('_', '')}")
            return canned(self._answers[f"{service}.{operation}"], request)

        return call

    def findings(self) -> dict[str, dict[str, Any]]:
        """Return what is said of the account, by the checks' names."""
        return {finding["check"]: finding for finding in read_account_checks(self.clients, ACCOUNT, "eu-west-1")}

    def bad(self) -> dict[str, str]:
        """Return what is wrong, by the checks' names."""
        return {name: finding["detail"] for name, finding in self.findings().items() if finding["ok"] is False}


def test_where_all_is_well_nothing_is_said() -> None:
    for name, finding in Account().findings().items():
        assert finding == {"check": name, "ok": True, "detail": "", "remedy": ""}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_names_the_actions_that_it_takes(check: Check) -> None:
    account = Account()
    check.problem(account.clients, ACCOUNT["account_id"])
    # EC2 writes its own name in capitals within names of operations.
    called = {name.lower() for name in (ACTIONS.get(call, call) for call in account.called)}
    assert called == {action.lower() for action in check.actions}


NO_POLICY = refusal("NoSuchEntity")
NO_BLOCK = refusal("NoSuchPublicAccessBlockConfiguration")
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "never blocked": ({"s3control.get_public_access_block": NO_BLOCK}, "s3_public", "BlockPublicAcls, IgnorePubl"),
    "half blocked": (
        {
            "s3control.get_public_access_block": {
                "PublicAccessBlockConfiguration": {**BLOCK, "BlockPublicPolicy": False}
            }
        },
        "s3_public",
        "the account doesn't block public access to S3: BlockPublicPolicy",
    ),
    "plain disks": ({"ec2.get_ebs_encryption_by_default": {"EbsEncryptionByDefault": False}}, "ebs_encryption", "disk"),
    "public snapshots": (
        {"ec2.get_snapshot_block_public_access_state": {"State": "unblocked"}},
        "ebs_snapshots",
        "can be made public",
    ),
    "no default": ({"ec2.get_instance_metadata_defaults": {"AccountLevel": {}}}, "metadata", "IMDSv1"),
    "nothing of the level": ({"ec2.get_instance_metadata_defaults": {}}, "metadata", "IMDSv1"),
    "optional tokens": (
        {"ec2.get_instance_metadata_defaults": {"AccountLevel": {"HttpTokens": "optional"}}},
        "metadata",
        "IMDSv1",
    ),
    "root's keys": (
        {"iam.get_account_summary": {"SummaryMap": {**SUMMARY, "AccountAccessKeysPresent": 1}}},
        "root_user",
        "the root user has access keys",
    ),
    "root's login": (
        {"iam.get_account_summary": {"SummaryMap": {"AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1}}},
        "root_user",
        "the root user has access keys and logs in without a second factor",
    ),
    "no policy": ({"iam.get_account_password_policy": NO_POLICY}, "passwords", "follow no policy"),
    "short passwords": (
        {"iam.get_account_password_policy": {"PasswordPolicy": {"MinimumPasswordLength": 13}}},
        "passwords",
        "may have 13 characters",
    ),
    "no trail": ({"cloudtrail.describe_trails": {"trailList": []}}, "cloudtrail", "no trail of all regions"),
    "one region's trail": ({"cloudtrail.describe_trails": {"trailList": [HERE_ONLY]}}, "cloudtrail", "no trail of all"),
    "stopped trail": (
        {"cloudtrail.get_trail_status": {"IsLogging": False}},
        "cloudtrail",
        "the trail all records nothing",
    ),
    "no detector": ({"guardduty.list_detectors": {"DetectorIds": []}}, "guardduty", "nothing here notices"),
    "suspended": ({"guardduty.get_detector": {"Status": "DISABLED"}}, "guardduty", "nothing here notices"),
}


@pytest.mark.parametrize(("answers", "check", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_its_remedy(answers: dict[str, Any], check: str, said: str) -> None:
    account = Account(answers)
    bad = account.bad()
    assert bad.keys() == {check}
    assert said in bad[check]
    remedy = account.findings()[check]["remedy"]
    assert remedy
    assert "{" not in remedy
    assert "--region" not in remedy or remedy.endswith("--region eu-west-1")


def test_a_root_user_that_cannot_log_in_needs_no_second_factor() -> None:
    summary = {"SummaryMap": {**SUMMARY, "AccountPasswordPresent": 0, "AccountMFAEnabled": 0}}
    assert Account({"iam.get_account_summary": summary}).bad() == {}


def test_one_trail_that_records_is_enough_and_is_asked_where_it_lives() -> None:
    stopped = {**TRAIL, "TrailARN": "stopped"}
    account = Account(
        {
            "cloudtrail.describe_trails": {"trailList": [stopped, TRAIL]},
            "cloudtrail.get_trail_status": lambda request: {"IsLogging": request["Name"] == TRAIL["TrailARN"]},
        }
    )
    assert account.bad() == {}


@pytest.mark.parametrize("operation", WELL)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_what_the_caller_may_not_look_at_is_open_and_says_what_to_allow(operation: str, code: str) -> None:
    findings = Account({operation: refusal(code)}).findings()
    (unknown,) = [finding for finding in findings.values() if finding["ok"] is not True]
    assert unknown["ok"] is None
    assert unknown["detail"] == f"{CALLER} may not look ({code})"
    (actions,) = [check.actions for check in CHECKS if check.name == unknown["check"]]
    assert all(action in unknown["remedy"] for action in actions)


@pytest.mark.parametrize("operation", WELL)
@pytest.mark.parametrize(
    "failure", [refusal("SubscriptionRequiredException"), ConnectTimeoutError(endpoint_url="https://x")]
)
def test_what_aws_does_not_answer_is_open_and_says_why_on_one_line(operation: str, failure: Exception) -> None:
    findings = Account({operation: failure}).findings()
    (unknown,) = [finding for finding in findings.values() if finding["ok"] is not True]
    assert unknown["ok"] is None
    assert unknown["detail"] == str(failure).replace("\n", " ")
    assert unknown["remedy"]


@pytest.mark.parametrize("endpoint", ["http://10.41.0.1:5566", "http://[fd00::1]:5566"])
def test_an_address_is_not_asked_for_what_needs_a_name(endpoint: str) -> None:
    account = Account(endpoint=endpoint)
    assert account.findings()["s3_public"]["ok"] is None
    assert "s3control:GetPublicAccessBlock" not in account.called
    assert account.bad() == {}
