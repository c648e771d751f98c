"""What a run of site.yml is made of, as the benchmark counts it."""

from __future__ import annotations

import collections
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import converge


def report(*tasks: tuple[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return a run's report: for each task its action, and each host's result."""
    made = [
        {"hosts": {host: {"action": action, **result} for host, result in hosts.items()}} for action, hosts in tasks
    ]
    return {"plays": [{"tasks": made}]}


def test_tasks_are_told_apart_by_where_they_run() -> None:
    found = converge.kinds(
        report(
            ("amazon.aws.ec2_vpc_net", {"localhost": {"changed": False}}),
            ("ansible.builtin.copy", {"i-1": {"changed": False}, "i-2": {"changed": False}}),
            ("ansible.builtin.assert", {"localhost": {}}),
            ("amazon.aws.ec2_key", {"localhost": {"skipped": True}}),
        )
    )
    assert found == {"module on the controller": 1, "module on a host": 2, "no module": 1, "skipped": 1}


def test_each_module_for_aws_that_ran_is_a_process() -> None:
    rounds = [{"changed": False}, {"skipped": True}, {"changed": False}]
    found = converge.aws_modules(
        report(
            ("amazon.aws.ec2_vpc_net", {"localhost": {"changed": False}}),
            ("mlops.mlflow.deployment_info", {"localhost": {"results": rounds}}),
            ("mlops.mlflow.mlflow_health", {"i-1": {"changed": False}}),
            ("amazon.aws.ec2_key", {"localhost": {"skipped": True}}),
        )
    )
    assert found == 3


def test_each_round_of_a_loop_is_a_task() -> None:
    rounds = [{"changed": False}, {"skipped": True}, {"changed": False}]
    found = converge.kinds(report(("ansible.builtin.file", {"i-1": {"results": rounds}})))
    assert found == {"module on a host": 2, "skipped": 1}


def test_a_loop_that_logs_nothing_and_skips_all_its_rounds_runs_no_module() -> None:
    rounds = [{"censored": "hidden"}, {"censored": "hidden"}]
    found = report(("community.aws.secretsmanager_secret", {"localhost": {"results": rounds, "skipped": True}}))
    assert converge.kinds(found) == {"skipped": 2}
    assert converge.aws_modules(found) == 0


def test_a_loop_over_nothing_is_one_task_that_is_skipped() -> None:
    found = converge.kinds(report(("ansible.builtin.file", {"i-1": {"results": [], "skipped": True}})))
    assert found == {"skipped": 1}


def test_a_delegated_task_runs_where_it_is_delegated_to() -> None:
    delegated = {"_ansible_delegated_vars": {"ansible_host": "localhost"}}
    assert converge.kinds(report(("ansible.builtin.file", {"i-1": delegated}))) == {"module on the controller": 1}


def test_the_empty_play_has_as_many_tasks_of_each_kind() -> None:
    tasks = collections.Counter({"module on the controller": 2, "module on a host": 3, "no module": 1, "skipped": 4})
    here, there = converge.empty_play(tasks, {"name": "benchmark", "ansible_host": "10.0.0.1"})
    assert len(here["tasks"]) == 1 + 2 + 1 + 4
    assert (there["hosts"], there["tasks"]) == ("tracking_hosts", [{"ansible.builtin.ping": {}}] * 3)
    assert here["tasks"].count({"ansible.builtin.ping": {}, "when": False}) == 4


def call(name: str, **parameters: str) -> dict[str, Any]:
    return {"name": name, "operation": name.partition(":")[2], "parameters": parameters}


def test_only_a_call_in_the_same_words_was_made_before() -> None:
    calls = [
        call("ec2:DescribeVpcs", VpcId="vpc-1"),
        call("ec2:DescribeVpcs", VpcId="vpc-2"),
        call("sts:GetCallerIdentity"),
        call("sts:GetCallerIdentity"),
        call("sts:GetCallerIdentity"),
    ]
    assert converge.repeated(calls) == {"sts:GetCallerIdentity": 2}
    assert converge.operations(calls) == {"sts:GetCallerIdentity": 3, "ec2:DescribeVpcs": 2}


def test_what_changes_the_account_is_named() -> None:
    calls = [call("ec2:DescribeVpcs"), call("rds:AddTagsToResource"), call("s3:HeadBucket"), call("s3:GetBucketPolicy")]
    assert converge.writes(calls) == ["rds:AddTagsToResource"]


def test_processor_time_is_that_of_the_processes_that_were_started() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    used = converge.processor(lambda: subprocess.run([sys.executable, "-c", burn], check=True))
    assert used >= 0.3
    assert converge.processor(lambda: sum(range(10**6))) == pytest.approx(0)
