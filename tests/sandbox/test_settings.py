"""What an inventory must say about its sandbox, and what is said of one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.settings import Settings


def inventory(directory: Path, variables: str) -> Path:
    """Write an inventory's variables."""
    (directory / "group_vars").mkdir(parents=True)
    (directory / "group_vars" / "all.yml").write_text(variables)
    return directory


def aws(url: str, region: str = "eu-west-1") -> str:
    """Write the variables of a sandbox."""
    return f"mlflow_aws: {{region: {region}, endpoint_url: '{url}'}}"


def test_the_address_is_read(tmp_path: Path) -> None:
    """All else derives from the inventory's place."""
    settings = Settings.read(inventory(tmp_path, aws("http://10.41.9.1:5566")))
    assert (settings.address, settings.port, settings.region) == ("10.41.9.1", 5566, "eu-west-1")
    assert settings.endpoint_url == "http://10.41.9.1:5566"
    assert settings.state == tmp_path / ".sandbox"


def test_two_inventories_share_no_name(tmp_path: Path) -> None:
    """Two checkouts may run side by side."""
    first = Settings.read(inventory(tmp_path / "a", aws("http://10.41.9.1:5566")))
    second = Settings.read(inventory(tmp_path / "b", aws("http://10.41.9.1:5566")))
    assert first.prefix != second.prefix


@pytest.mark.parametrize(
    "url",
    ["", "10.41.9.1:5566", "https://10.41.9.1:5566", "http://10.41.9.1", "http://10.41.9.2:1", "http://localhost:5566",
     "http://8.8.8.1:5566", "http://127.0.0.1:5566", "http://10.41.9.1:x", "http://10.41.9.1:5566/path"],
)  # fmt: skip
def test_a_bad_address(tmp_path: Path, url: str) -> None:
    """The value is named, and what it should look like."""
    with pytest.raises(SandboxError, match=r"endpoint_url is .*: write http://") as error:
        Settings.read(inventory(tmp_path, aws(url)))
    assert repr(url) in str(error.value)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [("[]", "mlflow_aws is missing"), ("a: {", "not valid YAML"), (aws("http://10.41.9.1:1", "moon"), "'moon'")],
)
def test_bad_variables(tmp_path: Path, variables: str, complaint: str) -> None:
    """The file is named."""
    with pytest.raises(SandboxError, match=complaint) as error:
        Settings.read(inventory(tmp_path, variables))
    assert "group_vars/all.yml" in str(error.value)


def test_no_inventory(tmp_path: Path) -> None:
    """A directory that is none."""
    with pytest.raises(SandboxError, match="Cannot read"):
        Settings.read(tmp_path)
