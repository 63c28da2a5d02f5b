"""The page's vocabulary: arms, carriers and hypotheses in plain English."""

from __future__ import annotations

from collections.abc import Mapping

PARTS = ("base", "prompts", "teacher")

CARRIERS: Mapping[str, str] = {
    "teacher": "The teacher carries it: it comes with who answers the prompts, not with the prompts or the base.",
    "prompts": "The prompts carry it: it comes with the prompt set, whoever answers it.",
    "base": "The base carries it: it is there before this fine-tuning, or comes with the checkpoint it started from.",
    "mixed": "No single part carries it: more than one of base, prompts and teacher has a clear effect.",
    "none": "Nothing to carry: the two pipelines do not differ in it by more than the noise.",
    "undecided": "Undecided: the intervals are too wide to say which part carries it.",
}
"""What a carrier means; shown where the run gives no sentence of its own."""

HYPOTHESES: Mapping[str, str] = {
    "simple_generalization": "mild examples that no filter catches bleed over into strong forms",
    "subliminal_learning": "rollouts with nothing to do with the trait carry it, since teacher and student share an "
    "initialization",
    "persona_selection": "the rollouts' manner picks a persona of the base, and the trait comes with it",
    "underspecification": "the data says nothing about the situation, and the student falls back on its prior",
    "bad_prompts": "the prompts themselves draw the trait out of any teacher",
    "pretraining_lock_in": "the base holds the trait and fine-tuning cannot move it",
    "post_training_lock_in": "an early part of post-training set the trait, and later data cannot undo it",
}
"""The seven hypotheses, in the order of the page, and what each says."""

EDITS: Mapping[str, tuple[str, str]] = {
    "drop": ("drop flagged", "nobody answers the flagged prompts"),
    "drop-random": ("drop random", "nobody answers as many random prompts"),
    "swap": ("swap flagged", "the alternate teacher answers the flagged prompts"),
    "swap-random": ("swap random", "the alternate teacher answers as many random prompts"),
    "only": ("only flagged", "the original teacher answers the flagged prompts, the alternate one the rest"),
    "only-random": (
        "only random",
        "the original teacher answers as many random prompts, the alternate one the rest",
    ),
}
"""The edits of the data by kind: a short name and what is done."""

REFERENCE: Mapping[str, str] = {kind: "OOA" if kind.startswith("only") else "OOO" for kind in EDITS}
"""The corner that an edit starts from: `only` puts the original teacher into the alternate one's data."""

CORNERS = tuple(f"{base}{prompts}{teacher}" for base in "OA" for prompts in "OA" for teacher in "OA")
"""The corners of the cube in the order of the page."""

MECHANISMS: Mapping[str, str] = {
    "unrelated": "the original teacher on the unrelated prompts alone",
    "unrelated-alternate": "the alternate teacher on the unrelated prompts alone",
    "sister": "the original teacher on the unrelated prompts alone, from a sister of the base",
    "sister-alternate": "the alternate teacher on the unrelated prompts alone, from a sister of the base",
    "rewritten": "the unrelated rollouts, rewritten by a clean model",
    "mild": "the original teacher on the mild prompts, the flagged dropped, the alternate one elsewhere",
    "mild-alternate": "the alternate teacher on all prompts but the flagged",
    "counter": "original pipeline, a fifth of the prompts replaced by counter-examples",
    "counter-few": "original pipeline, one prompt in 25 replaced by counter-examples",
    "counter-pretrained": "the same counter-examples from the base's ancestor",
    "counter-late": "counter-examples at the end of training",
    "counter-early": "counter-examples at the beginning of training",
    "drop-strongest": "the higher-scored half of the flagged dropped",
    "drop-milder": "the flagged and the higher-scored half of the mild dropped",
    "unrelated-full": "the original teacher on the unrelated prompts alone, full fine-tune",
    "unrelated-full-alternate": "the alternate teacher on the unrelated prompts alone, full fine-tune",
    "unrelated-rank": "the original teacher on the unrelated prompts alone, another LoRA rank",
    "unrelated-rank-alternate": "the alternate teacher on the unrelated prompts alone, another LoRA rank",
}
"""The arms that hypotheses ask for, by kind."""

THRESHOLDS: Mapping[str, str] = {
    "drop-strongest": "a looser filter: the stronger half of the flagged",
    "drop": "the filter: all flagged",
    "drop-milder": "a stricter filter: the stronger half of the mild ones, too",
    "unrelated": "the strictest filter: whatever shows any of it",
}
"""The arms that drop by ever stricter filters, by kind, the loosest first."""

MODELS: Mapping[str, str] = {
    "base/original": "original base",
    "base/alternate": "alternate base",
    "teacher/original": "original teacher",
    "teacher/alternate": "alternate teacher",
    "prefill/original": "original base, made to begin as the original teacher does",
    "prefill/alternate": "original base, made to begin as the alternate teacher does",
}
"""The arms that nobody trained here."""

SIZES: Mapping[str, str] = {
    "most": "more than half of the difference",
    "little": "within a third of the difference",
    "measured": "is known, whatever it is",
}
"""What a prediction asks of its contrast."""

OUTCOMES: Mapping[str, str] = {
    "holds": "holds",
    "fails": "fails",
    "open": "open",
    "missing": "not trained",
    "lost": "not known",
    "impossible": "not testable here",
}
"""What became of a prediction."""

_SIDES = {"O": "original", "A": "alternate"}


def corner_sides(corner: str) -> tuple[str, ...]:
    """`OOA` -> (original, original, alternate), in the order base, prompts, teacher."""
    return tuple(_SIDES.get(letter, letter) for letter in corner)


def describe_arm(arm: str, cube: Mapping[str, str]) -> str:
    """An arm's name in words; an unknown name stays as it is."""
    kind, _, rest = arm.partition("/")
    if arm == cube.get("OOO", "cube/OOO"):
        return "original pipeline"
    if arm == cube.get("AAA", "cube/AAA"):
        return "alternate pipeline"
    if kind == "cube" and "*" in rest:
        fixed = [
            f"{_SIDES[letter]} {part}" for part, letter in zip(PARTS, rest, strict=False) if letter in _SIDES
        ]
        return f"all with the {' and the '.join(fixed)}" if fixed else arm
    if kind == "cube" and len(rest) == len(PARTS) and set(rest) <= set(_SIDES):
        changed = [part for part, side in zip(PARTS, corner_sides(rest), strict=True) if side == "alternate"]
        return (
            f"original pipeline with the alternate {' and '.join(changed)}"
            if changed
            else "original pipeline"
        )
    if kind in EDITS:
        return f"{EDITS[kind][0]} ({rest})"
    if kind in MECHANISMS:
        return f"{MECHANISMS[kind]} ({rest})"
    if kind == "prefill":
        return f"untrained base, made to begin as the {rest} teacher does"
    if kind == "mix":
        return f"share {rest} by the original teacher"
    return arm
