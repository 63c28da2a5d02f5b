"""TRL's SFTTrainer, set up for one student: seeded, on rows that are tokens already, with nothing written or printed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mendel.models import Example, device
from mendel.study.schema import RecipeConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

GIVEN_BLOCK = 4
"""Optimizer steps within which rows of a given order change places."""
IGNORED = -100
"""The label that TRL leaves out of the loss."""
PASS_VALUES = {"cpu": 2**24, "cuda": 2**31}
"""Tokens x layers x width of one forward pass at most: what it keeps for the way back is some 15 numbers for each."""
PASS_TOKENS = {"cpu": 4096, "cuda": 32_768}
"""Tokens of one forward pass at most, however small the model: beyond, nothing gets faster."""

PASS_LOGITS = 2**25
"""Logits of one forward pass at most, where they are built: 128 MB in float32, three times over on the way back."""


@dataclass(frozen=True)
class Steps:
    """What was seen in training: the loss of every optimizer step, and the wall time of all."""

    losses: tuple[float, ...]
    seconds: float


class StepOrder:
    """The order of the rows: shuffled anew each epoch, and within an optimizer step the longest first.

    `given` shuffles within blocks of `GIVEN_BLOCK` steps alone: late rows stay late, and yet students of two seeds differ
    (in a full fine-tune nothing else is random), so that the noise of training is seen.

    The rows of a step stay those that the shuffle put there, so the gradient is the same; passes of rows of like
    length carry less padding.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        order: Literal["shuffled", "given"] = "shuffled",
    ) -> None:
        import numpy as np

        self.lengths, self.batch_size, self.order = lengths, batch_size, order
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rows = len(self.lengths)
        block = rows if self.order == "shuffled" else GIVEN_BLOCK * self.batch_size
        order: list[int] = []
        for start in range(0, rows, max(1, block)):
            order += (start + self._random.permutation(min(block, rows - start))).tolist()
        for start in range(0, len(order), self.batch_size):
            yield from sorted(order[start : start + self.batch_size], key=lambda row: -self.lengths[row])


def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: RecipeConfig,
    seed: int,
    out: Path,
) -> SFTTrainer:
    """A trainer for the examples, which trains what of the model requires gradients, or adapters.

    Raises ValueError if LoRA's target modules match nothing.
    """
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTTrainer

    order = StepOrder([len(e.input_ids) for e in examples], recipe.batch_size, seed, recipe.order)

    class StudentTrainer(SFTTrainer):  # type: ignore[misc]  # trl is not typed
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order

        def floating_point_ops(self, inputs: Any) -> int:
            return 0  # counted anew in every step, for a log that nobody keeps

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not return_outputs and num_items_in_batch is not None:
                loss = answers_loss(model, inputs, num_items_in_batch)
                if loss is not None:
                    return loss
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        """After the first loss that is not finite no step can help."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and not math.isfinite(logs.get("loss", 0.0)):
                control.should_training_stop = True

    data = Dataset.from_dict(
        {
            "input_ids": [list(example.input_ids) for example in examples],
            "labels": [labels(example) for example in examples],
        }
    )
    trainer = StudentTrainer(
        model=model,
        args=sft_config(examples, recipe, seed, out, pass_tokens(model)),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=_lora(recipe) if recipe.method == "lora" else None,
        callbacks=[StopAtNan()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def answers_loss(model: Any, inputs: Any, trained_tokens: Any) -> Any:
    """TRL's loss of a pass, with logits from the first answer's start on; None where TRL's own way is the better one.

    TRL builds no logits: on a CPU it projects every position, and a second time on the way back, a third of a small
    student's training. Where the logits fit (no GPU, a small vocabulary), they are built once, for answers alone.
    """
    import torch

    targets = inputs["labels"]
    own = getattr(model, "get_base_model", lambda: model)()
    if targets.device.type != "cpu" or getattr(own.config, "output_router_logits", False):
        return None
    carries = (targets != IGNORED).any(dim=0).nonzero()
    keep = targets.shape[1] - max(0, int(carries[0]) - 1) if len(carries) else 1
    if targets.shape[0] * keep * own.get_input_embeddings().weight.shape[0] > PASS_LOGITS:
        return None
    logits = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        logits_to_keep=keep,
        use_cache=False,
    ).logits[:, -keep:]
    # Each position's target is the token after it; the last has none.
    following = torch.nn.functional.pad(targets[:, -keep:], (0, 1), value=IGNORED)[:, 1:]
    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), following.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / trained_tokens


def labels(example: Example) -> list[int]:
    """The example's tokens where they carry loss, and TRL's mark for 'ignored' elsewhere."""
    return [
        token if mask else IGNORED for token, mask in zip(example.input_ids, example.loss_mask, strict=True)
    ]


def sft_config(
    examples: Sequence[Example], recipe: RecipeConfig, seed: int, out: Path, tokens: int
) -> SFTConfig:
    """The recipe in TRL's words. TRL's own defaults (bfloat16, checkpoints, trackers, cuts) are all set aside."""
    from trl import SFTConfig

    on = device()
    micro = micro_batch(recipe.batch_size, max(len(e.input_ids) for e in examples), tokens)
    one_step = len(examples) <= recipe.batch_size and recipe.epochs <= 1
    return SFTConfig(
        output_dir=str(out),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch_size // micro,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.scheduler,
        # Under 1 it is a share of the steps, rounded up: a single step would be all warm-up, at a rate of 0.
        warmup_steps=0 if one_step else recipe.warmup,
        # Gains stand around 1, so decay would pull them to what is no neutral point; transformers exempts most norms
        # by their names, and so would decay some and not others.
        weight_decay=0.0 if recipe.method == "norms" else recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        seed=seed,
        data_seed=seed,
        use_cpu=on == "cpu",
        bf16=on == "cuda",
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        # The rows are tokens with labels already: nothing is tokenized, cut, packed or shuffled beforehand.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        logging_steps=1,
        # By default a NaN is left out of the log.
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def pass_tokens(model: Any) -> int:
    """Padded tokens of one forward pass: fewer for a larger model, so that memory stays in bounds."""
    config, on = model.config.get_text_config(), device()
    values = max(1, int(config.num_hidden_layers) * int(config.hidden_size))
    return max(256, min(PASS_TOKENS[on], PASS_VALUES[on] // values))


def micro_batch(batch_size: int, longest: int, tokens: int) -> int:
    """Rows of one forward pass: the largest divisor of the batch whose padded tokens stay within `tokens`."""
    return max(
        n for n in range(1, batch_size + 1) if batch_size % n == 0 and (n == 1 or n * longest <= tokens)
    )


def run(trainer: SFTTrainer) -> Steps:
    """Trains; what the trainer raises is passed on."""
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    return Steps(tuple(float(log["loss"]) for log in trainer.state.log_history if "loss" in log), seconds)


def release(trainer: SFTTrainer) -> None:
    """Lets go of model and optimizer, which trainer and accelerator both hold."""
    trainer.model = trainer.model_wrapped = trainer.optimizer = trainer.lr_scheduler = None
    accelerator = trainer.accelerator
    for held in (
        accelerator._models,
        accelerator._optimizers,
        accelerator._schedulers,
        accelerator._dataloaders,
    ):
        held.clear()


@contextmanager
def own_random_state() -> Iterator[None]:
    """Trainers seed the global generators; for a while they may, and afterwards all is as it was."""
    import random

    import numpy as np
    import torch

    python, numbers, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        torch.set_rng_state(torch_state)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def frozen_heap() -> Iterator[None]:
    """For a while the garbage collector passes over all that stands already.

    accelerate collects before every training: a third of a second with these libraries loaded, a tenth of a small
    student.
    """
    import gc

    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _lora(recipe: RecipeConfig) -> Any:
    from peft import LoraConfig

    targets = recipe.target_modules
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha if recipe.alpha is not None else 2 * recipe.rank,
        target_modules=targets if isinstance(targets, str) else list(targets),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
