"""Continuous batching: a finished row leaves the batch at once, and waiting prompts take its place.

transformers' own (`generate_batch`, 5.23) takes no random number for each row, reseeds the global generator,
and was slower on a CPU than plain batches (SmolLM2-135M, 32 prompts: 26 s to 51 s against 23 s).
`benchmarks/generation.py` compares this module with plain batches.

Dimensions: rows R of the batch, new tokens N that are read, columns C of the cache, vocabulary V, heads H,
head size D.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.models.local.batches import left_padded
from mendel.models.local.sampling import drawn_tokens

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel

    from mendel.models.local.stacks import Routing

WORTH = 16
"""Tokens that prompts must share at least for the shared part to be read once: that takes a pass of its
own."""
APART = 256
"""Tokens that reading a shared beginning once must save for a group of prompts to be read apart from the
others."""
REFILL = 4
"""Prompts are read when one row in so many is free: a few at a time are read faster than one by one."""


@dataclass(frozen=True)
class GenerationTask:
    """What is to be answered, and how, as tokens."""

    prompts: Sequence[Sequence[int]]
    stops: frozenset[int]
    """Tokens that end an answer."""
    pad: int
    """The token for padding."""
    batch_size: int
    """Rows at most."""
    max_tokens: Sequence[int]
    """Tokens of each prompt's answer at most."""
    temperatures: Sequence[float]
    """Of each prompt's answer; 0 takes the likeliest token."""
    draws: torch.Tensor | None
    """Uniform numbers (prompts, longest answer) on the CPU; None if all answers are greedy."""
    adapters: Sequence[str] | None = None
    """The adapter that answers each prompt, where the model holds several."""
    routing: Routing | None = None
    """How tokens get to the adapters; None: through peft's mixed batches."""


def can_refill(model: PreTrainedModel) -> bool:
    """Return whether rows of the model's cache can leave and join: it holds one key and one value a token,
    and nothing else.

    A recurrent state (as in Mamba) cannot be padded, and a learned prompt has no place in the token list.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    adapters = getattr(model, "peft_config", None) or {}
    if any(getattr(adapter, "is_prompt_learning", False) for adapter in adapters.values()):
        return False
    takes = inspect.signature(inner.forward).parameters.keys()
    if inner._is_stateful or not {"position_ids", "past_key_values", "logits_to_keep"} <= takes:
        return False
    layers = DynamicCache(config=inner.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def continuous_answers(model: PreTrainedModel, task: GenerationTask) -> list[list[int]]:
    """Return the new tokens of each prompt, with the stop token, by a model that `can_refill`.

    The cache never holds more than `batch_size` rows, nor more columns than its longest row needs.
    """
    answers: list[list[int]] = [[] for _ in task.prompts]
    # The longest first: a lack of memory shows at once, and prompts that are read together have similar
    # lengths.
    waiting = deque(sorted(range(len(answers)), key=lambda row: -len(task.prompts[row])))
    batch = RowBatch(model, task, answers)
    while waiting or batch.rows:
        free = task.batch_size - len(batch.rows)
        if waiting and (not batch.rows or free * REFILL >= task.batch_size):
            batch.read([waiting.popleft() for _ in range(min(free, len(waiting)))])
        else:
            batch.step()
        batch.drop_finished()
    return answers


class RowBatch:
    """The rows that are being answered, and their cache. Each row ends in the last column, with padding
    before it.

    A cache column holds every token that was read, also for layers with a sliding window: the mask alone says
    how far a token sees.
    """

    def __init__(self, model: PreTrainedModel, task: GenerationTask, answers: list[list[int]]) -> None:
        self.model, self.task, self.answers = model, task, answers
        self.rows: list[int] = []
        self.cache: DynamicCache | None = None

    def read(self, rows: list[int]) -> None:
        """Read new prompts, and give each row its first token. Equal prompts, and shared beginnings, are read
        once.
        """
        for group in self.groups(rows):
            self.read_group(group)

    def groups(self, rows: list[int]) -> list[list[int]]:
        """Return the rows in groups that are read together.

        All rows are one group, but rows that share a beginning form a group if that saves `APART` tokens.
        """
        by_start: dict[tuple[int, ...], list[int]] = {}
        for row in rows:
            by_start.setdefault(tuple(self.task.prompts[row][:WORTH]), []).append(row)
        if len(by_start) == 1:
            return [rows]
        apart, rest = [], []
        for group in by_start.values():
            # Equal prompts are read once in any case.
            different = list(dict.fromkeys(tuple(self.task.prompts[row]) for row in group))
            saved = (len(different) - 1) * self.shared_tokens(different)
            if saved >= APART:
                apart.append(group)
            else:
                rest += group
        return [*apart, rest] if rest else apart

    def read_group(self, rows: list[int]) -> None:
        """Read the rows' prompts in one pass, and add the rows to the batch."""
        prompts = [(self._adapter(row), *self.task.prompts[row]) for row in rows]
        firsts = dict(zip(reversed(prompts), reversed(rows), strict=True))
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        readers = [firsts[prompt] for prompt in places]
        scores, cache = self.read_prompts(readers)
        if len(places) < len(rows):
            copies = [places[prompt] for prompt in prompts]
            scores = scores[copies]
            _keep(cache, copies, cache.layers[0].keys.shape[-2])
        self._append_tokens(rows, scores)
        if self.cache is None:
            self.cache = cache
        else:
            _join_rows(self.cache, cache)
        self.rows += rows

    def read_prompts(self, rows: Sequence[int]) -> tuple[torch.Tensor, DynamicCache]:
        """Return the logits (R, V) after each row's prompt, and the cache with each row in the last
        columns.
        """
        import torch
        from transformers import DynamicCache

        prompts, device = [self.task.prompts[row] for row in rows], self.model.device
        # Without the config: with it, layers with a sliding window would drop what is outside of it.
        cache = DynamicCache()
        shared = self.shared_tokens(prompts)
        ids, mask = left_padded([prompt[shared:] for prompt in prompts], self.task.pad, device)
        if shared:
            start = torch.tensor([list(prompts[0][:shared])], device=device)
            self.scores(rows[:1], start, torch.ones_like(start), cache)
            _keep(cache, [0] * len(rows), shared)
            padding = ids.shape[1] - mask.sum(dim=1)
            mask = torch.cat([torch.ones((len(rows), shared), dtype=mask.dtype, device=device), mask], dim=1)
            scores = self.scores(rows, ids, mask, cache)
            _move_padding_left(cache, padding, shared)
            return scores, cache
        return self.scores(rows, ids, mask, cache), cache

    def shared_tokens(self, prompts: Sequence[Sequence[int]]) -> int:
        """Return how many tokens all prompts share at their beginnings; 0 where reading them once is not
        worth it.

        It is 0 for layers with a sliding window, which counts columns (padding comes between the beginning
        and the rest), and for several adapters, which read the same tokens differently.
        """
        config: Any = self.model.config.get_text_config()
        windowed = getattr(config, "sliding_window", None) or set(
            getattr(config, "layer_types", None) or ()
        ) - {"full_attention"}
        if windowed or self.task.adapters is not None or len(prompts) < 2:
            return 0
        first, shortest = prompts[0], min(len(prompt) for prompt in prompts) - 1
        shared = next((i for i in range(shortest) if any(p[i] != first[i] for p in prompts)), shortest)
        return shared if shared >= WORTH else 0

    def step(self) -> None:
        """Give each row its next token."""
        import torch

        device = self.model.device
        lengths = torch.tensor([self.cached_tokens(row) + 1 for row in self.rows], device=device)
        width = max(self.cached_tokens(row) + 1 for row in self.rows)
        mask = torch.arange(width, device=device) >= width - lengths[:, None]  # (R, C)
        ids = torch.tensor([self.answers[row][-1:] for row in self.rows], device=device)  # (R, 1)
        self._append_tokens(self.rows, self.scores(self.rows, ids, mask.long(), self.cache))

    def drop_finished(self) -> None:
        """Remove finished rows, and the columns that no other row needs."""
        kept = [place for place, row in enumerate(self.rows) if not self._finished(row)]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in kept]
        if not kept:
            self.cache = None
        elif self.cache is not None:
            _keep(self.cache, kept, max(self.cached_tokens(row) for row in self.rows))

    def cached_tokens(self, row: int) -> int:
        """Return how many tokens of the row are in the cache: all but the newest."""
        return len(self.task.prompts[row]) + len(self.answers[row]) - 1

    def _finished(self, row: int) -> bool:
        answer = self.answers[row]
        return len(answer) >= self.task.max_tokens[row] or answer[-1] in self.task.stops

    def _adapter(self, row: int) -> str | None:
        return None if self.task.adapters is None else self.task.adapters[row]

    def scores(
        self, rows: Sequence[int], ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache | None
    ) -> torch.Tensor:
        """Return the logits (R, V) after the tokens `ids` (R, N).

        `mask` (R, C) covers the cached columns and the new tokens.
        """
        named = self._adapter_arguments(rows)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)[:, -ids.shape[1] :]  # (R, N)
        out: Any = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **named,
        )
        scores: torch.Tensor = out.logits[:, -1].float()  # (R, V)
        return scores

    def _adapter_arguments(self, rows: Sequence[int]) -> dict[str, list[str]]:
        """Return the model's arguments for the rows' adapters; with a routing, set the routing instead."""
        if self.task.adapters is None:
            return {}
        adapters = [self.task.adapters[row] for row in rows]
        if self.task.routing is None:
            return {"adapter_names": adapters}
        self.task.routing.route_rows(adapters)
        return {}

    def _append_tokens(self, rows: list[int], scores: torch.Tensor) -> None:
        for row, token in zip(rows, self._next_tokens(rows, scores).tolist(), strict=True):
            self.answers[row].append(token)

    def _next_tokens(self, rows: list[int], scores: torch.Tensor) -> torch.Tensor:
        """Return the next token of each row (R,), greedy or drawn from its logits `scores` (R, V)."""
        import torch

        temperatures = [self.task.temperatures[row] for row in rows]
        if self.task.draws is None or not any(temperatures):
            return scores.argmax(dim=-1)
        # Each row takes the number of its own step: the rows of a batch began at different times.
        numbers = self.task.draws[rows, [len(self.answers[row]) for row in rows], None]  # (R, 1)
        numbers = numbers.to(scores.device)
        if len(set(temperatures)) == 1:
            return drawn_tokens(scores, numbers, temperatures[0])[:, 0]
        each = torch.tensor(temperatures, dtype=torch.float64, device=scores.device)
        sampled = drawn_tokens(scores, numbers, torch.where(each > 0, each, 1.0)[:, None])[:, 0]
        return torch.where(each > 0, sampled, scores.argmax(dim=-1))


def _join_rows(cache: DynamicCache, newcomers: DynamicCache) -> None:
    """Add the rows of another cache after the cache's own."""
    import torch

    for layer, new in zip(cache.layers, newcomers.layers, strict=True):
        width = max(layer.keys.shape[-2], new.keys.shape[-2])
        layer.keys = torch.cat([_padded(layer.keys, width), _padded(new.keys, width)])
        layer.values = torch.cat([_padded(layer.values, width), _padded(new.values, width)])


def _move_padding_left(cache: DynamicCache, padding: torch.Tensor, shared: int) -> None:
    """Move each row's first `shared` columns to the right over its `padding` (R,) columns, so that the
    padding comes first.
    """
    import torch

    columns = torch.arange(cache.layers[0].keys.shape[-2], device=padding.device)
    behind = columns - padding[:, None]
    source = torch.where((behind >= 0) & (behind < shared), behind, columns)  # (R, C)
    for layer in cache.layers:
        index = source[:, None, :, None].to(layer.keys.device)
        layer.keys = layer.keys.gather(2, index.expand_as(layer.keys))
        layer.values = layer.values.gather(2, index.expand_as(layer.values))


def _padded(states: torch.Tensor, width: int) -> torch.Tensor:
    """Return keys or values (R, H, C, D) with columns of zeros on the left, up to `width` columns."""
    from torch.nn.functional import pad

    return pad(states, (0, 0, width - states.shape[-2], 0))


def _keep(cache: DynamicCache, rows: list[int], width: int) -> None:
    """Keep only the last `width` columns of these rows; a row that is named twice is there twice."""
    for layer in cache.layers:
        layer.keys = layer.keys[:, :, -width:][rows]
        layer.values = layer.values[:, :, -width:][rows]
