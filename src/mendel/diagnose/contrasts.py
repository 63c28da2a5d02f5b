"""Contrasts as data: weighted differences between arms, what they are called and how they read in plain
English.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from mendel.design.names import corner_arm, side_arm
from mendel.study.cube import CORNERS, PARTS, other_corner, shared_parts

INTERACTION = "interaction"
TOTAL = "total"

Weights = Mapping[str, float]


@dataclass(frozen=True)
class Contrast:
    """A weighted difference between groups of students that differ in one thing."""

    id: str
    kind: str
    arms: tuple[str, str]
    """What is compared with what; for averages over the cube a pattern such as `cube/**O`."""
    weights: Weights
    """By arm; empty: both sides are the same students, so that the difference is 0 by construction."""
    reads: str
    """A plain clause that goes before the numbers."""
    involved: tuple[str, ...]
    """The arms whose students stand behind it."""


def contrast_id(trait: str, name: str) -> str:
    """Return the id of a contrast between arms of one trait."""
    return f"{trait}/{name}"


def merge(weights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return weights by arm; an arm that cancels is left out, so that a shared part gives no weights."""
    total: dict[str, float] = {}
    for arm, weight in weights:
        total[arm] = total.get(arm, 0.0) + weight
    # All weights here are multiples of 1/8 (and of the carrier margin): sums that should cancel do so to
    # rounding.
    return {arm: weight for arm, weight in sorted(total.items()) if abs(weight) > 1e-12}


def combine(parts: Iterable[tuple[float, Weights]]) -> dict[str, float]:
    """Return a linear combination of contrasts' weights."""
    return merge((arm, scale * weight) for scale, weights in parts for arm, weight in weights.items())


def corner_weights(cube: Mapping[str, str], by_corner: Mapping[str, float]) -> dict[str, float]:
    """Return weights by arm from weights by corner; corners that share an arm add up."""
    return merge((cube[corner], weight) for corner, weight in by_corner.items())


def total_weights(cube: Mapping[str, str]) -> dict[str, float]:
    """Return the weights of the original pipeline minus the alternate one."""
    return corner_weights(cube, {"OOO": 1.0, "AAA": -1.0})


def effect_weights(cube: Mapping[str, str], *parts: str) -> dict[str, float]:
    """Return the weights of a part's effect, or of the two-way effect of two parts (a 2 x 2 x 2 factorial's
    contrasts).

    One part: original minus alternate, averaged over the four settings of the two others. Two parts: how much
    more the first does with the second's original than with its alternate, averaged over the third (a
    difference of differences: above 0 they need each other, below 0 they stand in for each other).
    """
    signs = {"O": 1.0, "A": -1.0}
    weight = 2.0 ** (len(parts) - 1) / 4.0
    chosen = [PARTS.index(part) for part in parts]
    by_corner = {}
    for corner in CORNERS:
        sign = 1.0
        for position in chosen:
            sign *= signs[corner[position]]
        # A main effect is a mean over 4 pairs; a difference of differences is a mean over 2 squares.
        by_corner[corner] = sign * weight
    return corner_weights(cube, by_corner)


def interaction_weights(cube: Mapping[str, str]) -> dict[str, float]:
    """Return the weights of the three single swaps from the original pipeline, minus the swap of all three at
    once.

    0 where the parts add up. Above 0: each swap alone takes away what only the parts together make (AND).
    Below 0: one part stands in for another, so that single swaps do little (OR). In a cube without three-way
    interaction it is the sum of the three two-way effects of `effect_weights`.
    """
    by_corner = {"OOO": 2.0, "AOO": -1.0, "OAO": -1.0, "OOA": -1.0, "AAA": 1.0}
    return corner_weights(cube, by_corner)


def swap_weights(cube: Mapping[str, str], part: str) -> dict[str, float]:
    """Return the weights of the original pipeline minus the same with one part swapped."""
    return corner_weights(cube, {"OOO": 1.0, other_corner("OOO", part): -1.0})


def cube_contrasts(cube: Mapping[str, str], planned: Iterable[str] | None = None) -> list[Contrast]:
    """Return the contrasts of the total, the three parts' effects and the interaction, with the whole cube
    the two-way ones.

    `planned` are the arms that have students (None: all). Without the whole cube a part's effect is that of
    its single swap from the original pipeline.
    """
    shared = shared_parts(cube)
    arms = tuple(sorted(set(cube.values())))
    whole = planned is None or set(arms) <= set(planned)
    same = {
        part: f"the two pipelines share their {part}, so that this is 0 by construction" for part in PARTS
    }
    contrasts = [
        Contrast(
            TOTAL,
            "total",
            (cube["OOO"], cube["AAA"]),
            total_weights(cube),
            "the original pipeline minus the alternate one"
            if len(shared) < 3
            else "the two pipelines are the same",
            tuple(sorted({cube["OOO"], cube["AAA"]})),
        )
    ]
    for position, part in enumerate(PARTS):
        others = " and ".join(
            {"base": "bases", "prompts": "prompt sets", "teacher": "teachers"}[p] for p in PARTS if p != part
        )
        plain = f"the original {part} instead of the alternate, averaged over {others}"
        sides = _pattern(cube, {position: "O"}, {position: "A"})
        weights = effect_weights(cube, part) if whole else swap_weights(cube, part)
        if not whole:
            plain = f"the original {part} instead of the alternate, in the original pipeline"
            sides = (cube["OOO"], cube[other_corner("OOO", part)])
        involved = arms if whole else tuple(sorted(set(sides)))
        reads = same[part] if part in shared else plain
        contrasts.append(Contrast(part, "effect", sides, weights, reads, involved))
    for first, second in combinations(PARTS, 2) if whole else ():
        same_parts = [part for part in (first, second) if part in shared]
        do = "do" if first == "prompts" else "does"
        plain = f"how much more the original {first} {do} with the original {second} than with the alternate"
        contrasts.append(
            Contrast(
                f"{first}:{second}",
                "two-way",
                (f"{first}|original {second}", f"{first}|alternate {second}"),
                effect_weights(cube, first, second),
                same[same_parts[0]] if same_parts else plain,
                arms,
            )
        )
    plain = "the three parts swapped one at a time, added up, minus all swapped at once"
    none = "at most one part differs between the pipelines, so that nothing can interact"
    used = tuple(sorted({cube[corner] for corner in ("OOO", "AOO", "OAO", "OOA", "AAA")}))
    contrasts.append(
        Contrast(
            INTERACTION,
            "interaction",
            (cube["OOO"], cube["AAA"]),
            interaction_weights(cube),
            none if len(shared) > 1 else plain,
            used,
        )
    )
    return contrasts


CORNER_DIFFERENCES: tuple[tuple[str, str, str, str], ...] = (
    (
        "teacher-swapped",
        "OOA",
        "AAA",
        "what is left with the alternate teacher, above the alternate pipeline",
    ),
    ("base-swapped", "AOO", "AAA", "what is left with the alternate base, above the alternate pipeline"),
    ("base-alone", "OAA", "AAA", "what the original base alone brings into the alternate pipeline"),
    ("prompts-alone", "AOA", "AAA", "what the original prompts alone bring into the alternate pipeline"),
    ("teacher-alone", "AAO", "AAA", "what the original teacher alone brings into the alternate pipeline"),
    ("teacher-here", "OOO", "OOA", "what the original teacher brings in on the original prompts"),
    ("teacher-there", "OAO", "OAA", "what the original teacher brings in on the alternate prompts"),
)
"""Single differences within the cube that hypotheses predict: id, the two corners, how it reads."""


def corner_contrasts(cube: Mapping[str, str], planned: Iterable[str]) -> list[Contrast]:
    """Return those of `CORNER_DIFFERENCES` whose arms are planned."""
    trained = set(planned)
    contrasts = []
    for name, first, second, reads in CORNER_DIFFERENCES:
        pair = (cube[first], cube[second])
        if set(pair) <= trained:
            weights = corner_weights(cube, {first: 1.0, second: -1.0})
            same = "both sides are the same students, so that this is 0 by construction"
            contrasts.append(
                Contrast(name, "corner", pair, weights, reads if weights else same, tuple(sorted(set(pair))))
            )
    return contrasts


@dataclass(frozen=True)
class Difference:
    """A contrast that a hypothesis brings: two arms, and how their difference reads.

    An arm is named by its kind (`mild`; `my_pkg/lead`, a plug-in's), its corner (`OOO`), or in full where it
    serves all traits (`prefill/original`).
    """

    id: str
    first: str
    second: str
    reads: str

    def arms(self, trait: str, cube: Mapping[str, str]) -> tuple[str, str]:
        """Return the names of the two arms for a trait."""
        return side_arm(self.first, trait, cube), side_arm(self.second, trait, cube)


def difference_contrasts(
    trait: str, cube: Mapping[str, str], planned: Iterable[str], differences: Iterable[Difference]
) -> list[Contrast]:
    """Return the contrasts `<trait>/<id>` of the differences whose arms are planned."""
    trained = set(planned)
    contrasts = []
    for difference in differences:
        pair = difference.arms(trait, cube)
        if set(pair) <= trained:
            weights = merge([(pair[0], 1.0), (pair[1], -1.0)])
            contrasts.append(
                Contrast(
                    contrast_id(trait, difference.id), "mechanism", pair, weights, difference.reads, pair
                )
            )
    return contrasts


EDIT_DIFFERENCES: tuple[tuple[str, str, str, str, str], ...] = (
    ("drop", "edit", "OOO", "drop", "what dropping the flagged prompts takes away"),
    ("drop-random", "control", "OOO", "drop-random", "what dropping as many random prompts takes away"),
    ("swap", "edit", "OOO", "swap", "what the alternate teacher on the flagged prompts takes away"),
    (
        "swap-random",
        "control",
        "OOO",
        "swap-random",
        "what the alternate teacher on as many random prompts takes away",
    ),
    (
        "drop-beyond-random",
        "beyond",
        "drop-random",
        "drop",
        "what dropping the flagged prompts takes away beyond dropping as many random ones",
    ),
    (
        "swap-beyond-random",
        "beyond",
        "swap-random",
        "swap",
        "what swapping the teacher on the flagged prompts takes away beyond swapping it on as many random "
        "ones",
    ),
    (
        "swap-beyond-drop",
        "beyond",
        "drop",
        "swap",
        "what swapping the teacher on the flagged prompts takes away beyond dropping them",
    ),
    (
        "sufficient",
        "sufficient",
        "only",
        "OOA",
        "what the original teacher on the flagged prompts alone brings in",
    ),
    (
        "sufficient-random",
        "control",
        "only-random",
        "OOA",
        "what the original teacher on as many random prompts alone brings in",
    ),
    (
        "sufficient-beyond-random",
        "beyond",
        "only",
        "only-random",
        "what the original teacher on the flagged prompts alone brings in beyond as many random ones",
    ),
    (
        "swap-mild",
        "location",
        "OOO",
        "swap-mild",
        "what the alternate teacher on the mild prompts takes away",
    ),
    (
        "swap-unseen",
        "location",
        "OOO",
        "swap-unseen",
        "what the alternate teacher on the prompts in which no judge sees anything takes away",
    ),
    (
        "prompts-removed",
        "location",
        "both-original",
        "OAO",
        "what goes when the original prompts are taken out and the alternate ones stay, with the original "
        "base and teacher",
    ),
    (
        "prompts-silent",
        "location",
        "unrelated-alternate",
        "OAA",
        "what the unrelated original prompts alone leave there, against the alternate prompts, with the "
        "alternate teacher",
    ),
    (
        "as-many",
        "control",
        "as-many",
        "unrelated-alternate",
        "what the original teacher brings in on as many random prompts as are unrelated",
    ),
)
"""Differences of one trait's edits: id, kind, the two sides, how it reads.

All but the prompts' start from the original base and prompts: `OOO` is the untouched pipeline, `OOA` the same
with the alternate teacher on every prompt."""


def edit_contrasts(trait: str, cube: Mapping[str, str], planned: Iterable[str]) -> list[Contrast]:
    """Return those of `EDIT_DIFFERENCES` whose arms are planned, for one trait."""
    trained = set(planned)
    contrasts = []
    for name, kind, *sides, reads in EDIT_DIFFERENCES:
        first, second = (side_arm(side, trait, cube) for side in sides)
        if {first, second} <= trained:
            weights = merge([(first, 1.0), (second, -1.0)])
            contrasts.append(
                Contrast(contrast_id(trait, name), kind, (first, second), weights, reads, (first, second))
            )
    return contrasts


def _pattern(cube: Mapping[str, str], first: Mapping[int, str], second: Mapping[int, str]) -> tuple[str, str]:
    """Return the two arms; a side of several arms as a pattern, with a star for the part that is averaged
    over.
    """

    def name(fixed: Mapping[int, str]) -> str:
        arms = {cube[c] for c in CORNERS if all(c[i] == letter for i, letter in fixed.items())}
        return arms.pop() if len(arms) == 1 else corner_arm("".join(fixed.get(i, "*") for i in range(3)))

    return name(first), name(second)
