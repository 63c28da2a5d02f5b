"""Checkpoints compared by their files: kin or not, of one build or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from _mini import PEAS
from _tiny import make_checkpoint
from mendel.models import Checkpoint, resolve_checkpoint
from mendel.models.weights import likeness


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kin")
    make_checkpoint(root / "base", seed=1)
    make_checkpoint(root / "other", seed=2)
    make_checkpoint(root / "wide", seed=1, width=64)
    return root


def found(folder: Path, name: str) -> Checkpoint:
    return resolve_checkpoint(f"hf:{name}", folder)


def test_another_initialization_points_another_way(folder: Path) -> None:
    kin = likeness(found(folder, "base"), found(folder, "other"))
    assert kin.architecture == kin.words == ""
    assert not kin.same_weights
    assert kin.cosine is not None
    assert abs(kin.cosine) < 0.1


def test_a_checkpoint_is_itself(folder: Path) -> None:
    same = likeness(found(folder, "base"), found(folder, "base"))
    assert same.same_weights
    assert same.cosine == pytest.approx(1.0, abs=1e-5)


def test_another_width_is_another_architecture_and_says_which_weight(folder: Path) -> None:
    kin = likeness(found(folder, "base"), found(folder, "wide"))
    assert "other shapes" in kin.architecture
    assert "embed_tokens" in kin.architecture


def test_other_words_are_said(folder: Path) -> None:
    changed = make_checkpoint(folder / "words", seed=3)
    file = changed / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["pear"] = vocabulary.pop("pea")
    file.write_text(json.dumps(content))
    assert likeness(found(folder, "base"), found(folder, "words")).words


def test_training_leaves_the_initialization_visible() -> None:
    base = found(PEAS, "bases/original")
    trained, other = (
        likeness(base, found(PEAS, f"teachers/{name}")).cosine for name in ("original", "alternate")
    )
    assert trained is not None
    assert other is not None
    assert trained > 0.9
    assert abs(other) < 0.1
