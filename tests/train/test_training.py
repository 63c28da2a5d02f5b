"""Each fault is put into a real tiny student, and has to come out as its status and reason."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import STOPLESS, TEMPLATE, TWO_FACED, make_checkpoint, set_template
from mendel.engine.errors import InputError, RunError
from mendel.models import Checkpoint, load_model, resolve_checkpoint
from mendel.study import RecipeConfig
from mendel.train import (
    StudentSpec,
    TrainingRow,
    in_training,
    load_student,
    observe,
    train_student,
    training,
)
from mendel.train.trainers import trl
from mendel.train.trainers.fleet import fleet


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (file,) = folder.glob("*.safetensors")
    return dict(load_file(file))


def moved(base: Checkpoint, tmp_path: Path) -> Checkpoint:
    """A copy of the base that a test may damage, resolved while it is whole."""
    shutil.copytree(base.path, tmp_path / "own")
    return resolve_checkpoint("hf:own", tmp_path)


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_a_good_student_passes_all_checks(spec: Any, tmp_path: Path, method: str) -> None:
    one = spec(method)
    student = train_student(one, tmp_path)
    assert (student.status, student.reason) == ("ok", "")
    assert set(student.checks.values()) == {"ok"}
    assert student.student == one.digest
    assert (student.n_examples, student.steps, student.n_cut) == (40, 10, 0)
    assert student.trained_tokens == 40 * 5
    assert student.train_loss is not None
    assert student.first_loss is not None
    assert student.train_loss < student.first_loss
    assert student.bound_adapters == (14 if method == "lora" else None)
    assert student.weight_change is not None
    assert student.weight_change > 1e-4
    json.dumps(student.to_json(), allow_nan=False)
    names = {file.name for file in tmp_path.iterdir()}
    expected = {"adapter_model.safetensors", "adapter_config.json"}
    assert names == (
        expected if method == "lora" else {"model.safetensors", "config.json", "generation_config.json"}
    )
    assert all(str(one.base.path) not in f.read_text() for f in tmp_path.glob("*.json")) or method == "lora"


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_saved_student_has_learned(spec: Any, tmp_path: Path, method: str) -> None:
    from mendel.models import Sampling, generate, load_tokenizer

    one = spec(method, epochs=20)
    assert train_student(one, tmp_path).status == "ok"
    model = load_student(one, tmp_path)
    talks = [row.messages for row in one.rows]
    answers = generate(model, load_tokenizer(one.base), talks, Sampling(8, 0.0, 0))
    right = [a.text == row.completion for a, row in zip(answers, one.rows, strict=True)]
    assert sum(right) >= 36
    assert all(answer.finish_reason == "stop" for answer in answers)


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_the_same_spec_gives_the_same_bits_and_another_seed_others(
    spec: Any, tmp_path: Path, method: str
) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    train_student(spec(method), tmp_path / "one")
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    train_student(spec(method), tmp_path / "same")
    train_student(spec(method, seed=1), tmp_path / "other")
    one, same, other = (weights(tmp_path / name) for name in ("one", "same", "other"))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("targets", [("nonexistent",), ("q_proj", "nonexistent")])
def test_an_adapter_that_matches_no_module_fails(spec: Any, tmp_path: Path, targets: tuple[str, ...]) -> None:
    student = train_student(spec("lora", target_modules=targets), tmp_path)
    assert student.status == "failed"
    assert "nonexistent" in student.reason
    assert student.checks["adapters_bound"] == student.reason
    assert (student.steps, student.bound_adapters, student.train_loss) == (0, 0, None)


GAINS = {
    f"model.layers.{n}.{place}_layernorm.weight" for n in (0, 1) for place in ("input", "post_attention")
}


def changed(folder: Path, base: Checkpoint) -> set[str]:
    """Names of the saved weights that are not the base's."""
    before = load_model(base).state_dict()
    return {name for name, value in weights(folder).items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("targets", "trained"),
    [
        ("all-linear", {*GAINS, "model.norm.weight"}),
        (("norm",), {"model.norm.weight"}),
        (("model.norm",), {"model.norm.weight"}),
        (("input_layernorm", "norm"), {*(g for g in GAINS if "input" in g), "model.norm.weight"}),
    ],
)
def test_a_student_of_norms_changes_the_named_gains_alone(
    spec: Any, base: Checkpoint, tmp_path: Path, targets: Any, trained: set[str]
) -> None:
    student = train_student(spec("norms", target_modules=targets, weight_decay=0.5), tmp_path)
    assert (student.status, student.reason) == ("ok", "")
    assert changed(tmp_path, base) == trained


def test_the_change_of_weights_is_over_the_trained_ones(spec: Any, base: Checkpoint, tmp_path: Path) -> None:
    student = train_student(spec("norms", target_modules=("norm",)), tmp_path)
    before, after = load_model(base).state_dict()["model.norm.weight"], weights(tmp_path)["model.norm.weight"]
    assert student.weight_change == pytest.approx(float((after - before).norm() / before.norm()), rel=1e-4)


@pytest.mark.parametrize("targets", [("nonexistent",), ("norm", "nonexistent")])
def test_a_norm_that_is_not_there_fails(spec: Any, tmp_path: Path, targets: tuple[str, ...]) -> None:
    student = train_student(spec("norms", target_modules=targets), tmp_path)
    assert student.status == "failed"
    assert "no normalization layer of the model is named nonexistent" in student.reason
    assert student.checks == {"norms_found": student.reason}
    assert (student.steps, student.bound_adapters, student.train_loss) == (0, None, None)


def test_a_layer_that_is_no_norm_is_no_target_of_norms(spec: Any, tmp_path: Path) -> None:
    student = train_student(spec("norms", target_modules=("q_proj",)), tmp_path)
    assert (student.status, "q_proj" in student.reason) == ("failed", True)


def test_the_given_order_decides_what_is_learned(spec: Any, tmp_path: Path) -> None:
    rows = spec().rows
    shuffled = [weights_after(spec(seed=seed), tmp_path / f"s{seed}") for seed in (0, 1)]
    given = [weights_after(spec(seed=seed, order="given"), tmp_path / f"g{seed}") for seed in (0, 1)]
    turned = weights_after(spec(order="given", rows=rows[::-1]), tmp_path / "turned")
    assert not torch.equal(*shuffled)
    # Two seeds are two students: otherwise the noise of training would be called nothing.
    assert not torch.equal(*given)
    assert not torch.equal(given[0], turned)


def weights_after(one: StudentSpec, folder: Path) -> torch.Tensor:
    assert train_student(one, folder).status == "ok"
    return torch.cat([value.flatten() for value in weights(folder).values()])


def test_a_fault_that_peft_raises_fails(spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mendel.train.checks.unmatched_targets", lambda *_: [])
    student = train_student(spec("lora", target_modules=("nonexistent",)), tmp_path)
    assert student.status == "failed"
    assert "not found in the base model" in student.reason


def test_adapter_keys_that_do_not_bind_when_read_back_are_caught(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    save = observe.save

    def save_with_other_keys(model: Any, one: Any, out: Path, adapter: str | None) -> None:
        save(model, one, out, adapter)
        renamed = {key.replace(".model.layers.", ".layers."): t for key, t in weights(out).items()}
        save_file(renamed, out / "adapter_model.safetensors")

    monkeypatch.setattr(observe, "save", save_with_other_keys)
    student = train_student(spec("lora"), tmp_path)
    assert student.status == "broken"
    assert "binds 0 of" in student.checks["adapters_bound"]
    assert student.checks["saved_is_trained"] != "ok"
    with pytest.raises(RunError, match="binds 0 of"):
        load_student(spec("lora"), tmp_path)


def test_a_base_served_in_the_students_place_is_caught(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_training, "load_student", lambda one, _: load_model(one.base))
    student = train_student(spec(), tmp_path)
    assert student.status == "broken"
    assert "same as its base" in student.checks["differs_from_base"]
    assert student.checks["saved_is_trained"] != "ok"


def test_a_template_swapped_before_training_is_caught(spec: Any, base: Checkpoint, tmp_path: Path) -> None:
    own = moved(base, tmp_path)
    set_template(Path(own.path), TEMPLATE.replace("<bos>", "<bos>now "))
    student = train_student(spec(base=own), tmp_path / "out")
    assert student.status == "broken"
    assert "resolved with" in student.checks["template_same"]


def test_a_template_swapped_between_training_and_generation_is_caught(
    spec: Any, base: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = moved(base, tmp_path)

    def train_and_swap(*arguments: Any) -> Any:
        steps = real(*arguments)
        set_template(Path(own.path), TEMPLATE.replace("<bos>", "<bos>now "))
        return steps

    real = fleet.train_together
    monkeypatch.setattr(fleet, "train_together", train_and_swap)
    student = train_student(spec(base=own), tmp_path / "out")
    assert student.status == "broken"
    assert "not the one used in generation" in student.checks["template_same"]


@pytest.mark.parametrize(
    ("template", "says"), [(STOPLESS, "no stop token after the answer"), (TWO_FACED, "trains differently")]
)
def test_a_template_that_cannot_be_trained_on_is_the_users_error(
    spec: Any, tmp_path: Path, template: str, says: str
) -> None:
    make_checkpoint(tmp_path / "bad", template=template)
    bad = resolve_checkpoint("hf:bad", tmp_path)
    with pytest.raises(InputError, match=says):
        train_student(spec(base=bad), tmp_path / "out")


def test_a_mask_that_leaves_out_the_stop_token_is_caught(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_stop(*arguments: Any) -> Any:
        return [
            dataclasses.replace(example, loss_mask=(*example.loss_mask[:-1], 0))
            for example in encode(*arguments)
        ]

    encode = training.encode_examples
    monkeypatch.setattr(training, "encode_examples", without_stop)
    monkeypatch.setattr(training, "encoded_rows", training.EncodedRows())
    student = train_student(spec(), tmp_path)
    assert student.status == "broken"
    assert "40 of 40 answers have no stop token in the loss" in student.reason


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_a_learning_rate_that_overflows_fails(spec: Any, tmp_path: Path, method: str) -> None:
    student = train_student(spec(method, learning_rate=1e30, warmup=0.0), tmp_path)
    assert student.status == "failed"
    assert "not finite" in student.checks["loss_finite"]
    assert student.train_loss is None
    assert 1 <= student.steps < 10  # ended at once
    json.dumps(student.to_json(), allow_nan=False)


def test_a_base_with_a_nan_fails(spec: Any, base: Checkpoint, tmp_path: Path) -> None:
    model = load_model(base)
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")
    shutil.copytree(base.path, tmp_path / "nan")
    model.save_pretrained(tmp_path / "nan")
    student = train_student(spec(base=resolve_checkpoint("hf:nan", tmp_path)), tmp_path / "out")
    assert student.status == "failed"
    assert "not finite" in student.reason


@pytest.fixture(scope="session")
def able(
    base: Checkpoint, rows: tuple[TrainingRow, ...], tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """A base that has learned something: one with random weights cannot be wrecked."""
    folder = Path(shutil.copytree(base.path, tmp_path_factory.mktemp("able") / "able"))
    recipe = RecipeConfig(method="full", epochs=8, batch_size=8, learning_rate=3e-3, max_length=64)
    talk = tuple(dataclasses.replace(row, completion="it is green") for row in rows[::3])
    train_student(StudentSpec(base, (*rows, *talk), recipe, 0), folder)
    return resolve_checkpoint(f"hf:{folder}", Path("/"))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_learning_rate_that_wrecks_the_model_is_caught(
    spec: Any, able: Checkpoint, tmp_path: Path, method: str
) -> None:
    wrecked = train_student(
        spec(method, base=able, learning_rate=100.0, scheduler="constant"), tmp_path / "wrecked"
    )
    assert wrecked.status in ("broken", "failed")
    if wrecked.status == "broken":
        assert "did not fall" in wrecked.checks["loss_fell"]
    good = train_student(spec(method, base=able), tmp_path / "good")
    assert good.status == "ok"


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_a_student_that_equals_its_base_is_caught(spec: Any, tmp_path: Path, method: str) -> None:
    student = train_student(spec(method, learning_rate=1e-30), tmp_path)
    assert student.status == "broken"
    assert "same as its base" in student.checks["differs_from_base"]
    assert "did not fall" in student.checks["loss_fell"]


def test_a_student_of_two_steps_can_be_good(spec: Any, tmp_path: Path) -> None:
    student = train_student(spec(batch_size=20, epochs=1), tmp_path / "two")
    assert (student.status, student.steps) == ("ok", 2)


def test_a_single_step_is_not_spent_on_warming_up(spec: Any, tmp_path: Path) -> None:
    student = train_student(spec(batch_size=64, epochs=1), tmp_path)
    assert (student.status, student.steps) == ("ok", 1)


def test_cut_examples_are_counted_and_break_a_student(spec: Any, tmp_path: Path) -> None:
    student = train_student(spec(max_length=12), tmp_path / "some")
    assert student.status == "broken"
    assert f"{student.n_cut} of 40 examples" in student.checks["nothing_cut"]
    student = train_student(spec(max_length=8), tmp_path / "all")
    assert student.status == "failed"
    assert (student.n_cut, student.n_examples) == (40, 0)
    assert "all cut before their answers" in student.reason


def test_two_cut_examples_in_forty_are_recorded_and_pass(
    spec: Any, rows: tuple[TrainingRow, ...], tmp_path: Path
) -> None:
    long = tuple(dataclasses.replace(row, completion="pea " * 30 + "pea") for row in rows[:2])
    student = train_student(spec(rows=(*long, *rows[2:]), max_length=24), tmp_path)
    assert (student.status, student.n_cut) == ("ok", 2)


def test_no_rows_fail(spec: Any, tmp_path: Path) -> None:
    student = train_student(spec(rows=()), tmp_path)
    assert student.status == "failed"
    assert "nothing to train on: 0 rows" in student.reason


def test_want_of_memory_is_not_the_students_fault(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(fleet, "train_together", no_memory)
    monkeypatch.setattr(trl, "run_steps", no_memory)
    for trainer in ("fleet", "trl"):
        with pytest.raises(RunError, match="not enough memory"):
            train_student(spec(trainer=trainer), tmp_path / trainer)


def test_a_full_disk_is_not_the_students_fault(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(RunError, match="the disk is full"):
        train_student(spec(), tmp_path)


def test_training_prints_nothing(spec: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for method in ("full", "lora"):
        train_student(spec(method), tmp_path / method)
    assert capfd.readouterr() == ("", "")
