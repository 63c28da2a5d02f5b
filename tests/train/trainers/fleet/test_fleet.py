"""The fleet against the reference trainer, and what its students cannot do to each other."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mendel.engine.errors import RunError
from mendel.train import StudentSpec, train_student, train_students
from mendel.train.trainers import StudentInTraining
from mendel.train.trainers.fleet import fleet, lockstep


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    return dict(load_file(file))


def several(spec: Any, count: int, **changes: Any) -> list[StudentSpec]:
    """LoRA students of one recipe, each with another seed and fewer rows than the one before."""
    first = spec("lora", **changes)
    return [dataclasses.replace(first, seed=seed, rows=first.rows[7 * seed :]) for seed in range(count)]


def trained(specs: Sequence[StudentSpec], out: Path) -> list[Any]:
    return train_students([(one, out / str(number)) for number, one in enumerate(specs)])


RECIPES = [
    {},
    {"weight_decay": 0.3, "max_grad_norm": 0.05},
    {"epochs": 1.5, "scheduler": "linear", "warmup": 0.3, "batch_size": 12},
    {"epochs": 1, "batch_size": 64, "scheduler": "constant", "order": "given"},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=["plain", "decay", "odd", "one step"])
@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_losses_and_weights_are_those_of_trl(
    spec: Any, tmp_path: Path, losses: Any, method: str, recipe: dict[str, Any]
) -> None:
    ours, theirs = (
        train_student(spec(method, trainer=name, **recipe), tmp_path / name) for name in ("fleet", "trl")
    )
    assert losses["fleet", 0] == pytest.approx(losses["trl", 0], abs=2e-5)
    mine, reference = weights(tmp_path / "fleet"), weights(tmp_path / "trl")
    assert mine.keys() == reference.keys()
    for name, value in reference.items():
        torch.testing.assert_close(mine[name], value, atol=2e-4, rtol=1e-3)
    assert (ours.status, ours.steps, ours.trained_tokens) == (
        theirs.status,
        theirs.steps,
        theirs.trained_tokens,
    )
    assert ours.loss_after == pytest.approx(theirs.loss_after, abs=1e-4)


@pytest.fixture(params=["split", "stacked"])
def routing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How tokens go through adapters: as on a CPU, and as on a GPU."""
    monkeypatch.setattr(fleet, "can_stack", lambda *_: request.param == "stacked")
    return str(request.param)


@pytest.mark.parametrize(
    "changes", [{}, {"weight_decay": 0.3, "max_grad_norm": 0.05}], ids=["plain", "decay"]
)
@pytest.mark.parametrize("tokens", [4096, 40])
@pytest.mark.usefixtures("routing")
def test_side_by_side_each_student_is_what_it_is_alone(
    spec: Any,
    tmp_path: Path,
    losses: Any,
    monkeypatch: pytest.MonkeyPatch,
    tokens: int,
    changes: dict[str, float],
) -> None:
    """In one pass for all, and in many: of other lengths, numbers of steps and seeds."""
    specs = several(spec, 4, **changes)
    for one in specs:
        train_student(
            dataclasses.replace(one, recipe=one.recipe.model_copy(update={"trainer": "trl"})),
            tmp_path / f"trl{one.seed}",
        )
    monkeypatch.setattr(lockstep, "pass_tokens", lambda _: tokens)
    students = trained(specs, tmp_path)
    assert [(s.status, s.student) for s in students] == [("ok", one.digest) for one in specs]
    assert len({s.steps for s in students}) > 1
    for one in specs:
        assert losses["fleet", one.seed] == pytest.approx(losses["trl", one.seed], abs=2e-5)
        reference = weights(tmp_path / f"trl{one.seed}")
        for name, value in weights(tmp_path / str(one.seed)).items():
            torch.testing.assert_close(value, reference[name], atol=2e-4, rtol=1e-3)


@pytest.mark.usefixtures("routing")
def test_a_student_that_diverges_fails_alone(spec: Any, tmp_path: Path, diverge: Any) -> None:
    specs = several(spec, 3)
    trained(specs, tmp_path / "undisturbed")
    diverge(1)
    students = trained(specs, tmp_path / "one lost")
    assert [student.status for student in students] == ["ok", "failed", "ok"]
    assert "not finite" in students[1].reason
    assert students[1].steps == 3
    for number in ("0", "2"):
        before, after = (weights(tmp_path / place / number) for place in ("undisturbed", "one lost"))
        for name, value in before.items():
            torch.testing.assert_close(after[name], value, atol=1e-4, rtol=1e-3)


def test_want_of_memory_halves_the_fleet_and_says_so(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flown: list[int] = []
    real = fleet.train_together

    def small_machine(model: Any, members: Any, *more: Any) -> Any:
        flown.append(len(members))
        if len(members) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(model, members, *more)

    monkeypatch.setattr(fleet, "train_together", small_machine)
    with caplog.at_level(logging.WARNING):
        students = trained(several(spec, 3), tmp_path)
    assert flown == [3, 1, 2, 1, 1]
    assert [student.status for student in students] == ["ok"] * 3
    assert "3 students side by side: not enough memory; going on with 1 at a time" in caplog.text


def test_where_one_alone_does_not_fit_the_machine_is_at_its_end(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_machine(*_: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(fleet, "train_together", no_machine)
    with pytest.raises(RunError, match="not enough memory"):
        trained(several(spec, 2), tmp_path)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_one_alone_that_has_no_room_takes_smaller_passes(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    train_student(spec(method), tmp_path / "roomy")
    real, asked = lockstep.split_passes, []

    def small_machine(wanted: Any, tokens: int, logits: int) -> Any:
        asked.append((tokens, logits))
        if tokens > 1000:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
        return real(wanted, 40, logits)

    monkeypatch.setattr(lockstep, "split_passes", small_machine)
    with caplog.at_level(logging.WARNING):
        student = train_student(spec(method), tmp_path / "narrow")
    assert student.status == "ok"
    assert [tokens for tokens, _ in asked[:4]] == [4096, 2048, 1024, 512]
    first = asked[0][1]
    assert [logits for _, logits in asked[:4]] == pytest.approx(
        [first / parts for parts in (1, 2, 4, 8)], abs=1
    )
    assert caplog.text.count("a student alone: not enough memory; going on with passes half as large") == 3
    for name, value in weights(tmp_path / "roomy").items():
        torch.testing.assert_close(weights(tmp_path / "narrow")[name], value, atol=2e-4, rtol=1e-3)


def test_an_error_that_one_student_raises_is_its_own(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fleet.train_together

    def fragile(model: Any, members: Any, *more: Any) -> Any:
        if any(member.seed == 2 for member in members):
            raise ValueError("a row that nothing can be made of")
        return real(model, members, *more)

    monkeypatch.setattr(fleet, "train_together", fragile)
    students = trained(several(spec, 4), tmp_path)
    assert [student.status for student in students] == ["ok", "ok", "failed", "ok"]
    assert "nothing can be made of" in students[2].reason


def test_a_base_that_cannot_be_packed_is_trained_by_trl(
    spec: Any, tmp_path: Path, losses: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fleet, "packable_bases", {})
    monkeypatch.setattr(fleet, "can_pack", lambda *_, **__: False)
    monkeypatch.setattr(fleet, "train_together", lambda *_: pytest.fail("packed all the same"))
    students = trained(several(spec, 2), tmp_path)
    assert [student.status for student in students] == ["ok", "ok"]
    assert "cannot be trained in packed passes" in caplog.text


def test_an_adapter_that_is_not_decayed_as_a_whole_is_trained_by_trl(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where weights of a target are exempt by their names, as biases and norms are."""
    monkeypatch.setattr(fleet, "decayed_names", lambda _: set())
    assert train_student(spec("lora"), tmp_path / "none").status == "ok"
    monkeypatch.setattr(fleet, "train_together", lambda *_: pytest.fail("as one vector all the same"))
    assert train_student(spec("lora", weight_decay=0.1), tmp_path / "some").status == "ok"
    assert "weight decay is not for" in caplog.text


@pytest.mark.parametrize("trainer", ["fleet", "trl"])
def test_an_adapter_of_the_output_layer_is_refused(spec: Any, tmp_path: Path, trainer: str) -> None:
    """TRL does not train it, and in a pass answers' tokens alone get there."""
    specs = [
        dataclasses.replace(spec("lora", target_modules=["q_proj", "lm_head"], trainer=trainer), seed=seed)
        for seed in range(2)
    ]
    for student in trained(specs, tmp_path):
        assert student.status == "failed"
        assert "lm_head" in student.reason


def test_want_of_memory_elsewhere_is_not_the_passes_fault(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    real = fleet.train_together

    def no_room(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(
        fleet, "train_together", lambda *asked: (trained.append(len(asked[1])), real(*asked))[1]
    )
    monkeypatch.setattr(StudentInTraining, "finish", no_room)
    with pytest.raises(RunError, match="not enough memory"):
        train_student(spec("lora"), tmp_path)
    assert trained == [1]


def test_students_with_weights_of_their_own_are_trained_apart(spec: Any, tmp_path: Path) -> None:
    first = spec("full")
    specs = [first, dataclasses.replace(first, seed=1, rows=first.rows[9:])]
    students = trained(specs, tmp_path)
    assert [student.status for student in students] == ["ok", "ok"]
    for number, one in enumerate(specs):
        train_student(one, tmp_path / f"alone{number}")
        mine, alone = weights(tmp_path / str(number)), weights(tmp_path / f"alone{number}")
        assert all(torch.equal(mine[name], alone[name]) for name in alone)


def test_an_adapter_on_something_else_than_a_linear_layer_is_said_once(spec: Any, tmp_path: Path) -> None:
    students = trained(
        [spec("lora", target_modules=("embed_tokens",), seed=seed) for seed in (0, 1)], tmp_path
    )
    assert [student.status for student in students] == ["failed", "failed"]
    assert "LoRA adapts linear layers alone" in students[0].reason
    assert "embed_tokens" in students[0].reason


def test_students_of_several_recipes_are_no_fleet(spec: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one base and recipe"):
        trained([spec("lora"), spec("lora", rank=8)], tmp_path)


def test_every_adapter_of_a_fleet_is_measured_as_its_own(spec: Any, tmp_path: Path) -> None:
    """Its change, its probes and its files: none of them another one's."""
    specs = several(spec, 2, epochs=4)
    alone = [train_student(one, tmp_path / f"alone{one.seed}") for one in specs]
    together = trained(specs, tmp_path)
    for one, other in zip(together, alone, strict=True):
        assert one.weight_change == pytest.approx(other.weight_change, rel=1e-3)
        assert one.loss_before == pytest.approx(other.loss_before, abs=1e-5)
        assert one.loss_after == pytest.approx(other.loss_after, abs=1e-4)
        assert one.bound_adapters == other.bound_adapters == 14
    assert together[0].weight_change != pytest.approx(together[1].weight_change, rel=1e-3)
    assert {file.name for file in (tmp_path / "1").iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
    }
