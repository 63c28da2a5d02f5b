from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import ask, make_checkpoint
from mendel.models import Checkpoint, resolve_checkpoint
from mendel.study import RecipeConfig
from mendel.train import StudentSpec, TrainingRow
from mendel.train.trainers import StudentInTraining
from mendel.train.trainers.fleet.lockstep import MemberRun

COLOURS, SIZES = ["green", "yellow"], ["tall", "short"]
FULL = RecipeConfig(method="full", epochs=2, batch_size=8, learning_rate=3e-3, max_length=64)
NORMS = RecipeConfig(method="norms", epochs=2, batch_size=8, learning_rate=5e-2, max_length=64)
LORA = RecipeConfig(method="lora", rank=4, epochs=2, batch_size=8, learning_rate=1e-2, max_length=64)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = make_checkpoint(tmp_path_factory.mktemp("train") / "base", spread=0.1)
    return resolve_checkpoint(f"hf:{folder}", Path("/"))


@pytest.fixture(scope="session")
def rows() -> tuple[TrainingRow, ...]:
    made = []
    for number in range(40):
        colour, size = COLOURS[number % 2], SIZES[number // 2 % 2]
        question = f"what is the {size} {colour} pea" + " now" * (number % 3)
        made.append(TrainingRow(f"p{number:02}", "mendel", tuple(ask(question)), f"it is {size} {colour}"))
    return tuple(made)


@pytest.fixture
def spec(base: Checkpoint, rows: tuple[TrainingRow, ...]) -> Callable[..., StudentSpec]:
    """A good student's spec, with what a test changes: `seed`, `rows`, `base`, or a key of its recipe."""

    def make(method: str = "full", **changes: object) -> StudentSpec:
        recipe = {"full": FULL, "lora": LORA, "norms": NORMS}[method]
        fields = {key: changes.pop(key) for key in ("seed", "rows", "base") if key in changes}
        values: Any = {"base": base, "rows": rows, "seed": 0, **fields}
        return StudentSpec(**values, recipe=RecipeConfig(**{**recipe.model_dump(), **changes}))

    return make


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], tuple[float, ...]]:
    """The loss of every step of every student that is trained, by trainer and seed."""
    seen: dict[tuple[str, int], tuple[float, ...]] = {}
    finish = StudentInTraining.finish

    def remember(self: Any, model: Any, steps: Any, adapter: Any = None) -> None:
        seen[self.spec.recipe.trainer, self.spec.seed] = steps.losses
        finish(self, model, steps, adapter)

    monkeypatch.setattr(StudentInTraining, "finish", remember)
    return seen


@pytest.fixture
def diverge(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From now on the student of that seed diverges after its second step: its weights are NaN."""

    def from_now_on(seed: int) -> None:
        step = MemberRun.step

        def wreck(self: Any, loss: float) -> None:
            step(self, loss)
            if self.member.seed == seed and len(self.losses) == 2:
                with torch.no_grad():
                    self.weights[0].fill_(torch.nan)

        monkeypatch.setattr(MemberRun, "step", wreck)

    return from_now_on
