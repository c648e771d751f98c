"""What continuous integration runs is what can be run by hand, and all of it."""

from __future__ import annotations

import re

from tests.contracts.variables import ROOT, load

WORKFLOW = load(ROOT / ".github/workflows/test.yml")
TARGETS = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["target"]


def test_every_target_exists_and_every_gate_runs() -> None:
    made = set(re.findall(r"^((?:lint|test)[a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    assert {target.split()[0] for target in TARGETS} == made - {"test"}


def test_every_scenario_runs() -> None:
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert {target.partition("SCENARIO=")[2] for target in TARGETS if "SCENARIO" in target} == scenarios


def test_no_more_is_permitted_than_to_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    uses = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", each) for each in uses)
