"""Arms in words: made from the declarations, for verdicts.json, the page, the terminal and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mendel.design.names import ArmName, corner_arm, parse_arm
from mendel.design.shared import BASE, CUBE, METHOD, MIX, PREFILL, SISTER_PREFIX, TEACHER, THIRD, TRIPLE
from mendel.study.cube import ALTERNATE, LETTERS, ORIGINAL, PARTS, corner_sides

VARIANT_WORDS: Mapping[str, str] = {
    THIRD: "at a third of the learning rate",
    TRIPLE: "at three times the learning rate",
    METHOD: "with the other method",
}
"""What a variant of the recipe is called in sentences."""


def arm_words(arms: Iterable[str], cube: Mapping[str, str] | None = None) -> dict[str, dict[str, str | None]]:
    """Return what to call each arm and what is done in it, for the key `arms` of verdicts.json.

    Args:
        arms: Names of arms.
        cube: Arm by corner, so that the pipelines' own corners are called so where parts are shared.

    Returns:
        By arm: `label`, a short name without the trait's; `what`, a sentence, '' where the label says all;
        `trait`, the trait whose prompts are edited, None where the arm serves all traits. An arm of a kind
        that is not registered here is called by the kind's name.
    """
    words: dict[str, dict[str, str | None]] = {}
    for name in arms:
        arm, plain = parse_arm(name), parse_arm(name).plain
        label, what = _shared(str(plain), plain, cube or {}) or _kind(plain)
        if label and arm.variant:
            label = f"{label}, {VARIANT_WORDS[arm.variant]}"
        words[name] = {"label": label or name, "what": what, "trait": arm.trait}
    return words


def arm_label(name: str, cube: Mapping[str, str], words: Mapping[str, Mapping[str, str | None]]) -> str:
    """Return an arm's name in words, with its trait in brackets.

    Args:
        name: The arm.
        cube: Arm by corner.
        words: The key `arms` of a run's verdicts.json, which knows the words of plug-ins that are not
            installed here. An arm that it lacks is looked for among the registered kinds.

    Returns:
        The label; the name as it is where neither knows the arm.
    """
    entry = words.get(name) or arm_words([name], cube)[name]
    label, trait = entry.get("label") or name, entry.get("trait")
    return label if label == name or not trait else f"{label} ({trait})"


def _shared(name: str, arm: ArmName, cube: Mapping[str, str]) -> tuple[str, str] | None:
    if arm.kind == CUBE:
        return _corner(name, arm.rest, cube), ""
    if arm.kind == MIX:
        return f"share {arm.rest} by the original teacher", ""
    if arm.kind == BASE:
        return f"{arm.rest} base", "Not trained here."
    if arm.kind == TEACHER:
        return f"{arm.rest} teacher", "Not trained here."
    if arm.kind == PREFILL and arm.rest.startswith(SISTER_PREFIX):
        side = arm.rest.removeprefix(SISTER_PREFIX)
        return f"untrained sister, made to begin as the {side} teacher does", "Not trained here."
    if arm.kind == PREFILL:
        return f"untrained base, made to begin as the {arm.rest} teacher does", "Not trained here."
    return None


def _corner(name: str, corner: str, cube: Mapping[str, str]) -> str:
    if name == cube.get(ORIGINAL, corner_arm(ORIGINAL)):
        return "original pipeline"
    if name == cube.get(ALTERNATE, corner_arm(ALTERNATE)):
        return "alternate pipeline"
    letters = dict(zip(PARTS, corner, strict=False))
    if "*" in corner:
        fixed = [f"{LETTERS[letter]} {part}" for part, letter in letters.items() if letter in LETTERS]
        return f"all with the {' and the '.join(fixed)}" if fixed else name
    if len(corner) != len(PARTS) or not set(corner) <= set(LETTERS):
        return name
    changed = [part for part, side in zip(PARTS, corner_sides(corner), strict=True) if side == LETTERS["A"]]
    return f"original pipeline with the alternate {' and '.join(changed)}" if changed else "original pipeline"


def _kind(arm: ArmName) -> tuple[str, str]:
    """Return a registered kind's words, from its declaration.

    ('', '') where nothing of that name is registered.
    """
    # Imported here: a page that finds all words in verdicts.json need not pay for numpy.
    from mendel.design.arms import arm_kinds

    if arm.kind not in arm_kinds:
        return "", ""
    kind = arm_kinds.get(arm.kind)
    return kind.label or arm.kind, kind.what
