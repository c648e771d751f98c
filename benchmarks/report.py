"""From outcomes to figures: a round's, the ratios between servers, what is printed, the picture."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import UNANSWERED, Result, percentile
from benchmarks.measure import Costs

# Beyond these the generator, and not the server, is what was measured.
BUSY_SHARE, LATE_SECONDS = 0.9, 0.1
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
TUTORIAL, DEPLOYED, LIMIT = "tutorial", "deployed", "limit"
# What becomes of a request, and its colour.
DONE, REFUSED, OTHER = "done", "refused, to try again", "other failure"
OUTCOMES = {DONE: "#2e7d32", REFUSED: "#f9a825", UNANSWERED: "#c62828", OTHER: "#6a1b9a"}


@dataclass(frozen=True)
class Round:
    """One server under one load, once."""

    done: int
    per_second: float
    # Seconds, by the name of the percentile.
    latency: dict[str, float]
    longest: float
    errors: dict[str, int]
    lost: int
    # Milliseconds of processor time for each request done, by what used them.
    processor: dict[str, float]
    memory: int
    connections: int
    generator_share: float
    generator_lag: float

    @property
    def saturated(self) -> bool:
        """Whether the generator couldn't have done more."""
        return self.generator_share > BUSY_SHARE or self.generator_lag > LATE_SECONDS


@dataclass(frozen=True)
class Spread:
    """How a figure varies from round to round."""

    least: float
    median: float
    most: float

    def __str__(self) -> str:
        return " - ".join(f"{value:.3g}" for value in (self.least, self.median, self.most))


def spread(values: list[float]) -> Spread:
    """Return minimum, median and maximum."""
    return Spread(min(values), statistics.median(values), max(values))


def figures(result: Result, costs: Costs, lost: int, seconds: float) -> Round:
    """Return a round's figures: only what was rightly answered is done, in the time until the last such answer."""
    done = len(result.latencies)
    return Round(
        done=done,
        per_second=done / max(seconds, result.seconds),
        latency={name: percentile(result.latencies, share) for name, share in PERCENTILES.items()},
        longest=result.longest,
        errors=result.errors,
        lost=lost,
        processor={name: 1000 * spent / done for name, spent in costs.processor.items()} if done else {},
        memory=costs.memory_peak,
        connections=costs.connections,
        generator_share=result.processor_share,
        generator_lag=result.lag,
    )


def ratios(ones: list[float], others: list[float]) -> Spread | None:
    """Compare round by round; nothing where the other did nothing at all, as no number says how much more that is."""
    pairs = list(zip(ones, others, strict=False))
    if not pairs or not all(other for _, other in pairs):
        return None
    return spread([one / other for one, other in pairs])


@dataclass
class Cell:
    """One scenario under one load: its rounds by server."""

    scenario: str
    clients: int
    rate: float | None
    rounds: dict[str, list[Round]]

    @property
    def title(self) -> str:
        """Name it for people."""
        pace = f"{self.rate:g}/s open" if self.rate else f"{self.clients} client{'s' * (self.clients > 1)}"
        return f"{self.scenario}, {pace}"

    def ratio(self, one: str, other: str) -> Spread | None:
        """Compare what two servers did per second."""
        first, second = ([each.per_second for each in self.rounds.get(name, [])] for name in (one, other))
        return ratios(first, second)

    def sooner(self, one: str, other: str, name: str = "p50") -> Spread | None:
        """Compare how long two servers let clients wait: 2 where the other takes twice as long."""
        first, second = ([each.latency[name] for each in self.rounds.get(server, [])] for server in (one, other))
        return ratios(second, first)

    @property
    def lost(self) -> dict[str, int]:
        """Count the acknowledged writes that weren't there afterwards, by server."""
        counted = {server: sum(each.lost for each in rounds) for server, rounds in self.rounds.items()}
        return {server: count for server, count in counted.items() if count}


def lines(cell: Cell) -> list[str]:
    """Say a cell in a few lines: the ratios first, then each server."""
    said = [cell.title]
    if {TUTORIAL, DEPLOYED} <= cell.rounds.keys():
        p50, p99 = (_number(cell.sooner(DEPLOYED, TUTORIAL, name)) for name in ("p50", "p99"))
        if not cell.rate:
            said.append(f"  deployed / tutorial, requests per second: {_number(cell.ratio(DEPLOYED, TUTORIAL))}")
        said.append(f"  tutorial / deployed, time of an answer: p50 {p50}; p99 {p99}")
    if limit := cell.ratio(DEPLOYED, LIMIT):
        said.append(f"  deployed / limit, requests per second: {limit}")
    for server, rounds in cell.rounds.items():
        said += [f"  {server:9} {line}" for line in _server(rounds, cell.lost.get(server, 0))]
    return said


def _server(rounds: list[Round], lost: int) -> list[str]:
    latency = _medians([each.latency for each in rounds])
    times = ", ".join(f"{name} {1000 * value:.0f}" for name, value in latency.items())
    longest = 1000 * max(each.longest for each in rounds)
    rates = spread([each.per_second for each in rounds])
    said = [f"{rates} per second, {sum(each.done for each in rounds)} done; {times}, longest {longest:.0f} ms"]
    if cost := ", ".join(
        f"{name} {value:.1f}" for name, value in _medians([each.processor for each in rounds]).items()
    ):
        memory = max(each.memory for each in rounds) / 2**20
        held = max(each.connections for each in rounds)
        said.append(f"processor per request: {cost} ms; memory up to {memory:.0f} MiB; up to {held} connections")
    if errors := sum((Counter(each.errors) for each in rounds), Counter[str]()):
        said.append(f"failed: {', '.join(f'{count} x {error}' for error, count in errors.most_common())}")
    if lost:
        said.append(f"LOST: {lost} writes were acknowledged and are not in the database")
    if any(each.saturated for each in rounds):
        share, lag = max(each.generator_share for each in rounds), max(each.generator_lag for each in rounds)
        said.append(f"THE GENERATOR MAY BE THE LIMIT: {share:.2f} of a processor, {1000 * lag:.0f} ms late")
    return said


def _number(found: Spread | None) -> str:
    return str(found) if found else "no number, as one of them did nothing"


def _medians(several: list[dict[str, float]]) -> dict[str, float]:
    names = {name: None for each in several for name in each}
    return {name: statistics.median(each[name] for each in several if name in each) for name in names}


def picture(cells: list[Cell], title: str, path: Path) -> None:
    """Draw the ratios, and what became of the requests of many clients where there were many."""
    # Its import takes a second, which nobody else should wait for.
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    compared = [(cell, ratio) for cell in cells if not cell.rate and (ratio := cell.ratio(DEPLOYED, TUTORIAL))]
    crowds = [cell for cell in cells if cell.clients >= 100 and not cell.rate and DEPLOYED in cell.rounds]
    rows = [
        (f"{cell.title}, {server}", cell.rounds[server])
        for cell in crowds
        for server in (TUTORIAL, DEPLOYED)
        if server in cell.rounds
    ]
    height = 1.8 + 0.36 * max(len(compared), len(rows))
    figure, axes = plt.subplots(1, 2 if rows else 1, figsize=(13 if rows else 8, height), squeeze=False)
    left = axes[0][0]
    # Drawn from 1, to the right what is more, and to the left what is less.
    left.barh(
        [cell.title for cell, _ in compared],
        [ratio.median - 1 for _, ratio in compared],
        left=1,
        xerr=[
            [ratio.median - ratio.least for _, ratio in compared],
            [ratio.most - ratio.median for _, ratio in compared],
        ],
        color=["#0194e2" if ratio.median >= 1 else "#ef6c00" for _, ratio in compared],
        ecolor="#333333",
        capsize=3,
    )
    left.axvline(1, color="#333333", linewidth=1)
    left.set_xscale("log", base=2)
    left.xaxis.set_major_formatter(lambda value, _: f"{value:g} x")
    left.invert_yaxis()
    left.set_xlabel("requests done per second, deployed / tutorial\nbar: median of the rounds; line: least to most")
    if rows:
        right = axes[0][1]
        start = [0.0] * len(rows)
        for label, colour in OUTCOMES.items():
            counts = [statistics.mean(_outcomes(each)[label] for each in rounds) for _, rounds in rows]
            right.barh([name for name, _ in rows], counts, left=start, color=colour, label=label)
            start = [sum(pair) for pair in zip(start, counts, strict=True)]
        right.invert_yaxis()
        right.set_xlabel("requests of a round, by what became of them")
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize="small")
    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _outcomes(each: Round) -> dict[str, int]:
    refused = sum(each.errors.get(status, 0) for status in ("429", "503"))
    unanswered = each.errors.get(UNANSWERED, 0)
    other = sum(each.errors.values()) - refused - unanswered
    return {DONE: each.done, REFUSED: refused, UNANSWERED: unanswered, OTHER: other}


def cells_from(found: list[dict[str, Any]]) -> list[Cell]:
    """Read cells back from a result's JSON."""
    return [
        Cell(
            cell["scenario"],
            cell["clients"],
            cell["rate"],
            {server: [Round(**each) for each in rounds] for server, rounds in cell["rounds"].items()},
        )
        for cell in found
    ]
