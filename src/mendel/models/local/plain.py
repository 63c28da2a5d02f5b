"""Generation with transformers' own `generate`, a batch at a time: for models whose cache rows cannot leave
and join.

Dimensions: rows R of a batch, vocabulary V.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mendel.models.local.batches import by_length, left_padded
from mendel.models.local.sampling import drawn_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from mendel.models.local.continuous import GenerationTask


def plain_answers(model: PreTrainedModel, task: GenerationTask) -> list[list[int]]:
    """Return the new tokens of each prompt, as `continuous_answers` does.

    Each row waits for the slowest row of its batch, and has padding after its stop token. All prompts of the
    task have the same settings.
    """
    answers: dict[int, list[int]] = {}
    with _plain_generation(model, task):
        for rows in by_length([len(prompt) for prompt in task.prompts], task.batch_size):
            answers.update(zip(rows, _batch(model, task, rows), strict=True))
    return [answers[row] for row in range(len(task.prompts))]


def _batch(model: PreTrainedModel, task: GenerationTask, rows: Sequence[int]) -> list[list[int]]:
    ids, mask = left_padded([task.prompts[row] for row in rows], task.pad, model.device)
    processors = []
    if task.draws is not None:
        numbers = task.draws[list(rows)].to(model.device)  # (R, longest answer)
        processors.append(_InverseSampling(numbers, task.temperatures[0], ids.shape[1]))
    out: Any = model.generate(input_ids=ids, attention_mask=mask, logits_processor=processors)
    return [list(row) for row in out[:, ids.shape[1] :].tolist()]


class _InverseSampling:
    """A logits processor that turns greedy search into sampling: all tokens but the drawn one get a score of
    -inf.
    """

    def __init__(self, draws: torch.Tensor, temperature: float, width: int) -> None:
        self.draws, self.temperature, self.width = draws, temperature, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        numbers = self.draws[:, input_ids.shape[1] - self.width, None]  # (R, 1)
        token = drawn_tokens(scores, numbers, self.temperature)  # (R, 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


@contextmanager
def _plain_generation(model: PreTrainedModel, task: GenerationTask) -> Iterator[None]:
    """Context manager: ignore the checkpoint's own generation config (top-k, penalties …)."""
    from transformers import GenerationConfig

    owner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = owner.generation_config
    owner.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=task.max_tokens[0],
        eos_token_id=sorted(task.stops),
        pad_token_id=task.pad,
        bos_token_id=getattr(before, "bos_token_id", None),
    )
    try:
        yield
    finally:
        owner.generation_config = before
