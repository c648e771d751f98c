"""What a second run of site.yml costs the controller: its processor time as a ratio of the least that it could be.

Run ``make sandbox`` first, then ``python -m benchmarks.converge``. The least is the processor time of two things: one
script that makes the same AWS calls by boto3 in one process, and a play of as many tasks that do nothing. For a task
that runs a module it runs ``ping`` in the same place (on the controller, or over SSH with sudo), for one that runs none
it asserts what is true, and one that is skipped is skipped there too. Rounds alternate.

Processor time is that of Ansible's processes on the controller, modules for localhost included; what the hosts use is
told apart. The local AWS runs elsewhere and isn't counted.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml

from benchmarks.login import SANDBOX, spread
from benchmarks.measure import Group
from sandbox.calls import CALLS_PATH
from tests.deploy.deployment import Deployment

BARE_READS = Path(__file__).with_name("bare_reads.py")
# Ansible itself does what they do, without a process of Python's for a module.
WITHOUT_MODULE = {
    f"ansible.builtin.{name}"
    for name in (
        "add_host", "assert", "debug", "fail", "include_role", "include_tasks", "include_vars", "set_fact",
        "validate_argument_spec",
    )
}  # fmt: skip
# Each of their modules is a process that imports boto3 and makes a client.
AWS_MODULES = ("amazon.aws.", "community.aws.", "mlops.mlflow.deployment_info", "mlops.mlflow.gateway_endpoint")
BOTO3_START = "import sys, boto3; boto3.client('ec2', region_name=sys.argv[1])"
READS = ("Describe", "Get", "Head", "List")
# Each kind of task, with the one of it that does least.
EMPTY: dict[str, dict[str, Any]] = {
    "module on the controller": {"ansible.builtin.ping": {}},
    "module on a host": {"ansible.builtin.ping": {}},
    "no module": {"ansible.builtin.assert": {"that": True, "quiet": True}},
    "skipped": {"ansible.builtin.ping": {}, "when": False},
}


@dataclass(frozen=True)
class Run:
    """One run of site.yml."""

    processor: float
    on_hosts: float
    report: dict[str, Any]
    calls: list[dict[str, Any]]


def kinds(report: dict[str, Any]) -> collections.Counter[str]:
    """Count the tasks of a run by where they ran: one for each host, and one for each round of a loop."""
    return collections.Counter(_kind(*each) for each in _results(report))


def aws_modules(report: dict[str, Any]) -> int:
    """Count the processes of modules that talk to AWS."""
    return sum(
        result["action"].startswith(AWS_MODULES) and _kind(host, result) != "skipped"
        for host, result in _results(report)
    )


def _results(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each result with its host, the rounds of a loop one by one."""
    for play in report["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                rounds = result.get("results") or [result]
                # Of a round that logs nothing only the whole says that it was skipped.
                whole = {key: result[key] for key in ("action", "skipped") if key in result}
                yield from ((host, {**one, **whole}) for one in rounds)


def _kind(host: str, result: dict[str, Any]) -> str:
    if result.get("skipped"):
        return "skipped"
    if result["action"] in WITHOUT_MODULE:
        return "no module"
    where = result.get("_ansible_delegated_vars", {}).get("ansible_host", host)
    return "module on the controller" if where == "localhost" else "module on a host"


def empty_play(tasks: collections.Counter[str], host: dict[str, str]) -> list[dict[str, Any]]:
    """Return a playbook of as many tasks of each kind, none of which does anything."""
    on_host = "module on a host"
    here = [task for kind, count in tasks.items() if kind != on_host for task in [EMPTY[kind]] * count]
    return [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.add_host": {**host, "groups": ["tracking_hosts"]}}, *here],
        },
        {"hosts": "tracking_hosts", "gather_facts": False, "become": True, "tasks": [EMPTY[on_host]] * tasks[on_host]},
    ]


def operations(calls: Iterable[dict[str, Any]]) -> collections.Counter[str]:
    """Count calls by what they ask for."""
    return collections.Counter(call["name"] for call in calls)


def writes(calls: Iterable[dict[str, Any]]) -> list[str]:
    """Return the calls that do more than read."""
    return sorted({call["name"] for call in calls if not call["operation"].startswith(READS)})


def repeated(calls: Iterable[dict[str, Any]]) -> collections.Counter[str]:
    """Count the calls that had been made before in the same words."""
    seen: collections.Counter[tuple[str, str]] = collections.Counter(
        (call["name"], json.dumps(call["parameters"], sort_keys=True)) for call in calls
    )
    found: collections.Counter[str] = collections.Counter()
    for (name, _), count in seen.items():
        found[name] += count - 1
    return +found


def processor(work: Callable[[], object]) -> float:
    """Return the seconds of processor time, user and system, that the processes take which some work starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def control(deployment: Deployment, method: str) -> bytes:
    """Begin, read or end the record of calls that the local AWS keeps."""
    url = deployment.variables["mlflow_aws"]["endpoint_url"] + CALLS_PATH
    with urlopen(Request(url, method=method), timeout=30) as answer:
        content: bytes = answer.read()
    return content


def converge(deployment: Deployment) -> Run:
    """Run site.yml where it has run before; anything that it changes is an error."""
    reporting = Deployment(deployment.inventory, environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"})
    plays = []
    host = Group(str(deployment.host.id))
    on_hosts = host.processor_seconds()
    control(deployment, "PUT")
    try:
        used = processor(lambda: plays.append(reporting.play("site.yml")))
        calls = json.loads(control(deployment, "GET"))
    finally:
        control(deployment, "DELETE")
    output = plays[0].output
    report = json.loads(output[output.index("{\n") :])
    if plays[0].returncode or any(stats["changed"] for stats in report["stats"].values()):
        msg = f"site.yml failed or changed something: {report['stats']}. Run it once more, then this."
        raise RuntimeError(msg)
    # The hosts' own calls are theirs.
    own = [call for call in calls if call["access_key"] == deployment.variables["mlflow_aws"]["access_key"]]
    return Run(used, host.processor_seconds() - on_hosts, report, own)


def least(deployment: Deployment, run: Run) -> tuple[float, float]:
    """Return the processor time of the same calls in one script, and of the same number of tasks that do nothing."""
    connection = deployment.variables["mlflow_aws"]
    client = {
        "region_name": connection["region"],
        "endpoint_url": connection["endpoint_url"],
        "aws_access_key_id": connection["access_key"],
        "aws_secret_access_key": connection["secret_key"],
    }
    (address,) = deployment.host.attrs["NetworkSettings"]["Networks"].values()
    with tempfile.TemporaryDirectory() as folder:
        calls, play = Path(folder, "calls.json"), Path(folder, "play.yml")
        calls.write_text(json.dumps({"connection": client, "calls": run.calls}))
        # A host that is added has no inventory of its own, by which the group's variables would find the key.
        key = str(deployment.inventory / ".sandbox/id_ed25519")
        host = {"name": "benchmark", "ansible_host": address["IPAddress"], "ansible_ssh_private_key_file": key}
        play.write_text(yaml.safe_dump(empty_play(kinds(run.report), host)))
        # Without the dynamic inventory, whose calls are among those of the script.
        plain = Deployment(deployment.inventory / "hosts.yml")
        plays = []
        script = processor(lambda: subprocess.run([sys.executable, BARE_READS, calls], check=True))
        tasks = processor(lambda: plays.append(plain.play(str(play))))
        if plays[0].returncode:
            raise RuntimeError(plays[0].output[-2000:])
    return script, tasks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--inventory", type=Path, default=SANDBOX, help="the sandbox (inventories/sandbox)")
    options = parser.parse_args()
    deployment = Deployment(options.inventory.resolve())

    runs: list[Run] = []
    scripts: list[float] = []
    plays: list[float] = []
    for _ in range(options.rounds):
        runs.append(converge(deployment))
        script, play = least(deployment, runs[-1])
        scripts.append(script)
        plays.append(play)

    last = runs[-1]
    tasks = kinds(last.report)
    print(f"tasks: {tasks.total()}, of them {', '.join(f'{count} {kind}' for kind, count in tasks.most_common())}")
    print(f"AWS calls: {len(last.calls)}, of them {repeated(last.calls).total()} in the same words as one before")
    again = repeated(last.calls)
    for name, count in operations(last.calls).most_common():
        print(f"  {count:4} {name}{f' ({again[name]} again)' if again[name] else ''}")
    print(f"calls that do more than read: {', '.join(writes(last.calls)) or 'none'}")
    print(f"site.yml: {spread([run.processor for run in runs], 1)} processor seconds of {os.cpu_count()} processors")
    print(f"  beside it, on the host: {spread([run.on_hosts for run in runs], 1)}")
    print(f"the same calls by one script: {spread(scripts, 1)}")
    print(f"as many tasks that do nothing: {spread(plays, 1)}")
    region = deployment.variables["mlflow_aws"]["region"]
    starts = [
        processor(lambda: subprocess.run([sys.executable, "-c", BOTO3_START, region], check=True))
        for _ in range(options.rounds)
    ]
    print(f"boto3's start, of which {aws_modules(last.report)} modules have one each: {spread(starts, 2)}")
    ratios = [run.processor / (one + other) for run, one, other in zip(runs, scripts, plays, strict=True)]
    print(f"ratio: {spread(ratios, 2)}")


if __name__ == "__main__":
    main()
