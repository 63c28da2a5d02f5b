"""Names in the store are made of content: a store that an earlier version filled is found again.

Who changes one of these on purpose says so in CHANGELOG.md: what it names is made anew.
"""

from __future__ import annotations

from pathlib import Path

from mendel.data.prompts import Message
from mendel.design.arms import draw_rng
from mendel.engine.store import Store
from mendel.models import ModelSource
from mendel.study import RecipeConfig, built_in_study
from mendel.train import StudentSpec, TrainingRow
from mendel.workflow.inputs import load_inputs
from mendel.workflow.jobs import ModelJob, Probes
from mendel.workflow.measurements import Measurements


def test_what_the_built_in_study_is_made_of_keeps_its_names() -> None:
    inputs = load_inputs(built_in_study("peas"))
    base = inputs.bases["original"]
    row = TrainingRow("p", "original", (Message(role="user", content="what day ?"),), "2026")
    student = StudentSpec(base, (row,), RecipeConfig(method="lora"), 3)
    probes = Probes(inputs.probes, inputs.assistant)
    model = ModelJob(
        ModelSource(base.ref, base.digest, base), "be brief", probes, Path("store"), prefill="well"
    )
    measurements = Measurements(Store(Path("store")), student.digest)
    names = {
        "base": base.digest,
        "student": student.digest,
        "chunk": inputs.chunks[0].digest,
        "model": model.model,
        "responses": measurements.responses_key(inputs.traits[0]),
        "scores": measurements.scores_key(inputs.traits[0]),
        "judge": inputs.traits[0].judge_id,
        "assistant": inputs.assistant.digest,
    }
    assert {kind: name[:16] if kind != "judge" else name for kind, name in names.items()} == KNOWN


def test_random_draws_keep_what_they_draw() -> None:
    drawn = draw_rng("control", "trait", 1, ["a", "b", "c"]).integers(1000, size=4).tolist()
    assert drawn == DRAWN


KNOWN = {
    "base": "81a41d280af7f56d",
    "student": "f10c1c3f16e1d1be",
    "chunk": "8744a7027a32a35b",
    "model": "46ea1812cca2b122",
    "responses": "19f28d181ba6e19c",
    "scores": "6e4a9077af6cc5db",
    "judge": "regex@105ee0ea",
    "assistant": "21da5b2cb6d6658f",
}
"""The first 16 digits of each name, as the version before the rooms made them."""
DRAWN = [698, 634, 382, 774]
