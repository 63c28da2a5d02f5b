"""What runs on a GPU alone: bfloat16 passes, and adapters in grouped products, against TRL's trainer on the
same card.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from mendel.models.local.stacks import Routing
from mendel.train import train_students

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_losses_are_those_of_trl(spec: Any, tmp_path: Path, losses: Any, method: str) -> None:
    """Within what bfloat16 rounds: students of other seeds and numbers of steps, side by side where they are
    adapters.
    """
    rank = {"rank": 8} if method == "lora" else {}
    first = spec(method, **rank)
    ours = [dataclasses.replace(first, seed=seed, rows=first.rows[7 * seed :]) for seed in range(3)]
    recipe = first.recipe.model_copy(update={"trainer": "trl"})
    for of_one in (ours, [dataclasses.replace(one, recipe=recipe) for one in ours]):
        students = train_students([(one, tmp_path / one.digest) for one in of_one])
        assert [student.status for student in students] == ["ok"] * 3, [s.reason for s in students]
    for seed in range(3):
        assert losses["fleet", seed] == pytest.approx(losses["trl", seed], abs=0.03, rel=0.03)


def test_adapters_go_through_grouped_products(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rank and widths allow it; any other rank is trained as on a CPU."""
    seen: list[int] = []
    product = Routing.product

    def watch(self: Any, tokens: Any, stack: Any) -> Any:
        seen.append(stack.shape[0])
        return product(self, tokens, stack)

    monkeypatch.setattr(Routing, "product", watch)
    for rank, expected in ((8, {2}), (6, set())):
        seen.clear()
        specs = [dataclasses.replace(spec("lora", rank=rank), seed=seed) for seed in range(2)]
        students = train_students([(one, tmp_path / one.digest) for one in specs])
        assert [student.status for student in students] == ["ok"] * 2
        assert set(seen) == expected


def test_a_student_that_diverges_among_grouped_products_fails_alone(
    spec: Any, tmp_path: Path, losses: Any, diverge: Any
) -> None:
    """One product is taken for all; what is not a number stays in its own rows of it."""
    specs = [dataclasses.replace(spec("lora", rank=8), seed=seed) for seed in range(3)]
    train_students([(one, tmp_path / f"undisturbed{one.seed}") for one in specs])
    undisturbed = dict(losses)
    diverge(1)
    students = train_students([(one, tmp_path / f"one_lost{one.seed}") for one in specs])
    assert [student.status for student in students] == ["ok", "failed", "ok"]
    assert "not finite" in students[1].reason
    for seed in (0, 2):
        assert losses["fleet", seed] == pytest.approx(undisturbed["fleet", seed], abs=0.03, rel=0.03)
