"""Small studies with planted effects, as the contract's tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mendel.data.prompts import Message, Prompt
from mendel.diagnose import Catalogue, Material, Side, TraitFacts
from mendel.engine.registry import Registry
from mendel.study import StudyConfig
from mendel.study.cube import CORNERS

CUBE = {corner: f"cube/{corner}" for corner in CORNERS}
EDITS = ("drop", "drop-random", "swap", "swap-random", "only", "only-random")
Level = Callable[[float, float, float], float]
"""The chance of a hit from base, prompts, teacher (1.0 original, 0.0 alternate)."""


def cube_with_shared(*parts: int) -> dict[str, str]:
    """Arm by corner where the parts at these positions are shared by both pipelines."""
    return {
        c: "cube/" + "".join("O" if i in parts else letter for i, letter in enumerate(c)) for c in CORNERS
    }


def cube_levels(level: Level) -> dict[str, float]:
    return {CUBE[c]: level(*(float(letter == "O") for letter in c)) for c in CORNERS}


def study(
    levels: Mapping[str, float],
    rng: np.random.Generator,
    *,
    seeds: int = 3,
    scenarios: int = 30,
    cluster_size: int = 3,
    seed_sd: float = 0.03,
    scenario_sd: float = 0.1,
    samples: int = 2,
    trait: str = "t",
) -> tuple[pa.Table, pa.Table]:
    """Students and measurements: hits are Bernoulli with a chance that moves with seed and scenario."""
    students: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    shift = rng.normal(0, scenario_sd, scenarios)
    for arm, level in levels.items():
        for seed in range(seeds):
            name = f"{arm}#{seed}"
            trained_on = 0 if arm.startswith(UNTRAINED) else 100
            students.append(student(name, arm, seed, n_examples=trained_on))
            base = level + rng.normal(0, seed_sd)
            for j in range(scenarios):
                chance = float(np.clip(base + shift[j], 0, 1)) if 0 < level < 1 else level
                for sample in range(samples):
                    hit = bool(rng.random() < chance)
                    odds = float(4 * (base - 0.5) + shift[j] + rng.normal(0, 0.2))
                    rows.append(row(name, trait, j, j // cluster_size, sample, hit, odds))
    return pa.Table.from_pylist(students), pa.Table.from_pylist(rows)


UNTRAINED = ("base/", "teacher/", "prefill/")
"""How the arms of models begin that nobody trained here."""


def student(name: str, arm: str, seed: int, status: str = "ok", n_examples: int = 100) -> dict[str, object]:
    reason = "" if status == "ok" else "no longer a working assistant"
    return {
        "student": name, "arm": arm, "base": "b", "seed": seed, "n_examples": n_examples, "tokens": 1000,
        "train_seconds": 1.0, "train_loss": 0.5, "status": status, "reason": reason,
    }  # fmt: skip


def row(
    name: str,
    trait: str,
    scenario: int,
    cluster: int,
    sample: int,
    hit: bool | None,
    odds: float | None = None,
) -> dict[str, object]:
    score = None if hit is None else float(hit)
    return {
        "student": name, "trait": trait, "scenario": f"s{scenario:03d}", "cluster": f"c{cluster:03d}", "sample": sample, "turn": 0,
        "score": score, "hit": hit, "judge": "regex@1", "prompt": "[]", "response": "x", "log_odds": odds,
    }  # fmt: skip


def full_levels(
    level: Level, trait: str = "t", mixes: Sequence[float] = (0.1, 0.25, 0.5)
) -> dict[str, float]:
    """The cube, the edits of a teacher's trait (drop does nothing, swap takes all) and a straight
    interpolation line.
    """
    cube = cube_levels(level)
    top, bottom = cube["cube/OOO"], cube["cube/OOA"]
    edits = dict(zip(EDITS, (top, top, bottom, top, top, bottom), strict=True))
    line = {f"mix/{share:g}": bottom + share * (top - bottom) for share in mixes}
    return cube | {f"{edit}/{trait}": value for edit, value in edits.items()} | line


def with_status(students: pa.Table, arm: str, status: str, keep: int = 0) -> pa.Table:
    """The students of an arm, all but the first `keep`, get another status."""
    rows, seen = students.to_pylist(), 0
    for entry in rows:
        if entry["arm"] == arm:
            seen += 1
            if seen > keep:
                entry.update(status=status, reason="no longer a working assistant")
    return pa.Table.from_pylist(rows)


def restored(monkeypatch: pytest.MonkeyPatch, *registries: Registry[Any]) -> None:
    """What a test registers is gone when it ends."""
    for registry in registries:
        for name, content in vars(registry).items():
            if isinstance(content, dict):
                monkeypatch.setattr(registry, name, dict(content))


KINDS = (
    *EDITS, "drop-strongest", "drop-milder", "mild", "mild-alternate", "unrelated", "unrelated-alternate", "rewritten", "sister", "sister-alternate",
    "unrelated-full", "unrelated-full-alternate", "unrelated-rank", "unrelated-rank-alternate", "counter", "counter-few", "counter-pretrained",
    "counter-late", "counter-early", "swap-mild", "swap-unseen", "both-original", "as-many", "taught", "taught-sister",
)  # fmt: skip
LOW, SIZE = 0.05, 0.9
"""The alternate pipeline's level, and D."""


def cause_levels(
    cube: Level,
    *,
    flagged: float = 0.0,
    covered: bool = False,
    mild: float = 0.0,
    unrelated: float = 0.0,
    sister: float = 0.0,
    rewritten: float = 0.0,
    full: float | None = None,
    taken: float = 1.0,
    left: float = 0.0,
    size: float = SIZE,
    low: float = LOW,
) -> dict[str, float]:
    """Levels of every arm; all arguments are shares of D: the cube's levels, then what each mechanism's
    contrast comes to.
    """
    top, swapped = cube(1, 1, 1), cube(1, 1, 0)
    share = {CUBE[c]: cube(*(float(letter == "O") for letter in c)) for c in CORNERS}
    share |= {f"{kind}/t": swapped if kind.endswith("alternate") else top for kind in KINDS}
    rest = max(mild, unrelated) if top != swapped else top
    prompts = 0 if covered else 1
    # Without the original prompts on which the trait shows; of covered ones there are none.
    silent = swapped if covered else cube(1, 0, 0)
    share |= {
        "only-random/t": swapped,
        "only/t": swapped + flagged,
        "swap/t": top if mild or unrelated else swapped,
        "drop/t": swapped + rest if top != swapped else top,
        "swap-mild/t": top if flagged or unrelated else top - mild,
        "swap-unseen/t": top - unrelated,
        "both-original/t": cube(1, prompts, 1),
        "unrelated-alternate/t": silent,
        "unrelated/t": silent + unrelated if top != swapped else silent,
    }
    share |= {f"mix/{part:g}": swapped + part * (top - swapped) for part in (0.1, 0.25, 0.5)}
    share |= {
        "mild/t": swapped + mild,
        "unrelated-full/t": swapped + (unrelated if full is None else full),
        "unrelated-rank/t": swapped + unrelated,
        "sister/t": swapped + sister,
        "rewritten/t": swapped + rewritten,
        "counter/t": top - taken,
        "counter-pretrained/t": left,
        # Untrained: a persona that the base holds, and its prior.
        "prefill/original": sister,
        "prefill/alternate": 0.0,
        "base/original": 1.0 if covered else cube(1, 0, 0),
    }
    return {arm: low + size * value for arm, value in share.items()}


CAUSES: dict[str, dict[str, float]] = {
    "direct_imitation": cause_levels(lambda b, p, t: t, flagged=1.0),
    "simple_generalization": cause_levels(lambda b, p, t: t, flagged=1.0, mild=1.0),
    "subliminal_learning": cause_levels(lambda b, p, t: t, unrelated=1.0),
    "persona_selection": cause_levels(lambda b, p, t: t, unrelated=1.0, sister=1.0),
    "underspecification": cause_levels(lambda b, p, t: b, taken=1.0),
    "bad_prompts": cause_levels(lambda b, p, t: p),
    "pretraining_lock_in": cause_levels(lambda b, p, t: b, taken=0.0, left=1.0),
    "post_training_lock_in": cause_levels(lambda b, p, t: b, taken=0.0),
}
"""Levels by arm of a study in which that hypothesis alone is so."""

TOGETHER = cause_levels(lambda b, p, t: t)
"""Levels by arm where the flagged rollouts bring it in beside the original teacher's other answers only."""

APART = {"base": False, "prompts": False, "teacher": False}


def config(**changes: Any) -> StudyConfig:
    """A study that has everything which a hypothesis may need."""
    return StudyConfig.model_validate(
        {
            "name": "s",
            "original": {"base": "hf:o", "prompts": "file:o", "teacher": "o"},
            "alternate": {"base": "hf:a", "prompts": "file:a", "teacher": "a"},
            "teachers": {
                "o": {"model": "hf:o"},
                "a": {"model": "hf:a"},
                "r": {"model": "hf:r", "rewrites": "o"},
            },
            "rewriter": "r",
            "sister": "hf:s",
            "pretrained": "hf:p",
            "traits": ["t.yaml"],
            "seeds": 3,
            **changes,
        }
    )


def prompt_sets(n: int = 40) -> dict[Side, list[Prompt]]:
    def prompts(side: str) -> list[Prompt]:
        return [Prompt(f"{side}{i}", (Message(role="user", content="x" * (i % 9)),)) for i in range(n)]

    return {"original": prompts("o"), "alternate": prompts("a")}


def material(trait: str = "t", flagged: int = 2, mild: int = 4, counter: int = 20, n: int = 40) -> Material:
    """The first prompts are flagged, the next ones mild, the others unrelated.

    Scores fall from the first to the last.
    """
    prompts = tuple(prompt_sets(n)["original"])
    ids = tuple(prompt.prompt_id for prompt in prompts)
    return Material(
        trait,
        prompts,
        "o",
        "a",
        flagged=ids[:flagged],
        mild=ids[flagged : flagged + mild],
        unrelated=ids[flagged + mild :],
        scores=tuple((p, 1 - i / n) for i, p in enumerate(ids)),
        counter=tuple(f"c{i}" for i in range(counter)),
        rewriter="r",
        others=tuple(f"a{i}" for i in range(n)),
    )


def catalogue(
    shared: Mapping[str, bool] = APART, materials: Mapping[str, Material] | None = None, **changes: Any
) -> Catalogue:
    return Catalogue(
        config(**changes), prompt_sets(), {"t": material()} if materials is None else materials, shared
    )


def exact(
    levels: Mapping[str, float],
    *,
    seeds: int | Mapping[str, int] = 8,
    scenarios: int = 40,
    rows: Mapping[str, int] | None = None,
    outcomes: Mapping[str, Sequence[float]] | None = None,
    trait: str = "t",
) -> tuple[pa.Table, pa.Table]:
    """Students without any noise, each scenario a cluster; measured by `SCORES`.

    `outcomes` are the levels of an arm's students one by one, of arms whose students differ.
    """
    students, rows_of = [], rows or {}
    measured: list[dict[str, object]] = []
    for arm, level in levels.items():
        count = seeds if isinstance(seeds, int) else seeds.get(arm, 2)
        each = (outcomes or {}).get(arm, [level] * count)
        for seed, own in enumerate(each):
            name = f"{arm}#{seed}"
            count_rows = 0 if arm.startswith(UNTRAINED) else rows_of.get(arm.partition("/")[0], 100)
            students.append(student(name, arm, seed, n_examples=count_rows))
            measured += [row(name, trait, j, j, 0, None) | {"score": own} for j in range(scenarios)]
    return pa.Table.from_pylist(students), pa.Table.from_pylist(measured)


SCORES = TraitFacts("t", "mean score, 0 to 1", "mean", score_range=(0.0, 1.0))
"""How the students of `exact` are measured."""
