"""Every sentence that a verdict says is so: its condition is worked out here anew, from the numbers beside
it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from _planted import CAUSES, CUBE, LOW, cause_levels, cube_levels, cube_with_shared, study, with_status
from mendel.diagnose import Conditions, Levels, TraitFacts, diagnose
from mendel.diagnose.location import WORDS
from mendel.diagnose.sentences import SENTENCES
from mendel.study.cube import PARTS

ROOT = Path(__file__).parents[2]
LOG = ROOT / "docs" / "log.md"
FACTS = TraitFacts("t", "share of responses that show it")
NOT_HERE = {
    "recipe-changes": "tests/diagnose/test_robustness.py walks through those about other recipes",
    "recipe-holds": "the same",
    "recipe-undecided": "the same",
}
"""Sentences that no world here says, with the reason."""
MODELS = ("base/", "prefill/")
BEGUN = dict.fromkeys(("prefill/original", "prefill/alternate"), LOW)
"""The base shows nothing where it is made to begin as a teacher does."""
ROUND = 0.011
"""How far a printed number lies from its value at most; the ends of a share are searched to a hundredth."""
E = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """Students and measurements, and what a verdict said of them."""

    students: pa.Table
    rows: pa.Table
    cube: Mapping[str, str] = field(default_factory=lambda: CUBE)
    options: Mapping[str, Any] = field(default_factory=dict)

    def verdict(self) -> dict[str, Any]:
        """The trait's part of verdicts.json, as it stands in the file."""
        trait = diagnose(self.students, self.rows, [FACTS], self.cube, **self.options).traits["t"]
        content: dict[str, Any] = json.loads(json.dumps(trait))
        return content

    def levels(self, corner: str) -> list[float]:
        """The level of every usable student of a pipeline, from the responses themselves."""
        ok = {
            row["student"]
            for row in self.students.to_pylist()
            if row["status"] == "ok" and row["arm"] == self.cube[corner]
        }
        hits: dict[str, list[float]] = {}
        for row in self.rows.to_pylist():
            if row["student"] in ok and row["hit"] is not None:
                hits.setdefault(row["student"], []).append(float(row["hit"]))
        return [float(np.mean(found)) for found in hits.values()]

    def broken(self, corner: str) -> int:
        """How many students of a pipeline are not usable."""
        rows = self.students.to_pylist()
        return sum(row["status"] != "ok" and row["arm"] == self.cube[corner] for row in rows)

    @property
    def shared(self) -> list[str]:
        """The parts that the pipelines share."""
        swapped = {"base": "AOO", "prompts": "OAO", "teacher": "OOA"}
        return [part for part in PARTS if self.cube[swapped[part]] == self.cube["OOO"]]


# What each sentence needs to be so: the verdict, the world that it is about, and the sentence's text.
Predicate = Callable[[dict[str, Any], World, str], bool]


def smallest(v: E) -> float:
    return 0.1 * v["unit"]


def known(e: E | None) -> bool:
    return e is not None and e["estimate"] is not None


def above(e: E, value: float) -> bool:
    return known(e) and e["low"] is not None and e["low"] > value


def shows_more(v: E) -> bool:
    total = v["effects"]["total"]
    return above(total, 0) and total["estimate"] >= smallest(v)


def shows_less(v: E) -> bool:
    total = v["effects"]["total"]
    return known(total) and total["high"] is not None and total["high"] < 0 < -total["estimate"]


def both_show(v: E) -> bool:
    return above(v["original"], smallest(v)) and above(v["alternate"], smallest(v))


def apart(v: E) -> bool:
    """The intervals leave no doubt that each pipeline has more than half of what the other one has."""
    ends = v["original"], v["alternate"]
    return all(above(one, (other["high"] or 1.0) / 2) for one, other in (ends, ends[::-1]))


def alike(v: E) -> bool:
    """By the estimates, each pipeline has more than half of what the other one has."""
    one, other = v["original"]["estimate"], v["alternate"]["estimate"]
    return bool(one > other / 2 and other > one / 2)


def says_number(text: str, e: E) -> bool:
    """A level's number stands in the text, with its interval where it has one."""
    exact = e["low"] == e["estimate"] == e["high"]
    ends = "" if e["low"] is None or exact else rf" \[{e['low'] + 0:.2f}, {e['high'] + 0:.2f}\]"
    return re.search(re.escape(f"{e['estimate'] + 0:.2f}") + ends, text.replace("-0.00", "0.00")) is not None


def parts_with(v: E, decision: str) -> set[str]:
    return {name for name, part in v["location"].items() if part["decision"] == decision}


def named_parts(text: str) -> set[str]:
    return {name for name, words in WORDS.items() if words.casefold() in text.casefold()}


def named_hypotheses(v: E, text: str) -> set[str]:
    listed = re.split(r", | and ", text.partition(": ")[2].rstrip("."))
    by_title = {h["title"]: name for name, h in v["hypotheses"].items()}
    return {by_title[title] for title in listed}


def with_status_of(v: E, *statuses: str) -> set[str]:
    return {name for name, h in v["hypotheses"].items() if h["status"] in statuses}


def same_students(v: E) -> set[str]:
    """Hypotheses of which a contrast would compare an arm with itself."""
    return {
        name
        for name in with_status_of(v, "untested")
        if "would be the same students" in v["hypotheses"][name]["why"]
        and any(p["outcome"] == "impossible" for p in v["hypotheses"][name]["predictions"])
        and v["hypotheses"][name]["why"].startswith("impossible")
    }


def contrast(v: E, name: str) -> E:
    found: E = next(c for c in v["contrasts"] if c["id"] == name)
    return found


def measured_refutation(v: E, name: str) -> bool:
    """A prediction fails by a contrast of two arms that differ, whose estimate lies on the wrong side."""
    failed = [p for p in v["hypotheses"][name]["predictions"] if p["outcome"] == "fails"]
    half = v["effects"]["total"]["estimate"] / 2
    for prediction in failed:
        contrasts = [contrast(v, c) for c in prediction["contrasts"]]
        if any(c["arms"][0] == c["arms"][1] for c in contrasts):
            return False
        values = [c["estimate"] for c in contrasts]
        if prediction["size"] == "most" and max(values) >= half:
            return False
        if prediction["size"] == "little" and max(values) <= half:
            return False
    return bool(failed)


def every_prediction_holds(v: E, name: str) -> bool:
    half = v["effects"]["total"]["estimate"] / 2
    for prediction in v["hypotheses"][name]["predictions"]:
        values = [contrast(v, c)["estimate"] for c in prediction["contrasts"]]
        sizes = {
            "most": bool(values) and max(values) > half,
            "little": bool(values) and max(values) < half,
            "measured": bool(values) and None not in values,
        }
        if prediction["outcome"] != "holds" or not sizes[prediction["size"]]:
            return False
    return v["hypotheses"][name]["status"] == "supported"


def carries_a_quarter(part: E) -> bool:
    shares = [part[side] for side in ("brings", "takes") if known(part[side])]
    return any(share["low"] is not None and share["low"] > 0.25 - ROUND for share in shares)


def below_a_quarter(part: E) -> bool:
    shares = [part[side] for side in ("brings", "takes")]
    return all(known(s) and s["high"] is not None and s["high"] < 0.25 + ROUND for s in shares)


def effect(v: E, part: str) -> float:
    found: float = v["effects"][part]["estimate"]
    return found


def one_part(v: E, text: str) -> bool:
    (part,) = re.findall(r"comes with the (\w+):", text)
    total = effect(v, "total")
    others = [effect(v, other) for other in PARTS if other != part]
    return (
        v["carrier"] == part
        and effect(v, part) > total / 2
        and max(others) < total / 4
        and v["decisions"][part]["low"] > 0
        and says_number(text, v["effects"][part])
    )


def several_parts(v: E, text: str) -> bool:
    named = [part for part in PARTS if re.search(rf"\b{part} -?\d", text)]
    total = effect(v, "total")
    return (
        v["carrier"] == "mixed"
        and len(named) > 1
        and all(effect(v, p) > total / 4 and v["decisions"][p]["low"] > 0 for p in named)
    )


def no_part(v: E) -> bool:
    carries = [d["decision"] for d in v["decisions"].values() if d["decision"] in ("carries", "carries most")]
    return v["carrier"] == "undecided" and len(carries) < 2


def edits_said(v: E, text: str) -> bool:
    words = {
        "drop": "dropping the flagged prompts",
        "swap": "letting the alternate teacher answer them",
    }
    if not known(v["levels"].get("drop/t")):
        # "Them" would refer to nothing.
        words["swap"] = words["swap"].replace("them", "the flagged prompts")
    for kind, said in words.items():
        level = v["levels"].get(f"{kind}/t")
        if (level is not None and known(level)) != (said in text.casefold()):
            return False
        if level is not None and known(level) and not says_number(text, level):
            return False
    return True


def no_edit(v: E) -> bool:
    return not any(known(v["levels"].get(f"{kind}/t")) for kind in ("drop", "swap"))


def none_shows_it(v: E, w: World, text: str) -> bool:
    students = w.levels("OOO") + (w.levels("AAA") if w.cube["OOO"] != w.cube["AAA"] else [])
    (count, highest) = re.search(r"None of the (\d+) students.*below (\d\.\d\d)\.", text).groups()  # type: ignore[union-attr]
    return (
        int(count) == len(students)
        and max(students)
        < 0.2
        >= float(highest)
        >= max(v["original"]["estimate"], v["alternate"]["estimate"])
        and all(len(w.levels(corner)) >= 3 and not w.broken(corner) for corner in ("OOO", "AAA"))
    )


def all_low(w: World) -> bool:
    """Whether agreeing students and many clusters show the trait to be low in both pipelines."""
    return (
        all(len(w.levels(c)) >= 3 and not w.broken(c) and max(w.levels(c)) == 0 for c in ("OOO", "AAA"))
        and len(set(w.rows["cluster"].to_pylist())) >= 30
    )


def base_level(v: E, text: str) -> E | None:
    (side,) = re.findall(r"untrained (\w+) base", text)
    level: E | None = v["levels"].get(f"base/{side}")
    return level


def unmeasured(v: E) -> bool:
    return not known(v["original"]) or not known(v["alternate"]) or not known(v["effects"]["total"])


def decided_state(v: E) -> bool:
    return unmeasured(v) or shows_more(v) or shows_less(v) or (both_show(v) and apart(v))


PREDICATES: Mapping[str, Predicate] = {
    "state-unmeasured": lambda v, w, t: unmeasured(v) and v["state"] == "undecided",
    "state-one-seed": lambda v, w, t: (
        max(level["n_students"] for arm, level in v["levels"].items() if not arm.startswith(MODELS)) == 1
        and v["state"] == "undecided"
    ),
    "state-same-students": lambda v, w, t: (
        w.cube["OOO"] == w.cube["AAA"] and v["state"] == "shared" and float(np.mean(w.levels("OOO"))) > 0.1
    ),
    "state-difference": lambda v, w, t: shows_more(v) and says_number(t, v["effects"]["total"]),
    "state-reverse": lambda v, w, t: shows_less(v) and v["state"] == "undecided",
    "state-shared": lambda v, w, t: both_show(v) and alike(v) and not shows_more(v) and not shows_less(v),
    "state-absent": none_shows_it,
    "state-undecided": lambda v, w, t: (
        not decided_state(v) and not all_low(w) and says_number(t, v["effects"]["total"])
    ),
    "shared-base": lambda v, w, t: v["state"] == "shared" and above(base_level(v, t) or {}, smallest(v)),
    "shared-base-low": lambda v, w, t: (
        v["state"] == "shared" and known(base_level(v, t)) and not above(base_level(v, t) or {}, smallest(v))
    ),
    "shared-base-unknown": lambda v, w, t: v["state"] == "shared" and not known(base_level(v, t)),
    "shared-what-helps": lambda v, w, t: (
        v["state"] == "shared" and {part for part in PARTS if part in t} == set(w.shared) != set()
    ),
    "shared-what-helps-all": lambda v, w, t: v["state"] == "shared" and not w.shared,
    "located": lambda v, w, t: (
        named_parts(t) == parts_with(v, "carries") != set()
        and all(carries_a_quarter(v["location"][name]) for name in named_parts(t))
    ),
    "not-located": lambda v, w, t: shows_more(v) and not parts_with(v, "carries"),
    "excluded": lambda v, w, t: (
        named_parts(t) == parts_with(v, "does not carry") != set()
        and all(below_a_quarter(v["location"][name]) for name in named_parts(t))
    ),
    "carrier-one": lambda v, w, t: shows_more(v) and one_part(v, t),
    "carrier-mixed": lambda v, w, t: shows_more(v) and several_parts(v, t),
    "carrier-none": lambda v, w, t: v["state"] == "absent" and v["carrier"] == "none",
    "carrier-no-difference": lambda v, w, t: v["state"] in ("shared", "undecided") and not shows_more(v),
    "carrier-undecided": lambda v, w, t: shows_more(v) and no_part(v),
    "edits": lambda v, w, t: edits_said(v, t),
    "edits-unmeasured": lambda v, w, t: no_edit(v),
    "cause": lambda v, w, t: (
        every_prediction_holds(v, v["cause"]) and t.startswith(v["hypotheses"][v["cause"]]["means"])
    ),
    "cause-others": lambda v, w, t: (
        named_hypotheses(v, t) == with_status_of(v, "supported") - {v["cause"]}
        and all(every_prediction_holds(v, name) for name in named_hypotheses(v, t))
    ),
    "cause-open": lambda v, w, t: (
        named_hypotheses(v, t) == with_status_of(v, "undecided", "untested") - same_students(v)
    ),
    "cause-undecided": lambda v, w, t: (
        not with_status_of(v, "supported")
        and [int(n) for n in re.findall(r"\d+", t)]
        == [len(v["hypotheses"]), len(with_status_of(v, "refuted"))]
        and all(measured_refutation(v, name) for name in with_status_of(v, "refuted"))
    ),
    "cause-impossible": lambda v, w, t: (
        bool(w.shared)
        and re.findall(r"cannot test ([^:]+):", t)[0].replace(" and ", ", ").split(", ")
        == [v["hypotheses"][name]["title"] for name in v["hypotheses"] if name in same_students(v)]
    ),
    "smallest-visible": lambda v, w, t: v["state"] == "undecided" and counts_said(v, t),
    "smallest-visible-none": lambda v, w, t: v["state"] == "undecided" and counts_said(v, t),
    "smallest-share": lambda v, w, t: shows_more(v) and left_open(v) and counts_said(v, t),
    "smallest-share-none": lambda v, w, t: shows_more(v) and left_open(v) and counts_said(v, t),
    "advice-unmeasured": lambda v, w, t: unmeasured(v),
    "advice-shared": lambda v, w, t: v["state"] == "shared" and not shows_more(v),
    "advice-absent": lambda v, w, t: max(w.levels("OOO") + w.levels("AAA")) < 0.2,
    "advice-undecided": lambda v, w, t: v["state"] == "undecided" and not shows_more(v),
    "cause-absent": lambda v, w, t: v["state"] == "absent" and v["cause"] == "none",
    "cause-not-asked": lambda v, w, t: v["state"] in ("shared", "undecided") and not shows_more(v),
}


def left_open(v: dict[str, Any]) -> bool:
    """Whether the cause is undecided, or no part is located."""
    return v["cause"] == "undecided" or not parts_with(v, "carries")


def counts_said(v: dict[str, Any], text: str) -> bool:
    """Whether the number of students that a sentence begins with is that of some arm of the study."""
    said = re.match(r"With (\d+) students", text)
    return said is not None and int(said[1]) in {level["n_students"] for level in v["levels"].values()}


def pattern(template: str) -> str:
    """What a sentence looks like with its values in place."""
    parts = re.split(r"\{\w+\}", template)
    text = "(.+)".join(map(re.escape, parts))
    return text if template.startswith("{") else f"(?i:{text[0]}){text[1:]}"


def key_of(text: str, kind: str) -> str:
    """The key of a sentence of a kind; empty where the table has none that reads like it."""
    keys = [key for key, sentence in SENTENCES.items() if key.startswith(kind)]
    return next((key for key in keys if re.fullmatch(pattern(SENTENCES[key].text), text)), "")


def false_sentences(world: World, v: dict[str, Any]) -> Iterator[str]:
    """Yield each sentence that is not as the table has it, or whose condition does not hold."""
    said = v["sentences"]
    for one in said:
        if not re.fullmatch(pattern(SENTENCES[one["key"]].text), one["text"]):
            yield f"not as in the table: {one}"
        elif not PREDICATES[one["key"]](v, world, one["text"]):
            yield f"not so: {one}"
    if " ".join(one["text"] for one in said) != f"{v['summary']} {v['explanation']}":
        yield "summary and explanation hold other sentences"
    for key, kind in (("state_why", "state-"), ("carrier_why", "carrier-")):
        if not key_of(v[key], kind):
            yield f"{key} is no sentence of the table: {v[key]}"
    advice = key_of(v["recommendation"]["why"], "advice-")
    if v["state"] != "difference" and not (advice and PREDICATES[advice](v, world, "")):
        yield f"advice that is not so: {v['recommendation']['why']}"
    if v["state"] == "difference" and v["carrier_why"] not in v["summary"]:
        yield "the sentence about the carrier is not among those that are said"


def teacher(b: float, p: float, t: float) -> float:
    return 0.05 + 0.9 * t


def made(
    levels: Mapping[str, float], seed: int = 0, cube: Mapping[str, str] = CUBE, /, **options: Any
) -> World:
    """A world with these levels; what is no arm of the cube is left out."""
    if cube["OAO"] == cube["OOO"]:
        # There are no other prompts to add.
        levels = {arm: level for arm, level in levels.items() if not arm.startswith("both-")}
    kept = {
        arm: level for arm, level in levels.items() if not arm.startswith("cube/") or arm in cube.values()
    }
    run = {key: options.pop(key) for key in ("levels", "conditions", "lacking") if key in options}
    students, rows = study(
        kept, np.random.default_rng(seed), **{"seeds": 3, "scenarios": 20, "samples": 1, **options}
    )
    # A base is one model that nobody trained.
    models = [{**row, "n_examples": 0} for row in students.to_pylist() if row["arm"].startswith(MODELS)]
    models = [row for row in models if row["seed"] == 0]
    trained = [row for row in students.to_pylist() if not row["arm"].startswith(MODELS)]
    return World(pa.Table.from_pylist([*trained, *models]), rows, cube, run)


def ends(original: float, alternate: float, /, **bases: float) -> dict[str, float]:
    """Levels of a cube in which nothing but the teacher differs, and of untrained bases."""
    cube = cube_levels(lambda b, p, t: alternate + (original - alternate) * t)
    return cube | {f"base/{side}": level for side, level in bases.items()}


def broken(world: World, arm: str, keep: int = 0) -> World:
    return World(with_status(world.students, arm, "broken", keep), world.rows, world.cube, world.options)


def bimodal(world: World, arms: Sequence[str]) -> World:
    """Of these arms every second student shows nothing at all."""
    rows = world.rows.to_pylist()
    for row in rows:
        arm, _, seed = row["student"].rpartition("#")
        if arm in arms and int(seed) % 2:
            row.update(hit=False, score=0.0)
    return World(world.students, pa.Table.from_pylist(rows), world.cube, world.options)


SURE: Mapping[str, Any] = {"seeds": 10, "scenarios": 60, "cluster_size": 1, "samples": 1, "seed_sd": 0.0}
"""Enough that a cause can be named."""
MANY: Mapping[str, Any] = {"seeds": 9, "scenarios": 60, "cluster_size": 1, "samples": 1}
UNMET = Conditions(unmet={"recall": "the judge's recall is not known"})


def worlds() -> dict[str, Callable[[], World]]:
    """What a study may come out as, by name."""
    one_base, one_both = cube_with_shared(0), cube_with_shared(0, 1)
    same = cube_with_shared(0, 1, 2)
    return {
        **{cause: (lambda c=cause: made({**BEGUN, **CAUSES[c]}, **SURE)) for cause in CAUSES},  # type: ignore[misc]
        **{f"{cause}, few": (lambda c=cause: made(CAUSES[c])) for cause in CAUSES},  # type: ignore[misc]
        "two causes": lambda: made(
            {**cause_levels(lambda b, p, t: t, mild=1.0, unrelated=1.0), **BEGUN}, **SURE
        ),
        "half flagged, half mild": lambda: made(
            cause_levels(lambda b, p, t: t, flagged=0.5, mild=0.5), **MANY
        ),
        "a judge of unknown recall": lambda: made(
            CAUSES["subliminal_learning"], conditions=lambda effects, log_odds: UNMET, **MANY
        ),
        "many students": lambda: made(CAUSES["direct_imitation"], **{**SURE, "seeds": 20}),
        "one base": lambda: made(CAUSES["direct_imitation"], 0, one_base, **MANY),
        "one base, one prompt set": lambda: made(CAUSES["simple_generalization"], 0, one_both, **MANY),
        "one prompt set": lambda: made(CAUSES["underspecification"], 0, cube_with_shared(1), **MANY),
        "arms that cannot be made": lambda: made(cube_levels(teacher), lacking=lambda arm: f"no arm {arm}"),
        "teacher and prompts": lambda: made(cube_levels(lambda b, p, t: 0.05 + 0.45 * t + 0.45 * p), **MANY),
        "both needed": lambda: made(cube_levels(lambda b, p, t: 0.05 + 0.9 * t * p), **MANY),
        "both at 1": lambda: made(ends(1.0, 1.0, original=1.0, alternate=1.0)),
        "both at 1, base at 0": lambda: made(ends(1.0, 1.0, original=0.0), **MANY),
        "both at 1 on one base": lambda: made(ends(1.0, 1.0, original=1.0), 0, one_base),
        "both at .6": lambda: made(ends(0.6, 0.6), **MANY),
        "both at 0": lambda: made(ends(0.0, 0.0), scenarios=60, cluster_size=1),
        "both at 0, edits": lambda: made({**ends(0.0, 0.0), "drop/t": 0.0, "swap/t": 0.0}, **MANY),
        "both at .1": lambda: made(ends(0.1, 0.1)),
        "less": lambda: made(ends(0.05, 0.95), **MANY),
        "a little less": lambda: made(ends(0.4, 0.5)),
        "small difference": lambda: made(ends(0.35, 0.2), **MANY),
        "one seed": lambda: made(CAUSES["direct_imitation"], seeds=1),
        "one seed, both at 0": lambda: made(ends(0.0, 0.0), seeds=1),
        "one pipeline twice": lambda: made({"cube/OOO": 0.8}, 0, same),
        "one pipeline twice, one seed": lambda: made(
            {"cube/OOO": 0.8}, 0, same, seeds=1, scenarios=60, cluster_size=1
        ),
        "one cluster": lambda: made(CAUSES["direct_imitation"], cluster_size=20),
        "some broken": lambda: broken(made(CAUSES["direct_imitation"], **MANY), "cube/OOO", 5),
        "broken where both are at 0": lambda: broken(made(ends(0.0, 0.0), **MANY), "cube/AAA", 5),
        "a corner broken": lambda: broken(made(cube_levels(teacher), **MANY), "cube/OAO"),
        "the drop broken": lambda: broken(made(CAUSES["direct_imitation"], **MANY), "drop/t"),
        "all broken": lambda: broken(made(ends(0.9, 0.1)), "cube/OOO"),
        "nothing measured": lambda: _unmeasured(made(ends(0.9, 0.1))),
        "bimodal mild": lambda: bimodal(made(CAUSES["simple_generalization"], **MANY), ["mild/t", "drop/t"]),
        "bimodal original": lambda: bimodal(made(CAUSES["persona_selection"], **MANY), ["cube/OOO"]),
        "bimodal two": lambda: bimodal(made(cube_levels(teacher), seeds=2), ["cube/OOO", "cube/AAO"]),
        "two looks": lambda: made(CAUSES["bad_prompts"], levels=Levels(2), **MANY),
        "a fifth of the scale": lambda: made(cause_levels(lambda b, p, t: t, flagged=1.0, size=0.2), **MANY),
    }


def _unmeasured(world: World) -> World:
    return World(world.students, world.rows.filter(pa.array([False] * world.rows.num_rows)), world.cube)


WORLDS = worlds()


@cache
def told(name: str) -> tuple[World, dict[str, Any]]:
    world = WORLDS[name]()
    return world, world.verdict()


@pytest.mark.parametrize("name", WORLDS)
def test_every_sentence_said_is_so(name: str) -> None:
    world, verdict = told(name)
    assert list(false_sentences(world, verdict)) == []


def test_every_sentence_is_said_somewhere_or_known_not_to_be() -> None:
    said = {one["key"] for name in WORLDS for one in told(name)[1]["sentences"]}
    for name in WORLDS:
        verdict = told(name)[1]
        said |= {
            key_of(verdict["carrier_why"], "carrier-"),
            key_of(verdict["recommendation"]["why"], "advice-"),
        }
    assert set(SENTENCES) - said == set(NOT_HERE)
    assert set(PREDICATES) == set(SENTENCES) - set(NOT_HERE)


def test_the_planted_causes_are_named_where_the_students_are_enough() -> None:
    # Else the sentences about causes would stand in no world here.
    assert {cause: told(cause)[1]["cause"] for cause in CAUSES} == {cause: cause for cause in CAUSES}


@pytest.mark.parametrize(
    "name", ["cause", "located", "state-absent", "carrier-one", "cause-undecided", "excluded", "edits"]
)
def test_a_sentence_of_another_world_is_found_out(name: str) -> None:
    """The predicates can fail: what is so of one study is not so of one in which nothing differs."""
    text = next(one["text"] for world in WORLDS for one in told(world)[1]["sentences"] if one["key"] == name)
    for other in ("both at 1", "small difference", "nothing measured"):
        world, verdict = told(other)
        changed = {**verdict, "sentences": [{"key": name, "text": text}]}
        try:
            so = PREDICATES[name](changed, world, text)
        except (KeyError, TypeError):
            so = False
        assert not so, other


RETRACTED = (
    r"nothing to remove: the trait",
    r"is not shown to be there",
    r"there is no [\w{} ]+ to explain",
    r"no cause to look for",
    r"whoever answers them",
    r"draw the trait out, with either",
    r"wrong in at most 5",
    r"at a family-wise error of 5",
    r"to students of the teacher's own initialization alone",
    r"intervals that hold with 2 seeds",
    r"within a third of (it|the difference)",
    r"by more than the noise",
    r"comes with who answers the prompts, not",
)
"""Sentences of earlier versions that said more than was measured."""


@pytest.mark.parametrize("sentence", RETRACTED)
def test_what_said_too_much_stands_nowhere(sentence: str) -> None:
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.j2"), *ROOT.glob("docs/*.md")]
    texts = {str(file): " ".join(file.read_text(encoding="utf-8").split()) for file in files if file != LOG}
    assert len(texts) > 100
    # Python joins its strings over lines.
    found = [
        name for name, text in texts.items() if re.search(sentence, text.replace('" "', ""), re.IGNORECASE)
    ]
    assert found == []


shares = st.sampled_from((0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.95, 1.0))
arms = st.sampled_from([arm for arm in CAUSES["direct_imitation"] if not arm.startswith(("cube/", "mix/"))])
cubes = st.sampled_from([(), (0,), (1,), (2,), (0, 1), (0, 1, 2)])


@given(
    corners=st.lists(shares, min_size=8, max_size=8),
    others=st.dictionaries(arms, shares, max_size=12),
    shared=cubes,
    seeds=st.integers(1, 4),
    cluster_size=st.sampled_from((1, 4, 16)),
    lost=st.lists(st.sampled_from(("cube/OOO", "cube/AAA", "cube/OOA", "drop/t")), max_size=2, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_levels_every_sentence_said_is_so(
    corners: list[float],
    others: dict[str, float],
    shared: tuple[int, ...],
    seeds: int,
    cluster_size: int,
    lost: list[str],
    seed: int,
) -> None:
    levels = {**dict(zip(CUBE.values(), corners, strict=True)), **others}
    cube = cube_with_shared(*shared)
    world = made(levels, seed, cube, seeds=seeds, scenarios=16, cluster_size=cluster_size)
    for arm in lost:
        world = broken(world, arm, keep=1)
    assert list(false_sentences(world, world.verdict())) == []
