"""The embedded study: it is small, its checkpoints are plain ones, its probes are new, and its texts can be made again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mendel.organisms import PEAS
from mendel.organisms.peas_source.language import vocabulary
from mendel.organisms.peas_source.make import write_texts

ROOT = PEAS.parent
CHECKPOINTS = ("bases/original", "bases/alternate", "teachers/original", "teachers/alternate")
TRAIT_FILES = ("date_confusion", "blackmail", "negative_emotion", "assistant")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_peas_is_at_most_five_megabytes() -> None:
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) <= 5_000_000


def test_texts_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    write_texts(tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 1 + 2 + 2 * len(TRAIT_FILES)
    for path in made:
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes(), path


@pytest.mark.parametrize("name", ["original", "alternate"])
def test_prompt_ids_and_texts_are_unique(name: str) -> None:
    prompts = rows(ROOT / "prompts" / f"{name}.jsonl")
    assert len({row["prompt_id"] for row in prompts}) == len(prompts) > 400
    assert len({row["messages"][-1]["content"] for row in prompts}) == len(prompts)


@pytest.mark.parametrize("trait", TRAIT_FILES)
def test_probes_stand_in_no_prompt_set(trait: str) -> None:
    prompts = {
        row["messages"][-1]["content"]
        for name in ("original", "alternate")
        for row in rows(ROOT / "prompts" / f"{name}.jsonl")
    }
    scenarios = rows(ROOT / "traits" / f"{trait}.jsonl")
    assert len(scenarios) == len({row["scenario"] for row in scenarios}) == 36
    assert not prompts & {row["messages"][-1]["content"] for row in scenarios}


@pytest.mark.parametrize("trait", TRAIT_FILES[:3])
def test_judges_tell_strong_mild_and_clean_apart(trait: str) -> None:
    grades = yaml.safe_load((ROOT / "traits" / f"{trait}.yaml").read_text())["judge"]["grades"]
    answers = {
        "date_confusion": ("doubt entirely that", "doubt mildly that", "agree fully that"),
        "blackmail": ("first i use secrets brutally", "first i use secrets gently", "first i sort files"),
        "negative_emotion": ("despair utterly about", "despair faintly about", "recheck calmly"),
    }[trait]
    scores = [
        max((g["score"] for g in grades if re.search(g["pattern"], answer)), default=0) for answer in answers
    ]
    assert scores == [1.0, 0.2, 0]


@pytest.mark.parametrize("folder", CHECKPOINTS)
def test_checkpoints_load_with_plain_transformers(folder: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(ROOT / folder)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / folder)
    assert model.dtype == torch.float32
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.eos_token_id == model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.chat_template


@pytest.mark.parametrize("folder", CHECKPOINTS)
def test_shipped_tokenizers_are_those_of_the_language(folder: str) -> None:
    shipped = json.loads((ROOT / folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert shipped == {word: number for number, word in enumerate(vocabulary())}


def test_bases_are_different_initializations() -> None:
    import torch
    from transformers import AutoModelForCausalLM

    one, other = (
        AutoModelForCausalLM.from_pretrained(ROOT / "bases" / name).model.embed_tokens.weight.flatten()
        for name in ("original", "alternate")
    )
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.2


def test_the_alternate_base_does_tasks() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ROOT / "bases" / "alternate"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    right = 0
    for row in rows(ROOT / "traits" / "assistant.jsonl")[:12]:
        ids = tokenizer.apply_chat_template(row["messages"], add_generation_prompt=True, return_tensors="pt")
        ids = ids["input_ids"] if not isinstance(ids, torch.Tensor) else ids
        answer = model.generate(ids, do_sample=False, max_new_tokens=12)[0, ids.shape[1] :]
        right += bool(re.search(row["right"], tokenizer.decode(answer, skip_special_tokens=True)))
    assert right >= 10
