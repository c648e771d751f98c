"""Figures, ratios and what is said of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import Result
from benchmarks.measure import Costs
from benchmarks.report import Cell, Round, cells_from, figures, lines, picture, ratios, spread

ROUND = Round(
    done=10,
    per_second=10.0,
    latency={"p50": 0.1, "p95": 0.2, "p99": 0.3},
    longest=0.4,
    errors={},
    lost=0,
    processor={"mlflow": 5.0},
    memory=2**20,
    connections=3,
    generator_share=0.1,
    generator_lag=0.001,
)


def cell(**servers: list[dict[str, Any]]) -> Cell:
    rounds = {name: [dataclasses.replace(ROUND, **each) for each in given] for name, given in servers.items()}
    return Cell("log_batch", 100, None, rounds)


def test_only_what_was_answered_counts_over_the_time_that_it_took() -> None:
    result = Result(latencies=[0.1, 0.3, 0.2, 8.0], errors={"503": 5, "unanswered": 2}, longest=30.0, seconds=8.0)
    found = figures(result, Costs(processor={"mlflow": 0.4}, memory_peak=7, connections=2), lost=1, seconds=4)
    assert (found.done, found.per_second, found.lost, found.longest) == (4, 0.5, 1, 30.0)
    assert found.processor == {"mlflow": pytest.approx(100)}
    assert found.latency == {"p50": 0.2, "p95": 8.0, "p99": 8.0}


def test_a_server_that_ended_early_is_not_taken_for_a_fast_one() -> None:
    assert figures(Result(latencies=[0.1], seconds=0.1), Costs(), lost=0, seconds=4).per_second == 0.25


def test_a_round_without_an_answer_costs_nothing_by_request() -> None:
    found = figures(Result(errors={"unanswered": 3}), Costs(processor={"mlflow": 1.0}), lost=0, seconds=4)
    assert (found.done, found.per_second, found.processor) == (0, 0, {})


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == spread([2.0, 3.0, 4.0])


def test_a_round_that_one_server_lacks_is_left_out() -> None:
    assert ratios([2.0, 30.0], [1.0]) == spread([2.0])


def test_no_number_says_how_much_more_than_nothing_is() -> None:
    assert ratios([2.0, 3.0], [1.0, 0.0]) is None
    found = lines(cell(tutorial=[{"done": 0, "per_second": 0.0}], deployed=[{}]))
    assert "deployed / tutorial, requests per second: no number" in found[1]


def test_waiting_compares_the_other_way_round() -> None:
    found = cell(tutorial=[{"latency": {"p50": 0.4}}], deployed=[{"latency": {"p50": 0.1}}])
    assert found.sooner("deployed", "tutorial") == spread([4.0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lost": 2}, "LOST: 2 writes"),
        ({"errors": {"503": 4, "unanswered": 9}}, "failed: 9 x unanswered, 4 x 503"),
        ({"generator_share": 0.95}, "THE GENERATOR MAY BE THE LIMIT: 0.95"),
        ({"generator_lag": 0.5}, "THE GENERATOR MAY BE THE LIMIT: 0.10 of a processor, 500 ms late"),
    ],
)
def test_what_spoils_a_figure_is_said_beside_it(change: dict[str, Any], said: str) -> None:
    assert said not in "\n".join(lines(cell(deployed=[{}, {}])))
    assert said in "\n".join(lines(cell(deployed=[{}, change])))


def test_losses_are_counted_by_server() -> None:
    assert cell(tutorial=[{}], deployed=[{"lost": 1}, {"lost": 2}]).lost == {"deployed": 3}


def test_results_are_read_back_as_they_were_written() -> None:
    written = cell(tutorial=[{}], deployed=[{}])
    assert cells_from([dataclasses.asdict(written)]) == [written]


def test_the_picture_is_drawn_also_where_a_server_did_nothing(tmp_path: Path) -> None:
    file = tmp_path / "results.png"
    picture([cell(tutorial=[{"per_second": 0.0}], deployed=[{}])], "title", file)
    assert file.read_bytes().startswith(b"\x89PNG")
