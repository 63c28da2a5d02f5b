"""What a study would see, in plain lines for the plan: how small a difference, or a share of one."""

from __future__ import annotations

from mendel.diagnose.power import Power, Visible

NONE = "none"


def power_lines(trait: str, power: Power, unit: float = 1.0) -> list[str]:
    """Return what a study would see of a trait, in four of five studies, in three lines.

    Args:
        trait: The trait.
        power: What was simulated.
        unit: Width of the trait's scale.

    Returns:
        Lines without indentation.
    """
    agree = [seen for seen in power.visible if seen.students == "agree"]
    vary = [seen for seen in power.visible if seen.students == "vary"]
    most, vary_most = agree[-1], vary[-1]
    where = f"{trait} ({power.scenarios} scenarios in {power.clusters} clusters)"
    if most.difference is None:
        return [f"{where}: none: with {most.seeds} seeds no difference can be shown; {_needed(power, most)}"]
    shown = f"a difference of {most.difference * unit:.2f} or more with {most.seeds} seeds"
    return [
        f"{where}: four of five studies would show {shown}",
        f"({_number(vary_most.difference, unit)} where students of an arm vary by 1 logit)"
        f"{_first(power, agree, unit)}; {_more(power, unit)}",
        "; ".join(_shares(power, most, size, unit) for size in sorted(most.cause, reverse=True)),
    ]


def _needed(power: Power, seen: Visible) -> str:
    seeds, clusters = power.needed_seeds["difference"], power.needed_clusters
    if seeds is not None and seeds > seen.seeds:
        return f"{seeds} are needed"
    if clusters is not None and clusters > power.clusters:
        return f"{clusters} clusters of scenarios are needed"
    return "more seeds and more clusters of scenarios are needed"


def _first(power: Power, agree: list[Visible], unit: float) -> str:
    """Say what the first seeds show, where there are more later."""
    first = agree[0]
    if len(agree) < 2:
        return ""
    if first.difference is None:
        return f"; none: with {first.seeds} seeds no difference can be shown, {_needed(power, first)}"
    return f"; {_number(first.difference, unit)} with {first.seeds} seeds"


def _more(power: Power, unit: float) -> str:
    seeds, by_seeds = power.more_seeds
    clusters, by_clusters = power.more_clusters
    return (
        f"to see less: {_number(by_seeds, unit)} with {seeds} seeds, "
        f"{_number(by_clusters, unit)} with {clusters} clusters of scenarios"
    )


def _shares(power: Power, seen: Visible, size: float, unit: float) -> str:
    """Say how much of a difference a part has to make before it is shown to be a cause, or a location."""
    cause = _from(power, seen, size, "cause", seen.cause[size])
    place = _from(power, seen, size, "location", seen.location[size])
    return (
        f"of a difference of {size * unit:.2f} a part is shown to make more than half (a cause) {cause}, "
        f"more than a quarter (a location) {place}"
    )


def _from(power: Power, seen: Visible, size: float, what: str, share: float | None) -> str:
    if share is not None:
        return f"from {100 * share:.0f} % on"
    seeds = power.needed_seeds[what]
    # What is needed is known of a difference of the whole scale.
    return f"never: {seeds} seeds are needed" if size == 1 and seeds and seeds > seen.seeds else "never"


def _number(value: float | None, unit: float) -> str:
    return NONE if value is None else f"{value * unit:.2f}"
