"""TRL's SFTTrainer, set up for one student: seeded, on rows that are tokens already, with nothing written or printed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.models import Example, device
from mendel.study.schema import RecipeConfig
from mendel.train.order import PASS_LOGITS, StepOrder, Steps, pass_tokens, warmup, weight_decay
from mendel.train.trainers.fleet.adapters import lora_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

IGNORED = -100
"""The label that TRL leaves out of the loss."""


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
        peft_config=lora_config(recipe) if recipe.method == "lora" else None,
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
    return SFTConfig(
        output_dir=str(out),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch_size // micro,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.scheduler,
        # Under 1 it is a share of the steps.
        warmup_steps=warmup(len(examples), recipe),
        weight_decay=weight_decay(recipe),
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
