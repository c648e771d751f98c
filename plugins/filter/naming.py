"""Filters that say what AWS would refuse about a name, before AWS is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Rule(NamedTuple):
    """What AWS allows in one kind of name."""

    shortest: int
    longest: int
    pattern: str
    words: str


_PLAIN = r"[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*"
_PLAIN_WORDS = "lowercase letters, digits and single hyphens, a letter first and no hyphen last"
_RULES = {
    "RDS identifier": Rule(1, 63, _PLAIN, _PLAIN_WORDS),
    "RDS parameter group": Rule(1, 255, _PLAIN, _PLAIN_WORDS),
    "IAM role": Rule(1, 64, r"[A-Za-z0-9+=,.@_-]+", "letters, digits and +=,.@_-"),
    "security group": Rule(1, 255, r"(?!sg-)[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]+", "no name that begins with sg-"),
    "S3 bucket": Rule(
        3, 63, r"[a-z0-9][a-z0-9-]*[a-z0-9]", "lowercase letters, digits and hyphens, no hyphen first or last, no dot"
    ),
}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def name_problem(name: str, kind: str) -> str:
    """Return what is wrong with a name of this kind, "" when nothing is."""
    if kind not in _RULES:
        raise ValueError(f"name_problem knows {', '.join(_RULES)}, not {kind}")
    rule = _RULES[kind]
    if not rule.shortest <= len(name) <= rule.longest:
        return f"it has {len(name)} characters; AWS allows {rule.shortest} to {rule.longest} for an {kind} name"
    if not re.fullmatch(rule.pattern, name):
        return f"an {kind} name takes {rule.words}"
    if kind == "S3 bucket" and (name.startswith(_BUCKET_PREFIXES) or name.endswith(_BUCKET_SUFFIXES)):
        return "S3 reserves names with this beginning or end"
    return ""


class FilterModule:
    """Filters about names."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"name_problem": name_problem}
