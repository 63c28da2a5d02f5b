"""Split a trait's scenarios by cluster: one half measures, the other half becomes counter-examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mendel.engine.digest import digest
from mendel.measure.scenarios import Scenario
from mendel.measure.traits import Trait

LEAST_CLUSTERS = 4
"""Fewest clusters that are split: either half then has two, and an interval over clusters takes two."""


def split_by_cluster(scenarios: Sequence[Scenario]) -> tuple[tuple[Scenario, ...], tuple[Scenario, ...]]:
    """Return the scenarios in two halves that share no cluster.

    Clusters of like size are parted in pairs, so that the halves differ by at most one cluster and by at most
    the scenarios of the largest one. A digest of a cluster's name decides among equals: the order in the file
    has no effect.

    Args:
        scenarios: The scenarios, with their clusters.

    Returns:
        The half that measures, which is the larger one where they differ, and the other; both in the given
        order.
    """
    sizes = Counter(scenario.cluster for scenario in scenarios)
    order = sorted(sizes, key=lambda cluster: (-sizes[cluster], digest("half", cluster)))
    halves: tuple[set[str], set[str]] = (set(), set())
    counts = [0, 0]
    for start in range(0, len(order), 2):
        fewer = 0 if counts[0] <= counts[1] else 1
        for half, cluster in zip((fewer, 1 - fewer), order[start : start + 2], strict=False):
            halves[half].add(cluster)
            counts[half] += sizes[cluster]
    first, second = (tuple(s for s in scenarios if s.cluster in half) for half in halves)
    return (first, second) if len(first) >= len(second) else (second, first)


def why_not_split(trait: Trait) -> str:
    """Return why a trait's scenarios cannot become prompts that a teacher answers, '' if they can.

    Args:
        trait: The trait.
    """
    if trait.inspect is not None:
        return "its scenarios are an Inspect task's, which has no fixed prompts"
    if any(scenario.turns for scenario in trait.scenarios):
        return "its scenarios go on for several turns, which depend on the model's answers"
    clusters = len({scenario.cluster for scenario in trait.scenarios})
    if clusters < LEAST_CLUSTERS:
        number = f"{clusters} cluster{'s' if clusters > 1 else ''}"
        return f"its scenarios are in {number}, and {LEAST_CLUSTERS} are the fewest to split"
    return ""


def same_text(messages: Sequence[object]) -> str:
    """Return a conversation's text by which it is known, whatever its spaces and its upper case."""
    return "\n".join(
        f"{m['role']}: {' '.join(m['content'].split()).casefold()}" for m in messages if isinstance(m, dict)
    )
