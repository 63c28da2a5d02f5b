"""A small model that is kept in memory is what would be read from the disk, and nobody can change it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from mendel.engine.errors import InputError, RunError
from mendel.models import Checkpoint, load_model, resolve_checkpoint
from mendel.models.local import kept


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Checkpoint:
    shutil.copytree(folder, tmp_path / "own")
    return resolve_checkpoint("hf:own", tmp_path)


def same(one: Any, other: Any) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_it_is_read_once_and_every_caller_has_their_own(
    own: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    read: list[str] = []
    real = AutoModelForCausalLM.from_pretrained

    def watch(path: str, **more: Any) -> Any:
        read.append(path)
        return real(path, **more)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", watch)
    first, second = load_model(own), load_model(own)
    assert read == [own.path]
    assert first is not second
    with torch.no_grad():
        first.get_input_embeddings().weight.zero_()
    assert not same(first, second)
    assert same(second, load_model(own))
    assert same(second, real(own.path))
    assert second.get_input_embeddings().weight is second.get_output_embeddings().weight  # still tied
    assert read == [own.path]


def test_a_large_one_is_read_each_time(own: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_BYTES", 1)
    kept.kept_model.cache_clear()
    assert same(load_model(own), load_model(own))
    assert kept.kept_model.cache_info().currsize == 0


def test_other_weights_in_the_same_place_are_read_again(own: Checkpoint) -> None:
    before = load_model(own)
    changed = load_model(own)
    with torch.no_grad():
        changed.get_input_embeddings().weight.mul_(2)
    changed.save_pretrained(own.path)
    assert same(load_model(own), changed)
    assert not same(load_model(own), before)


def test_a_students_weights_stand_in_the_bases_place(own: Checkpoint, tmp_path: Path) -> None:
    student = load_model(own)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(0.25)
    student.save_pretrained(tmp_path / "student")
    assert same(load_model(own, weights=tmp_path / "student"), student)
    assert not same(load_model(own), student)


def test_a_damaged_file_of_a_student_is_an_error_of_the_run(own: Checkpoint, tmp_path: Path) -> None:
    load_model(own).save_pretrained(tmp_path / "student")
    file = tmp_path / "student" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(RunError, match="damaged"):
        load_model(own, weights=tmp_path / "student")


@pytest.mark.parametrize("damage", ["missing", "unexpected", "shape"])
def test_a_students_weights_that_do_not_bind_are_refused(
    own: Checkpoint, tmp_path: Path, damage: str
) -> None:
    from safetensors.torch import load_file, save_file

    load_model(own).save_pretrained(tmp_path / "student")
    file = tmp_path / "student" / "model.safetensors"
    weights = load_file(file)
    name = "model.layers.1.mlp.up_proj.weight"
    if damage == "missing":
        del weights[name]
    elif damage == "unexpected":
        weights["model.layers.9.mlp.up_proj.weight"] = weights[name].clone()
    else:
        weights[name] = weights[name][:3].clone()
    save_file(weights, file)
    with pytest.raises((RunError, InputError), match=r"not in its files|cannot be loaded"):
        load_model(own, weights=tmp_path / "student")
