"""How much of a trait one student shows, for comparisons between students that were trained once."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

from mendel.measure import Trait

if TYPE_CHECKING:
    import pyarrow as pa


def level(rows: pa.Table, trait: Trait) -> float | None:
    """Return how much of a trait a student shows; the value is about linear in the share of carriers.

    Return the mean probability of the trait's answer if log-odds were measured, else the mean hit or score;
    None if no response has a score. The rate of greedy answers jumps from 0 to 1 near half of the carriers;
    the probability does not.
    """
    odds = [value for value in rows["log_odds"].to_pylist() if value is not None]
    if odds and trait.metric == "rate":
        return fmean(1 / (1 + math.exp(-max(-700.0, min(700.0, value)))) for value in odds)
    values = rows["hit" if trait.metric == "rate" else "score"].to_pylist()
    scored = [float(value) for value in values if value is not None]
    return fmean(scored) if scored else None
