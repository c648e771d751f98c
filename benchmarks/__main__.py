"""The deployed server against the tutorial's, and against what stands behind both: ``make bench``.

Everything runs on this machine and shares its processors, the generator too, so that only ratios mean anything, and
only those of one run. Rounds alternate: each goes through all loads, on one server after the other.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import artifacts, database, interface, load, report, servers
from benchmarks.measure import Costs, observed
from benchmarks.report import DEPLOYED, LIMIT, TUTORIAL, Cell, figures
from benchmarks.scenarios import METRICS, PARAMS, SCENARIOS
from benchmarks.servers import Server, Site
from tests.deploy.deployment import ROOT, Deployment

RESULTS = Path(__file__).with_name("results")
# The loads of each scenario: numbers of clients.
CLIENTS = {
    "log_metric": [1, 10],
    "log_batch": [1, 10, 100, 1000, 2000],
    "create_run": [1],
    "get_new_run": [1],
    "get_run": [1, 10],
    "search_10k": [1],
    "search_100k": [1],
    "search_experiments": [1],
}
# Besides: log_metric at a fixed rate, which the tutorial's server still holds.
OPEN_SCENARIO, OPEN_CLIENTS = "log_metric", 100
# Runs through the stock client, for so long.
FLEET_SCENARIO, FLEET_SECONDS = "log_batch", 180.0
# Whose figures are no rounds of requests. The last takes five minutes more, and only if it is asked for.
OTHERS = ("idle", "interface", "artifacts", "fleet")
# From so many clients on a load lasts longer, since a request does, and has fewer rounds, for which minutes are kept.
CROWD, CROWD_LENGTH, CROWD_ROUNDS, CROWDS_MINUTES = 100, 4, 1, 5
# A bare database takes no crowd.
LIMIT_CLIENTS = 10
RUNS, EXPERIMENTS = 2000, 50
# The experiments with runs: how many, and what each has beforehand: metrics and parameters.
CONTENT = {
    "runs": (RUNS, 0, 0),
    "new": (200, 0, 0),
    "read": (200, METRICS, PARAMS),
    "created": (0, 0, 0),
    "10000": (10_000, 2, 2),
    "100000": (100_000, 2, 2),
}
# What the numbers of a task's requests can't reach.
NUMBERS = 10_000_000


@dataclass
class Bench:
    """One run of the benchmark."""

    site: Site
    options: argparse.Namespace
    deadline: float
    servers: list[Server] = field(default_factory=list)
    subjects: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    first: int = 0

    def plan(self) -> list[Cell]:
        """Return the loads that were asked for."""
        chosen = [name for name in CLIENTS if name in self.options.scenarios]
        cells = [Cell(name, clients, None, {}) for name in chosen for clients in self.options.clients or CLIENTS[name]]
        if OPEN_SCENARIO in chosen and self.options.rate:
            cells.append(Cell(OPEN_SCENARIO, OPEN_CLIENTS, self.options.rate, {}))
        # The longest last: what they leave behind is nobody's start.
        return sorted(cells, key=lambda cell: cell.clients >= CROWD and not cell.rate)

    def prepare(self, server: Server, *, limit: bool) -> None:
        """Make the experiments and runs that the loads need, and those of the limit, whose rows are there too."""
        for name in (server.name, LIMIT) if limit else (server.name,):
            self.subjects[name] = made = {}
            for kind, (count, metrics, params) in CONTENT.items():
                users = [each for each, scenario in SCENARIOS.items() if scenario.subjects == kind]
                if not set(users) & set(self.options.scenarios) or (name == LIMIT and count > RUNS):
                    continue
                experiment = servers.make_experiment(server, self.site, f"{name}-{kind}")
                with self.site.login.session(server.store) as session:
                    runs = database.make_runs(session, experiment, count, metrics=metrics, params=params)
                made[kind] = runs if kind in ("runs", "new", "read") else [experiment]
        if "search_experiments" in self.options.scenarios:
            for number in range(EXPERIMENTS):
                servers.make_experiment(server, self.site, str(number))
        # As the server would do by itself after so many rows.
        self.site.login.as_superuser("VACUUM ANALYZE", server.store)

    def remove(self, server: Server) -> None:
        """Take out of a database that stays what the benchmark put there."""
        with self.site.login.session(server.store) as session:
            database.remove_experiments(session, self.site.login.user)

    def rounds(self) -> None:
        """Go through all loads, again and again, on one server after the other; the crowds come at the end."""
        self.cells = self.plan()
        crowds = [cell for cell in self.cells if cell.clients >= CROWD and not cell.rate]
        others = [cell for cell in self.cells if cell not in crowds]
        for number in range(self.options.rounds):
            for cell in others:
                self._turn(number, cell, self.options.seconds, self.deadline - (CROWDS_MINUTES * 60 if crowds else 0))
        for number in range(min(self.options.rounds, CROWD_ROUNDS)):
            for cell in crowds:
                self._turn(number, cell, self.options.seconds * CROWD_LENGTH, self.deadline)

    def _turn(self, number: int, cell: Cell, seconds: float, deadline: float) -> None:
        if time.monotonic() > deadline:
            self.notes.append(f"round {number + 1}: no time was left for {cell.title}")
            return
        for server in self.servers if number % 2 == 0 else reversed(self.servers):
            self._round(cell, server, seconds)
        if SCENARIOS[cell.scenario].statements and cell.clients <= LIMIT_CLIENTS:
            self._limit(cell, seconds)
        say(f"round {number + 1}: {'; '.join(_brief(cell))}")

    def _task(self, cell: Cell, server: str, seconds: float, **connection: Any) -> load.Task:
        self.first += NUMBERS
        subjects = list(self.subjects[server][SCENARIOS[cell.scenario].subjects])
        random.Random(self.first).shuffle(subjects)
        return load.Task(
            cell.scenario, subjects=subjects, clients=cell.clients, seconds=seconds, first=self.first, **connection
        )

    def _round(self, cell: Cell, server: Server, seconds: float) -> None:
        task = self._task(
            cell,
            server.name,
            seconds,
            url=server.url,
            rate=cell.rate,
            authorization=server.authorization,
            ca_file=server.ca_file,
        )
        with observed(server.groups, server.memory, lambda: servers.connections(server, self.site)) as costs:
            result = load.put_on(task, started=lambda: costs.begin(server.groups))
        if cell.clients >= CROWD and not servers.settle(server, self.site):
            self.notes.append(f"{server.name} still worked {servers.SETTLE_SECONDS} s after {cell.title}")
        self._note(cell, server.name, task, result, costs, server.store)

    def _limit(self, cell: Cell, seconds: float) -> None:
        store = self.site.login.user
        task = self._task(cell, LIMIT, seconds, url=self.site.login.uri(store))
        self._note(cell, LIMIT, task, load.put_on(task, "benchmarks.limit"), Costs(), store)

    def _note(self, cell: Cell, name: str, task: load.Task, result: load.Result, costs: Costs, store: str) -> None:
        lost = 0
        if stored := SCENARIOS[cell.scenario].stored:
            with self.site.login.session(store) as session:
                lost = len(database.lost(session, stored, result.acknowledged, task.first))
        cell.rounds.setdefault(name, []).append(figures(result, costs, lost, task.seconds))

    def idle(self) -> None:
        """Note how soon each server answered, and what it holds before anybody asks it anything."""
        self.others["idle"] = {
            server.name: {
                "start_seconds": server.start_seconds,
                "memory": {name: group.proportional() for name, group in server.groups.items() if name != "database"},
            }
            for server in self.servers
        }

    def fleet(self) -> None:
        """Let as many runs as there are log through the stock client to the deployed server, for some minutes."""
        (server,) = [each for each in self.servers if each.name == DEPLOYED]
        experiment = servers.make_experiment(server, self.site, "fleet")
        task = load.Task(FLEET_SCENARIO, server.url, [experiment], RUNS, FLEET_SECONDS, first=0)
        with observed(server.groups, server.memory, lambda: servers.connections(server, self.site)) as costs:
            result = load.put_on(
                task, "benchmarks.fleet", server.client_environment, lambda: costs.begin(server.groups)
            )
        stored = SCENARIOS[FLEET_SCENARIO].stored
        assert stored
        with self.site.login.session(server.store) as session:
            lost = len(database.lost(session, stored, result.acknowledged, task.first))
            finished = "SELECT count(*) FROM runs WHERE experiment_id = %s AND status = 'FINISHED'"
            ((complete,),) = database.ask(session, finished, [experiment])
        found = dataclasses.asdict(figures(result, costs, lost, task.seconds))
        self.others["fleet"] = {"runs": RUNS, "complete": complete, **found}

    def document(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return {
            "machine": {
                "cores": os.cpu_count(),
                "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
                "processor": platform.machine(),
                "load_before": os.getloadavg(),
            },
            # Where it lies on this machine is nobody else's business.
            "options": {name: str(value) for name, value in vars(self.options).items() if not isinstance(value, Path)},
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
            **self.others,
            "notes": self.notes,
        }


def _brief(cell: Cell) -> list[str]:
    last = {server: rounds[-1] for server, rounds in cell.rounds.items()}
    rates = ", ".join(f"{server} {each.per_second:.3g}/s" for server, each in last.items())
    return [cell.title, rates]


def say(text: str) -> None:
    """Tell what goes on."""
    print(f"[bench] {text}", flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*CLIENTS, *OTHERS]
    add = parser.add_argument
    add(
        "--scenarios",
        nargs="+",
        choices=names,
        default=names[:-1],
        metavar="NAME",
        help=f"of {', '.join(names)} (all but the last)",
    )
    add("--clients", type=int, nargs="+", help="concurrent clients, instead of each scenario's own list")
    add("--rounds", type=int, default=3, help=f"how often; from {CROWD} clients on {CROWD_ROUNDS} at most (3)")
    add(
        "--seconds", type=float, default=3, help=f"of a round; from {CROWD} clients on {CROWD_LENGTH} times as long (3)"
    )
    add("--rate", type=float, default=20, help=f"{OPEN_SCENARIO} per second of the open loop; 0 for none (20)")
    add("--minutes", type=float, default=16, help="after so many no load is begun any more (16)")
    add("--inventory", type=Path, default=ROOT / "inventories/sandbox", help="a sandbox on which site.yml has run")
    add("--results", type=Path, default=RESULTS, help="the folder for results.json and results.png")
    return parser.parse_args()


def main() -> int:
    """Measure, print, write; 1 where an acknowledged write was lost."""
    options = arguments()
    began = time.monotonic()
    with ExitStack() as stack:
        site = stack.enter_context(servers.site(Deployment(options.inventory.resolve())))
        bench = Bench(site, options, began + 60 * options.minutes)
        for start in (servers.tutorial, servers.deployed):
            say(f"starting the {start.__name__} server")
            bench.servers.append(stack.enter_context(start(site)))
        if "idle" in options.scenarios:
            bench.idle()
        for server in bench.servers:
            say(f"making the rows of the {server.name} server")
            if server.name == DEPLOYED:
                # The tutorial's database goes as a whole.
                stack.callback(bench.remove, server)
            bench.prepare(server, limit=server.name == TUTORIAL)
        parts: dict[str, Callable[[], Any]] = {
            "interface": lambda: interface.measure(bench.servers, options.rounds),
            "artifacts": lambda: artifacts.measure(bench.servers, site, bench.deadline),
        }
        for name, measure in parts.items():
            if name in options.scenarios:
                say(f"measuring: {name}")
                bench.others[name] = measure()
        bench.rounds()
        if "fleet" in options.scenarios:
            say(f"{RUNS} runs log through the stock client for {FLEET_SECONDS:.0f} s")
            bench.fleet()
    return write(bench.document(), options.results)


def write(found: dict[str, Any], folder: Path) -> int:
    """Write and print the results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    cells = report.cells_from(found["cells"])
    machine = f"{found['machine']['cores']} cores, {found['machine']['memory'] / 2**30:.0f} GiB"
    report.picture(
        cells, f"The deployed server against the tutorial's, on one machine: {machine}", folder / "results.png"
    )
    print("\n".join(line for cell in cells for line in report.lines(cell)))
    for name in OTHERS:
        if name in found:
            print(f"{name}: {json.dumps(found[name], indent=1)}")
    for note in found["notes"]:
        print(f"note: {note}")
    say(f"written to {folder}")
    return int(any(cell.lost for cell in cells) or found.get("fleet", {}).get("lost", 0) > 0)


if __name__ == "__main__":
    sys.exit(main())
