"""What a study would see, in the plan's words."""

from __future__ import annotations

import numpy as np

from mendel.diagnose import Levels
from mendel.diagnose.power import Power, study_power
from mendel.diagnose.stats.simulated import ProbeShape
from mendel.report.text.seeing import power_lines


def lines(sizes: tuple[int, ...], first: int, most: int, unit: float = 1.0) -> tuple[Power, str]:
    looks = 1 if first == most else 2
    power = study_power(ProbeShape(sizes), first, most, Levels(looks), np.random.default_rng(0))
    said = power_lines("dates", power, unit)
    assert len(said) <= 3
    return power, "\n".join(said)


def test_a_plan_names_what_is_seen_and_what_would_show_more() -> None:
    power, said = lines((3,) * 14, 2, 8)
    agree = next(seen for seen in power.visible if (seen.students, seen.seeds) == ("agree", 8))
    assert (
        f"dates (42 scenarios in 14 clusters): four of five studies would show a difference of {agree.difference}"
        in said
    )
    assert "none: with 2 seeds no difference can be shown, 4 are needed" in said
    assert f"{power.more_seeds[1]:.2f} with 16 seeds" in said
    assert f"{power.more_clusters[1]:.2f} with 28 clusters of scenarios" in said
    assert f"more than half (a cause) from {100 * (agree.cause[1.0] or 0):.0f} % on" in said
    assert f"more than a quarter (a location) from {100 * (agree.location[1.0] or 0):.0f} % on" in said


def test_a_plan_that_can_show_nothing_says_what_it_takes() -> None:
    assert lines((3,) * 14, 2, 2)[1].endswith("none: with 2 seeds no difference can be shown; 3 are needed")
    power, said = lines((10,) * 3, 4, 4)
    assert f"{power.needed_clusters} clusters of scenarios are needed" in said


def test_differences_are_on_the_traits_own_scale() -> None:
    power, said = lines((3,) * 14, 5, 5, 10.0)
    assert f"a difference of {10 * (power.visible[0].difference or 0):.2f} or more" in said


def test_what_a_cause_needs_is_said_where_none_can_be_shown() -> None:
    power, said = lines((3,) * 14, 4, 4)
    assert f"(a cause) never: {power.needed_seeds['cause']} seeds are needed" in said
