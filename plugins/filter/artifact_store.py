"""Filters that compare a bucket's settings with the wanted ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


def _plain(value: Any) -> Any:
    """Return a policy in one of the several spellings that mean the same to AWS."""
    if isinstance(value, Mapping):
        if dict(value) == {"AWS": "*"}:
            return ["*"]
        return {key: _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        # One item and a list of that one item mean the same.
        return sorted((part for item in value for part in _as_list(_plain(item))), key=json.dumps)
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _encryption(rules: Any) -> str:
    default = (rules[0] if rules else {}).get("ApplyServerSideEncryptionByDefault", {})
    return " ".join(filter(None, [default.get("SSEAlgorithm", "none"), default.get("KMSMasterKeyID", "")]))


def key_left_behind(settings: Mapping[str, Any], kms_key: str) -> str:
    """Return the KMS key under which the bucket's objects are, where another one or none shall encrypt it.

    The hosts' role is allowed the wanted key alone, so it would no longer read them. Nobody needs leave for S3's own
    encryption, nor for `aws/s3`, the key that AWS keeps for each account.
    """
    rules = settings["encryption"]
    now = (rules[0] if rules else {}).get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "")
    # S3 keeps a key by the name that it was given, which may be its id alone.
    if settings["empty"] or now == kms_key or kms_key.endswith(f"/{now}") or now.endswith("alias/aws/s3"):
        return ""
    return str(now)


def _lifecycle(rules: Any, rule_id: str) -> str:
    for rule in rules:
        if rule.get("ID") == rule_id and rule.get("Status") == "Enabled":
            old = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", "never")
            stale = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", "never")
            return f"old versions end after {old} days, stale uploads after {stale} days"
    return "no rule"


def _access_log(target: Mapping[str, Any]) -> str:
    return f"to {target['TargetBucket']}, below {target['TargetPrefix'] or '/'}" if target else "none"


def bucket_drift(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return how a bucket's settings differ from the wanted ones, one line each; [] when they don't.

    `s3_bucket` and `s3_lifecycle` have no check mode. Comparing here lets a dry run report drift truthfully, and a
    converged run leave both out.
    """
    lines = {
        "versioning": (settings["versioning"], "Enabled"),
        "encryption": (_encryption(settings["encryption"]), wanted["encryption"]),
        "public access block": (
            "all on"
            if len(settings["public_access_block"]) == 4 and all(settings["public_access_block"].values())
            else "not all on",
            "all on",
        ),
        "object ownership": (settings["object_ownership"] or "none", "BucketOwnerEnforced"),
        "lifecycle": (
            _lifecycle(settings["lifecycle"], wanted["rule_id"]),
            f"old versions end after {wanted['noncurrent_days']} days, "
            f"stale uploads after {wanted['multipart_days']} days",
        ),
    }
    drift = [f"{what}: {now} -> {then}" for what, (now, then) in lines.items() if now != then]
    # Nobody's log is taken away because none is asked for.
    if wanted["access_log"] and settings["access_log"] != wanted["access_log"]:
        drift.append(f"access log: {_access_log(settings['access_log'])} -> {_access_log(wanted['access_log'])}")
    if _plain(settings["policy"]) != _plain(wanted["policy"]):
        drift.append("policy: not the one that refuses plain HTTP -> refuses plain HTTP")
    tags = {key: value for key, value in settings["tags"].items() if not key.startswith("aws:")}
    drift += [
        f"tag {key}: {tags.get(key, 'none')} -> {wanted['tags'].get(key, 'none')}"
        for key in sorted(tags.keys() | wanted["tags"].keys())
        if tags.get(key) != wanted["tags"].get(key)
    ]
    return drift


class FilterModule:
    """Filters about the artifact store."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"bucket_drift": bucket_drift, "key_left_behind": key_left_behind}
