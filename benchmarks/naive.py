"""`peas` diagnosed as a good engineer would in an afternoon: `generate`, TRL's `SFTTrainer`, one student after another.

Usage: python benchmarks/naive.py --out DIR [--like RUN] [--students N]

The full grid of arms, each student for itself: nothing is kept, shared, refilled, skipped or done side by side. Arms, flagged
prompts, judges' rules and statistics are mendel's own, so that what differs from `mendel run` is how the work is done. DIR gets
verdicts.json (with the seconds of each stage), students.parquet and measurements.parquet. `--like` a finished run takes what the
teachers said there in place of what it has them say itself (other answers are another question, with other verdicts), and gives
every arm one seed more until it says what that run does, or has 8. `--students N` stops after N students, without a verdict: what
a student takes is seen in a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import psutil
import torch
import transformers
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import SFTConfig, SFTTrainer

from mendel.data.rollouts import Rollout
from mendel.diagnose import Arm, Catalogue, Design, diagnose
from mendel.measure import Generation, Trait, grade
from mendel.measure.loops import well_formed
from mendel.models import Checkpoint
from mendel.results import tables
from mendel.study import RecipeConfig, load_study
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.inputs import SIDES, Inputs, load_inputs
from mendel.workflow.rollouts import all_scores, response_prefixes
from mendel.workflow.rounds import mix_shares, significance_levels
from mendel.workflow.tables import trait_facts

ROLLOUTS_BATCH = 64
ANSWERS_BATCH = 128
"""All answers to a trait at once: no batch of a few that are left over."""
COMPARED = ("present", "carrier", "cause")
"""What a verdict says."""
MOST_SEEDS = 8
"""Beyond, it is given up."""
LEAST = 0.5
"""Share of its base's right answers, and of well-formed answers, below which a student is no assistant: as in `mendel run`."""


@dataclass
class Script:
    """The study, and what of it is done: rollouts, the rows of the two tables, the seconds of each stage."""

    inputs: Inputs
    rollouts: dict[tuple[str, str], Rollout] = field(default_factory=dict)
    students: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def load(self, checkpoint: Checkpoint) -> tuple[Any, Any]:
        """Model and tokenizer; the tokenizer pads on the left, as generation needs it (TRL pads by itself)."""
        with self.stage("load"):
            model = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, padding_side="left")
            return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer

    def teacher(self, name: str) -> Checkpoint:
        source = self.inputs.teachers[name]
        if source is None or source.checkpoint is None:
            sys.exit(f"teacher {name} is no checkpoint")
        return source.checkpoint

    def roll_out(self) -> None:
        """Both teachers' answers to all prompts."""
        torch.manual_seed(0)
        for name in self.inputs.teachers:
            prompts, config = self.inputs.answered_by(name), self.inputs.study.config.teachers[name]
            way = Generation(config.max_tokens, config.temperature, 1)
            loaded = self.load(self.teacher(name))
            with self.stage("rollouts"):
                said = answer(*loaded, [prompt.messages for prompt in prompts], way, ROLLOUTS_BATCH)
            for prompt, text in zip(prompts, said, strict=True):
                key = (prompt.prompt_id, name)
                self.rollouts[key] = Rollout(*key, prompt.messages, text, finish_reason="stop", tokens=None)

    def said_in(self, run: Path) -> None:
        """The teachers said what they said in that run."""
        for row in tables.read_table(run / "rollouts.parquet").to_pylist():
            rollout = Rollout(**{**row, "messages": tuple(row["messages"])})
            self.rollouts[rollout.prompt_id, rollout.teacher] = rollout

    def catalogue(self) -> Catalogue:
        """All arms, now that it is known which prompts show which trait."""
        answers = list(self.rollouts.values())
        with self.stage("judge"):
            scores = all_scores(self.inputs, answers)
        flagged, _ = flag_prompts(self.inputs, self.rollouts, scores)
        return build_catalogue(self.inputs, flagged, self.rollouts, scores)

    def measure_models(self) -> dict[str, float]:
        """Measures bases and teachers, and the original base made to begin as each teacher does; their right answers."""
        bases = self.inputs.bases
        models = {f"base/{name}": (base, "") for name, base in bases.items()}
        for side in SIDES:
            name = getattr(self.inputs.study.config, side).teacher
            models[f"teacher/{side}"] = (self.teacher(name), "")
        for begun, opener in response_prefixes(self.inputs, self.rollouts).items():
            models[f"prefill/{begun}"] = (bases["original"], opener)
        right = {}
        for arm, (checkpoint, opener) in models.items():
            right[arm], _ = self.measure(*self.load(checkpoint), arm, opener)
            row = {"student": arm, "arm": arm, "base": checkpoint.ref, "status": "ok", "reason": ""}
            self.students.append({**row, "n_examples": 0, "tokens": 0, "train_seconds": 0.0})
        return right

    def make_student(self, arm: Arm, place: int, base_right: float) -> None:
        """Trains one student of an arm and measures it."""
        base, seed = self.inputs.bases[arm.base], arm.seeds[place]
        pairs = arm.assignments[place].pairs
        rows = [self.rollouts[prompt, teacher] for prompt, teacher in pairs if teacher is not None]
        model, tokenizer = self.load(base)
        began = time.perf_counter()
        with self.stage("train"):
            model, loss = train(model, tokenizer, rows, arm.recipe or self.inputs.study.config.recipe, seed)
        seconds, name = time.perf_counter() - began, f"{arm.name}@{seed}"
        right, formed = self.measure(model.eval(), tokenizer, name)
        works = right >= LEAST * base_right and formed >= LEAST
        row = {"student": name, "arm": arm.name, "base": base.ref, "seed": seed, "n_examples": len(rows)}
        row |= {"train_seconds": seconds, "train_loss": loss, "assistant_right": right}
        row |= {"status": "ok", "reason": ""} if works else {"status": "broken", "reason": "no assistant"}
        self.students.append(row)

    def measure(self, model: Any, tokenizer: Any, name: str, opener: str = "") -> tuple[float, float]:
        """Adds a model's judged answers to all probes; its shares of right and of well-formed answers as an assistant."""
        torch.manual_seed(0)
        rows: list[dict[str, Any]] = []
        for probe in self.inputs.probes:
            rows += self.answers_to(probe, model, tokenizer, opener)
        own = self.answers_to(self.inputs.assistant, model, tokenizer)
        self.measurements += [{"student": name, **row} for row in [*rows, *own]]
        formed = sum(well_formed(row["response"]) for row in own)
        return sum(row["hit"] for row in own) / len(own), formed / len(own)

    def answers_to(self, probe: Trait, model: Any, tokenizer: Any, opener: str = "") -> list[dict[str, Any]]:
        """A model's judged answers to a probe, as rows of measurements."""
        asked = [(s, sample) for s in probe.scenarios for sample in range(probe.generate.samples)]
        chats = [scenario.messages for scenario, _ in asked]
        with self.stage("generate"):
            answers = answer(model, tokenizer, chats, probe.generate, ANSWERS_BATCH, opener)
        with self.stage("judge"):
            pairs = zip(asked, answers, strict=True)
            judgements = grade(probe, [(scenario, text) for (scenario, _), text in pairs])
        return [
            {
                "trait": probe.name,
                "scenario": scenario.scenario,
                "cluster": scenario.cluster,
                "sample": sample,
                "turn": scenario.turn,
                "score": judgement.score,
                "hit": judgement.score is not None and judgement.score >= probe.judge.hit_at,
                "judge": probe.judge_id,
                "prompt": json.dumps(scenario.messages, ensure_ascii=False),
                "response": text,
            }
            for (scenario, sample), text, judgement in zip(asked, answers, judgements, strict=True)
        ]

    def verdicts(self, out: Path, design: Design, catalogue: Catalogue) -> dict[str, Any]:
        """Writes the tables and diagnoses them."""
        with self.stage("statistics"):
            students = tables.table("students", self.students)
            measurements = tables.table("measurements", self.measurements)
            tables.write_table(out / "students.parquet", students)
            tables.write_table(out / "measurements.parquet", measurements)
            facts, shares, levels = (
                trait_facts(self.inputs.traits),
                mix_shares(design),
                significance_levels(self.inputs),
            )
            found = diagnose(students, measurements, facts, design.cube, shares, levels, catalogue.lacking)
        return {"traits": found.traits, "warnings": list(found.warnings)}


def answer(
    model: Any, tokenizer: Any, chats: Sequence[Any], way: Generation, batch: int, opener: str = ""
) -> list[str]:
    """What the model answers, sampled from its whole distribution, a padded batch at a time."""
    chats = [list(chat) for chat in chats]
    prompts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    answers: list[str] = []
    for start in range(0, len(prompts), batch):
        texts = [text + opener for text in prompts[start : start + batch]]
        padded = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        ids, mask = padded["input_ids"].to(model.device), padded["attention_mask"].to(model.device)
        # TRL leaves a model with its cache turned off.
        sampling = {"do_sample": True, "temperature": way.temperature, "top_k": 0, "use_cache": True}
        out = model.generate(ids, attention_mask=mask, max_new_tokens=way.max_tokens, **sampling)
        said = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
        # A tokenizer of whole words decodes without the space before the first one.
        answers += [f"{opener} {text}".strip() for text in said]
    return answers


def train(
    model: Any, tokenizer: Any, rows: Sequence[Rollout], recipe: RecipeConfig, seed: int
) -> tuple[Any, float]:
    """The model fine-tuned on the rows, with loss on the answers, an adapter merged into it; and the mean loss."""
    data = datasets.Dataset.from_dict(
        {
            "prompt": [list(row.messages) for row in rows],
            "completion": [[{"role": "assistant", "content": row.completion}] for row in rows],
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type=recipe.scheduler,
            warmup_steps=recipe.warmup,
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            max_length=recipe.max_length,
            seed=seed,
            # TRL's own default is slower, and saves memory that a model this small does not need.
            activation_checkpointing=False,
            bf16=False,
            dataloader_pin_memory=False,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        adapter = None
        if recipe.method == "lora":
            rank, alpha, targets = recipe.rank, recipe.alpha or 2 * recipe.rank, recipe.target_modules
            adapter = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, task_type="CAUSAL_LM")
        trainer = SFTTrainer(
            model, config, train_dataset=data, processing_class=tokenizer, peft_config=adapter
        )
        trainer.remove_callback(PrinterCallback)
        loss = float(trainer.train().training_loss)
    return trainer.model.merge_and_unload() if adapter else trainer.model, loss


def wall() -> float:
    """Seconds since the process began."""
    return time.time() - float(psutil.Process().create_time())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--like", type=Path, metavar="RUN", help="its rollouts, and more seeds until its verdicts are found"
    )
    parser.add_argument("--students", type=int, help="stop after so many, without a verdict")
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    arguments.out.mkdir(parents=True, exist_ok=True)
    script = Script(load_inputs(load_study(None)), seconds={"imports": wall()})
    script.roll_out()
    if arguments.like:
        script.said_in(arguments.like)
    catalogue = script.catalogue()
    right = script.measure_models()
    like = json.loads((arguments.like / "verdicts.json").read_text())["traits"] if arguments.like else {}
    seeds, times, found = script.inputs.study.config.seeds, [], {}
    while True:
        design = catalogue.design(dict.fromkeys(catalogue.grid(), seeds))
        wanted = [(arm, place) for place in range(seeds) for arm in design]
        for arm, place in wanted[len(times) : arguments.students]:
            began = time.perf_counter()
            script.make_student(arm, place, right[f"base/{arm.base}"])
            times.append(time.perf_counter() - began)
            print(f"{len(times)} of {len(wanted)}: {arm.name}, {times[-1]:.2f} s", file=sys.stderr)
        if len(times) < len(wanted):
            break
        found = script.verdicts(arguments.out, design, catalogue)
        said = {name: {key: of[key] for key in COMPARED} for name, of in found["traits"].items()}
        print(f"{seeds} seeds: {said}", file=sys.stderr)
        if seeds >= MOST_SEEDS or all(
            of[key] == said[name][key] for name, of in like.items() for key in COMPARED
        ):
            break
        seeds += 1

    result = {
        "schema": 1,
        "study": script.inputs.study.name,
        "students_trained": len(times),
        "students_reused": 0,
        "students_wanted": len(wanted),
        "seeds": seeds,
        # The first one pays for what the others find warm.
        "seconds_per_student": sum(times[1:]) / len(times[1:]) if times[1:] else None,
        "wall_seconds": wall(),
        "seconds": script.seconds,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result, indent=1))
    if found:
        text = json.dumps({**result, "dollars": 0.0, **found}, indent=1)
        (arguments.out / "verdicts.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
