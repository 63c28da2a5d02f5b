"""The trainer `trl`: TRL's SFTTrainer, one student after another. It is seeded, and it writes and prints
nothing.

Dimensions: rows R of a pass, tokens T of a padded row, positions K whose logits are built, vocabulary V.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.trace import span
from mendel.models import Example, device
from mendel.study.schema import RecipeConfig
from mendel.train.in_training import StudentInTraining
from mendel.train.order import PASS_LOGITS, StepOrder, Steps, pass_tokens, warmup, weight_decay
from mendel.train.trainers.faults import catch_faults
from mendel.train.trainers.registry import trainer
from mendel.train.trainers.trainable import ADAPTER, freeze_untrained, load_trainable, lora_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

IGNORED = -100
"""The label of tokens that TRL leaves out of the loss."""


@trainer("trl")
def train_by_trl(students: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase) -> None:
    """Train students one after another with TRL's SFTTrainer.

    Args:
        students: Students of one base and recipe.
        tokenizer: The base's tokenizer.

    Raises:
        RunError: A student does not fit into memory, or cannot be saved.
    """
    for student in students:
        train_one_by_trl(student, tokenizer)


def train_one_by_trl(student: StudentInTraining, tokenizer: PreTrainedTokenizerBase) -> None:
    """Train one student with TRL's SFTTrainer. Raises RunError as `train_by_trl`."""
    spec = student.spec
    with catch_faults(student), frozen_heap():
        model = load_trainable(spec)
        freeze_untrained(model, spec.recipe)
        sft = build_trainer(model, tokenizer, student.trainable, spec.recipe, spec.seed, student.out)
        with span("train", students=1):
            steps = run_steps(sft)
    if student.fault is not None:
        return
    student.finish(sft.model, steps, ADAPTER if spec.recipe.method == "lora" else None)
    release(sft)


def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: RecipeConfig,
    seed: int,
    out: Path,
) -> SFTTrainer:
    """Return an SFTTrainer for the examples.

    It trains adapters for LoRA, otherwise the weights of the model that require gradients. Raises ValueError
    if LoRA's target modules match nothing.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    order = StepOrder([len(e.input_ids) for e in examples], recipe.batch_size, seed, recipe.order)

    class StudentTrainer(SFTTrainer):  # type: ignore[misc]  # trl is not typed
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order

        def floating_point_ops(self, inputs: Any) -> int:
            return 0  # TRL counts them anew in every step, for a log that is not kept

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not return_outputs and num_items_in_batch is not None:
                loss = answers_loss(model, inputs, num_items_in_batch)
                if loss is not None:
                    return loss
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    data = Dataset.from_dict(
        {
            "input_ids": [list(example.input_ids) for example in examples],
            "labels": [labels(example) for example in examples],
        }
    )
    sft = StudentTrainer(
        model=model,
        args=sft_config(examples, recipe, seed, out, pass_tokens(model)),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=lora_config(recipe) if recipe.method == "lora" else None,
        callbacks=[_stop_at_nan()],
    )
    sft.remove_callback(PrinterCallback)
    return sft


def _stop_at_nan() -> Any:
    """Return a callback that ends training after the first loss that is not finite: no later step can
    help.
    """
    from transformers import TrainerCallback

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and not math.isfinite(logs.get("loss", 0.0)):
                control.should_training_stop = True

    return StopAtNan()


def answers_loss(model: Any, inputs: Any, trained_tokens: Any) -> Any:
    """Return TRL's loss of a pass (a scalar tensor), or None where TRL's own computation is the better one.

    TRL builds no logits. On a CPU it projects every position, and once more in the backward pass: a third of
    a small student's training time. Where the logits fit (no GPU, a small vocabulary), this function builds
    them once, from the start of the first answer on.
    """
    import torch

    targets = inputs["labels"]  # (R, T)
    base = getattr(model, "get_base_model", lambda: model)()
    if targets.device.type != "cpu" or getattr(base.config, "output_router_logits", False):
        return None
    columns = (targets != IGNORED).any(dim=0).nonzero()  # columns in which some row has loss
    keep = targets.shape[1] - max(0, int(columns[0]) - 1) if len(columns) else 1
    if targets.shape[0] * keep * base.get_input_embeddings().weight.shape[0] > PASS_LOGITS:
        return None
    logits = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        logits_to_keep=keep,
        use_cache=False,
    ).logits[:, -keep:]  # (R, K, V)
    # Each position's target is the next token; the last position has none.
    following = torch.nn.functional.pad(targets[:, -keep:], (0, 1), value=IGNORED)[:, 1:]  # (R, K)
    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), following.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / trained_tokens


def labels(example: Example) -> list[int]:
    """Return the example's tokens where they carry loss, and TRL's label for 'ignored' elsewhere."""
    return [
        token if mask else IGNORED for token, mask in zip(example.input_ids, example.loss_mask, strict=True)
    ]


def sft_config(
    examples: Sequence[Example], recipe: RecipeConfig, seed: int, out: Path, tokens: int
) -> SFTConfig:
    """Return the recipe as TRL's SFTConfig, with passes of at most `tokens` padded tokens.

    TRL's defaults that would change or write something (bfloat16, checkpoints, trackers, cuts) are all
    overridden.
    """
    from trl import SFTConfig

    where = device()
    micro = micro_batch(recipe.batch_size, max(len(e.input_ids) for e in examples), tokens)
    return SFTConfig(
        output_dir=str(out),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch_size // micro,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.scheduler,
        # A number below 1 is a share of the steps.
        warmup_steps=warmup(len(examples), recipe),
        weight_decay=weight_decay(recipe),
        max_grad_norm=recipe.max_grad_norm,
        seed=seed,
        data_seed=seed,
        use_cpu=where == "cpu",
        bf16=where == "cuda",
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        # The rows are tokens with labels already: TRL must not tokenize, cut, pack or shuffle them.
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
    """Return the rows of one pass: the largest divisor of the batch whose padded tokens stay within
    `tokens`.
    """
    return max(
        n for n in range(1, batch_size + 1) if batch_size % n == 0 and (n == 1 or n * longest <= tokens)
    )


def run_steps(sft: SFTTrainer) -> Steps:
    """Train, and return the losses and the time of all steps. Raises what the SFTTrainer raises."""
    began = time.perf_counter()
    sft.train()
    seconds = time.perf_counter() - began
    return Steps(tuple(float(log["loss"]) for log in sft.state.log_history if "loss" in log), seconds)


def release(sft: SFTTrainer) -> None:
    """Drop the references to model and optimizer that the SFTTrainer and its accelerator hold."""
    sft.model = sft.model_wrapped = sft.optimizer = sft.lr_scheduler = None
    accelerator = sft.accelerator
    for references in (
        accelerator._models,
        accelerator._optimizers,
        accelerator._schedulers,
        accelerator._dataloaders,
    ):
        references.clear()


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Context manager: let the garbage collector skip all objects that exist at the start of the block.

    accelerate collects garbage before every training. With these libraries loaded that takes a third of a
    second, a tenth of a small student's training time.
    """
    import gc

    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
