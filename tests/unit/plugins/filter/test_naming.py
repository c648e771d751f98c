"""What AWS refuses about names, known before AWS is asked."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.mlflow.plugins.filter.naming import FilterModule, name_problem


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mlflow-dev", "RDS identifier"),
        ("a" * 63, "RDS identifier"),
        ("mlflow-dev-artifacts-123456789012", "S3 bucket"),
        ("a" * 63, "S3 bucket"),
        ("mlflow-dev-tracking-host", "IAM role"),
        ("a" * 64, "IAM role"),
        ("mlflow-dev-tracking", "security group"),
        ("a" * 255, "security group"),
        ("a" * 255, "RDS parameter group"),
        *(("a", kind) for kind in ("RDS identifier", "RDS parameter group", "IAM role", "security group")),
    ],
)
def test_a_good_name_has_no_problem(name: str, kind: str) -> None:
    assert name_problem(name, kind) == ""


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("a" * 64, "RDS identifier", "64 characters; AWS allows 1 to 63"),
        ("mlflow-", "RDS identifier", "no hyphen last"),
        ("ml--flow", "RDS identifier", "single hyphens"),
        ("1mlflow", "RDS identifier", "a letter first"),
        ("Mlflow", "RDS identifier", "lowercase"),
        ("ab", "S3 bucket", "3 to 63"),
        ("a" * 64, "S3 bucket", "3 to 63"),
        ("my_bucket", "S3 bucket", "lowercase letters, digits and hyphens"),
        ("my.bucket", "S3 bucket", "no dot"),
        ("-bucket", "S3 bucket", "no hyphen first"),
        ("xn--bucket", "S3 bucket", "reserves"),
        ("bucket-s3alias", "S3 bucket", "reserves"),
        ("a" * 65, "IAM role", "65 characters"),
        ("a" * 256, "security group", "1 to 255"),
        ("a" * 256, "RDS parameter group", "1 to 255"),
        *(("", kind, "0 characters") for kind in ("RDS identifier", "RDS parameter group", "IAM role")),
        ("mlflow dev", "IAM role", "letters, digits"),
        ("sg-mlflow", "security group", "sg-"),
    ],
)
def test_a_bad_name_is_explained(name: str, kind: str, said: str) -> None:
    assert said in name_problem(name, kind)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="not queue"):
        name_problem("mlflow", "queue")


def test_the_filter_is_offered_by_name() -> None:
    assert FilterModule().filters() == {"name_problem": name_problem}
