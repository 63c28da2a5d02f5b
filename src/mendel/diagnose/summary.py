"""A trait's verdict in plain English: which sentences are said of it, with the numbers that stand behind
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mendel.design.names import base_arm, trait_arm
from mendel.diagnose.contrasts import TOTAL
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects
from mendel.diagnose.location import WORDS
from mendel.diagnose.remedies import DROP, SWAP
from mendel.diagnose.sentences import Said, say
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.diagnose.unseen import unseen_cause, unseen_difference, unseen_place
from mendel.engine.interval import Interval
from mendel.study.cube import SIDES

if TYPE_CHECKING:
    from mendel.diagnose.findings import Checked, Finding
    from mendel.diagnose.location import Location
    from mendel.diagnose.reached import Verdict


def headline(verdict: Verdict) -> list[Said]:
    """Return what is said first: the state, where the trait sits, and what the edits leave.

    Args:
        verdict: The trait's verdict.

    Returns:
        The sentences in their order.
    """
    effects = verdict.effects
    said = [*_changes(verdict), verdict.state.why]
    if verdict.state.state == "shared":
        said += _shared(effects)
    if verdict.state.state == "difference":
        said += [*_located(verdict.location), verdict.carrier.why]
    return [
        *said,
        _edits(effects),
        *_unchanged(verdict),
        *unseen_difference(verdict),
        *unseen_place(verdict),
    ]


def explanation(verdict: Verdict) -> list[Said]:
    """Return what is said of the cause: the mechanism with the numbers that decided it, and what is open.

    Args:
        verdict: The trait's verdict.

    Returns:
        The sentences in their order.
    """
    findings, cause, state = verdict.findings, verdict.cause, verdict.state.state
    if state == "absent":
        return [say("cause-absent")]
    if state != "difference":
        return [say("cause-not-asked")]
    said = [_cause(verdict.effects, cause, findings)]
    others = [n for n, f in findings.items() if f.status == "supported" and n != cause]
    impossible = [n for n, f in findings.items() if f.status == "untested" and f.by_construction]
    left = [n for n, f in findings.items() if f.status in ("undecided", "untested") and n not in impossible]
    for key, names in (
        ("cause-others", others),
        ("cause-open", left),
        ("cause-impossible", impossible),
    ):
        if names:
            said.append(say(key, others=_listed([_called(n, findings[n]) for n in names])))
    return [*said, *unseen_cause(verdict)]


def _changes(verdict: Verdict) -> list[Said]:
    """Say first of all that another recipe would change the verdict."""
    changed = [check for check in verdict.recipes.values() if check.holds == "no"]
    changes = "; ".join(f"{check.recipe} {check.why}" for check in changed)
    return [say("recipe-changes", changes=changes)] if changed else []


def _unchanged(verdict: Verdict) -> Iterator[Said]:
    """Say under which recipes the verdict holds, and of which that is not known."""
    holds = [check for check in verdict.recipes.values() if check.holds == "yes"]
    open_ = [check for check in verdict.recipes.values() if check.holds == "undecided"]
    if holds:
        fewest = min(check.students for check in holds)
        what = "the difference is there"
        if any(check.contrasts for check in holds):
            what += ", and every contrast that decided lies on the same side,"
        recipes = _listed([check.recipe for check in holds])
        yield say("recipe-holds", recipes=recipes, students=fewest, what=what)
    if open_:
        reasons = "; ".join(f"{check.recipe}: {check.why}" for check in open_)
        yield say("recipe-undecided", reasons=reasons)


def _cause(effects: Effects, cause: str, findings: Mapping[str, Finding]) -> Said:
    if cause not in findings:
        refuted = sum(f.status == "refuted" for f in findings.values())
        return say("cause-undecided", count=len(findings), refuted=refuted)
    finding = findings[cause]
    numbers = ", ".join(
        f"{check.prediction.says} ({number(_largest(effects, check))})" for check in finding.checked
    )
    declared = finding.hypothesis
    means = declared.as_cause if declared else f"The cause is {_called(cause, finding)}"
    return say("cause", means=means, difference=number(effects.estimates[TOTAL]), numbers=numbers)


def _shared(effects: Effects) -> Iterator[Said]:
    """Say what the untrained bases show, and what alternate pipeline would help."""
    # A base that the pipelines share is measured once.
    for side in SIDES[:1] if "base" in effects.shared else SIDES:
        level = effects.levels.get(base_arm(side))
        if level is None or level.estimate is None:
            yield say("shared-base-unknown", side=side)
        elif level.low is not None and level.low > SMALLEST_EFFECT * effects.unit:
            yield say("shared-base", side=side, level=number(level))
        else:
            yield say("shared-base-low", side=side, level=number(level))
    if effects.shared:
        yield say("shared-what-helps", shared=" and the ".join(effects.shared))
    else:
        yield say("shared-what-helps-all")


def _located(location: Mapping[str, Location]) -> Iterator[Said]:
    carrying = [name for name, part in location.items() if part.decision == "carries"]
    excluded = [name for name, part in location.items() if part.decision == "does not carry"]
    if carrying:
        numbers = "; ".join(f"{WORDS[name]} ({_shares(location[name])})" for name in carrying)
        yield say("located", numbers=numbers)
    else:
        yield say("not-located")
    if excluded:
        yield say("excluded", parts=_listed([WORDS[name] for name in excluded]))


def _shares(part: Location) -> str:
    shares = (("alone", part.brings), ("when taken out", part.takes))
    return ", ".join(f"{what} {_share(value)}" for what, value in shares if value)


def _share(value: Interval) -> str:
    """Return a share of the difference as a percentage with its interval."""
    middle, low, high = (
        # + 0.0 turns a rounded -0 into 0.
        "?" if end is None else f"{round(100 * end) + 0.0:.0f}"
        for end in (value.estimate, value.low, value.high)
    )
    return f"{middle} % [{low}, {high}]"


def _edits(effects: Effects) -> Said:
    clauses: list[str] = []
    for edit, words in (
        (DROP, "dropping the flagged prompts"),
        (SWAP, "letting the alternate teacher answer them"),
    ):
        level = _level(effects, trait_arm(edit.arm, effects.trait))
        if level.estimate is None:
            continue
        control = _level(effects, trait_arm(edit.control or "", effects.trait))
        beside = f" (as many random ones: {number(control)})" if control.estimate is not None else ""
        if not clauses:
            words = words.replace("them", "the flagged prompts")
        clauses.append(f"{words} leaves {number(level)}{beside}")
    return say("edits", clauses=", ".join(clauses)) if clauses else say("edits-unmeasured")


def _called(name: str, finding: Finding) -> str:
    return finding.hypothesis.called if finding.hypothesis else name.replace("_", " ")


def _largest(effects: Effects, check: Checked) -> Estimate:
    """Return the largest of a prediction's contrasts: of several, one has to be so."""
    estimates = [effects.estimates[name] for name in check.contrasts]
    return max(estimates, key=lambda e: e.estimate if e.estimate is not None else float("-inf"))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _level(effects: Effects, arm: str) -> Estimate:
    return effects.levels.get(arm, Estimate(None, why="no such arm"))
