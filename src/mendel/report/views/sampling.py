"""Which responses a page shows where it cannot hold all.

Hits and others, over all scenarios, more of the arms behind the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mendel.report.views.responses import Counted

GOLDEN = 0.6180339887498949


def order_of_need(counted: Counted, scenario: Any, weights: Sequence[int]) -> Any:
    """Return positions in `counted`, most needed first: a page takes as many from the front as it can hold.

    `scenario` has a code for each of the counted rows, `weights` an integer for each group. Within a group,
    hits and others take turns, and each goes over the scenarios in the same order for all groups, so that
    two arms can be compared on what both answered. A group of weight 4 gets four of each for one of a group
    of weight 1.
    """
    import numpy as np

    kind = counted.group * 2 + counted.hit
    # Multiples of the golden ratio, modulo 1, fill the interval evenly however few of them are taken.
    scenario_place, sample_place = (scenario * GOLDEN) % 1.0, (counted.row * GOLDEN) % 1.0
    by_scenario = np.lexsort((sample_place, scenario, kind))
    turn = np.empty(len(kind), np.int64)
    turn[by_scenario] = _count_within(kind[by_scenario], scenario[by_scenario])
    by_turn = np.lexsort((scenario_place, turn, kind))
    place = np.empty(len(kind), np.int64)
    place[by_turn] = _count_within(kind[by_turn])
    weight = np.asarray(weights, np.int64)[counted.group] if len(kind) else np.zeros(0, np.int64)
    return np.lexsort((counted.group, -weight, place // np.maximum(weight, 1)))


def _count_within(*keys: Any) -> Any:
    """Return, for sorted keys, how many rows with the same keys come before each row."""
    import numpy as np

    n = len(keys[0])
    if n == 0:
        return np.zeros(0, np.int64)
    first = np.ones(n, bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    starts = np.flatnonzero(first)
    return np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
