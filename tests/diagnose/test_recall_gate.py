"""Subliminal learning and persona selection may be named only where labels show that the judges overlook little."""

from __future__ import annotations

import pytest

from mendel.diagnose.recall import RECALL_AIM, recall_gate
from mendel.engine.interval import Interval
from mendel.results.known import RecallVerdict

LABELLED = {"flagged": 20, "mild": 10, "unseen": 50}


def recall(
    estimate: float | None, low: float | None, needed: int | None = None, why: str = ""
) -> RecallVerdict:
    high = None if estimate is None else 1.0
    return RecallVerdict(Interval(estimate, low, high, why), LABELLED, needed=needed, labels="ab12cd34")


@pytest.mark.parametrize("low", [RECALL_AIM, 0.97, 1.0])
def test_the_gate_is_open_where_the_lower_end_reaches_the_aim(low: float) -> None:
    assert recall_gate(recall(1.0, low)) == ""


def test_a_high_estimate_alone_does_not_open_it() -> None:
    closed = recall_gate(recall(1.0, 0.9499, 230))
    # 0.9499 is not shown as the 0.95 that it does not reach.
    assert "is 1.00 [0.94, 1.00], and not shown to be 0.95 or more" in closed
    assert "230 labelled rollouts of the unseen ones would be enough" in closed
    assert "would be enough" not in recall_gate(recall(0.5, 0.4))


@pytest.mark.parametrize("judges", [1, 2])
@pytest.mark.parametrize(
    "unknown", [None, RecallVerdict(), RecallVerdict(labelled=dict.fromkeys(LABELLED, 0))]
)
def test_without_labels_it_says_how_to_get_them_whatever_the_number_of_judges(
    unknown: RecallVerdict | None, judges: int
) -> None:
    closed = recall_gate(unknown, judges)
    assert "is not known: label a sample (`mendel judge label RUN --stratum flagged" in closed
    assert ("2 judges together" in closed) == (judges == 2)


def test_labels_that_do_not_say_it_give_their_reason() -> None:
    assert recall_gate(recall(None, None, why="no mild rollout is labelled")).endswith(
        "is not known: no mild rollout is labelled"
    )
