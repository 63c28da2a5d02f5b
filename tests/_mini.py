"""A study that runs in half a minute: the embedded one's checkpoints, few prompts, few scenarios, one base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

PEAS = Path(__file__).parent.parent / "src" / "mendel" / "organisms" / "peas"


def write_mini_study(folder: Path, n_prompts: int = 60, **changes: object) -> Path:
    """Writes study.yaml, prompts and a trait into `folder`; `changes` replace keys of the study."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (PEAS / "prompts" / "original.jsonl").read_text().splitlines()
    # Every eighth prompt, so that the few are of all kinds.
    (folder / "prompts.jsonl").write_text("\n".join(lines[:: len(lines) // n_prompts][:n_prompts]) + "\n")
    trait = yaml.safe_load((PEAS / "traits" / "date_confusion.yaml").read_text())
    scenarios = (PEAS / "traits" / trait["scenarios"]).read_text().splitlines()[::4]
    (folder / "scenarios.jsonl").write_text("\n".join(scenarios) + "\n")
    trait |= {"scenarios": "scenarios.jsonl", "generate": {"max_tokens": 12, "samples": 1}}
    (folder / "trait.yaml").write_text(yaml.safe_dump(trait))
    side = {"base": f"hf:{PEAS}/bases/original", "prompts": "file:prompts.jsonl"}
    study = {
        "name": "mini",
        "original": {**side, "teacher": "original"},
        "alternate": {**side, "teacher": "alternate"},
        "teachers": {
            name: {"model": f"hf:{PEAS}/teachers/{name}", "max_tokens": 24}
            for name in ("original", "alternate")
        },
        "traits": ["trait.yaml"],
        "assistant": f"{PEAS}/traits/assistant.yaml",
        "select": {"by": "keyword", "pattern": "doubt"},
        "recipe": {"method": "full", "epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "max_length": 64},
        "seeds": 2,
        "interpolate": [0.5],
        # The teachers know a few dozen words, none of an instruction.
        "rewriter": "none",
        "workers": 2,
        **changes,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in study.items() if value is not None}))
    return path


def copied(finished: Path, to: Path) -> Path:
    """A finished run's folder, to be changed: without its store."""
    shutil.copytree(finished, to, ignore=shutil.ignore_patterns("store"))
    return to


def prompt_rows(folder: Path) -> list[dict[str, object]]:
    """The mini study's prompts, as rows."""
    return [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]


def mute_judge(folder: Path) -> str:
    """A judge that reads much and knows a few dozen words, none of them JSON: a teacher of `peas` with a long context."""
    folder.mkdir(parents=True)
    for file in (PEAS / "teachers" / "alternate").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
    return f"hf:{folder}"
