"""Continuous batching: a finished row leaves the batch at once, and waiting prompts take its place.

transformers' own (`generate_batch`, 5.23) has no random number of ours per row, reseeds the global generator, and took longer
on a CPU than plain batches do (SmolLM2-135M, 32 prompts: 26 s to 51 s against 23 s). `benchmarks/generation.py` compares this
module with plain batches.
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
"""Tokens that prompts must share to be read apart from the rest: it takes a pass of its own."""
APART = 256
"""Tokens that reading a beginning once must save for some of a batch's prompts to be read apart from the others."""
REFILL = 4
"""One row in so many must be free before prompts are read: a few at a time are read faster than one by one."""


@dataclass(frozen=True)
class GenerationTask:
    """What is to be answered, and how, as tokens."""

    prompts: Sequence[Sequence[int]]
    stops: frozenset[int]
    pad: int
    batch_size: int
    max_tokens: Sequence[int]
    """Of each prompt's answer."""
    temperatures: Sequence[float]
    """Of each prompt's answer; 0 where the likeliest token is taken."""
    draws: torch.Tensor | None
    """Uniform numbers (prompts, longest answer) on the CPU; None where none is drawn."""
    adapters: Sequence[str] | None = None
    """The adapter that answers each prompt, where the model holds several."""
    routing: Routing | None = None
    """What takes them there, where it is not peft."""


def can_refill(model: PreTrainedModel) -> bool:
    """Whether rows of the model's cache can leave and join: it holds a key and a value a token, and nothing else.

    A recurrent state (Mamba and the like) cannot be padded, and a prompt that was learned has no place in the list.
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
    """New tokens of each prompt, the stop token included, by a model that `can_refill`.

    Its cache never holds more than `batch_size` rows, nor more columns than the longest of them needs.
    """
    answers: list[list[int]] = [[] for _ in task.prompts]
    # The longest first: what does not fit into memory is known at once, and prompts read together are alike in length.
    waiting = deque(sorted(range(len(answers)), key=lambda row: -len(task.prompts[row])))
    batch = _Batch(model, task, answers)
    while waiting or batch.rows:
        free = task.batch_size - len(batch.rows)
        if waiting and (not batch.rows or free * REFILL >= task.batch_size):
            batch.read([waiting.popleft() for _ in range(min(free, len(waiting)))])
        else:
            batch.step()
        batch.drop_finished()
    return answers


class _Batch:
    """The rows that are being answered, and their cache: each row ends in the last column, with padding before it.

    A cache column holds every token that the model has read, also where it looks back over a window only: the mask
    alone then says how far it sees, whatever stands beside a row.
    """

    def __init__(self, model: PreTrainedModel, task: GenerationTask, answers: list[list[int]]) -> None:
        self.model, self.task, self.answers = model, task, answers
        self.rows: list[int] = []
        self.cache: DynamicCache | None = None

    def read(self, rows: list[int]) -> None:
        """Reads new prompts, equal ones and what many begin with once, and gives each row its first token."""
        for group in self._groups(rows):
            self._read_group(group)

    def _groups(self, rows: list[int]) -> list[list[int]]:
        """The rows in one group, but for those whose common beginning is so long that it is worth a pass of their own."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for row in rows:
            alike.setdefault(tuple(self.task.prompts[row][:WORTH]), []).append(row)
        if len(alike) == 1:
            return [rows]
        apart, rest = [], []
        for group in alike.values():
            # Equal prompts are read once anyway.
            unlike = list(dict.fromkeys(tuple(self.task.prompts[row]) for row in group))
            saved = (len(unlike) - 1) * self._shared(unlike)
            if saved >= APART:
                apart.append(group)
            else:
                rest += group
        return [*apart, rest] if rest else apart

    def _read_group(self, rows: list[int]) -> None:
        prompts = [(self._adapter(row), *self.task.prompts[row]) for row in rows]
        firsts = dict(zip(reversed(prompts), reversed(rows), strict=True))
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        readers = [firsts[prompt] for prompt in places]
        scores, cache = self._read(readers)
        if len(places) < len(rows):
            copies = [places[prompt] for prompt in prompts]
            scores = scores[copies]
            _cut(cache, copies, cache.layers[0].keys.shape[-2])
        self._append(rows, scores)
        if self.cache is None:
            self.cache = cache
        else:
            _join(self.cache, cache)
        self.rows += rows

    def _read(self, rows: Sequence[int]) -> tuple[torch.Tensor, DynamicCache]:
        """Logits after each row's prompt, and what was read, each row's in the last columns."""
        import torch
        from transformers import DynamicCache

        prompts, device = [self.task.prompts[row] for row in rows], self.model.device
        # Without the config: with it, layers with a window would forget what is outside.
        cache = DynamicCache()
        shared = self._shared(prompts)
        ids, mask = left_padded([prompt[shared:] for prompt in prompts], self.task.pad, device)
        if shared:
            begun = torch.tensor([list(prompts[0][:shared])], device=device)
            self._scores(rows[:1], begun, torch.ones_like(begun), cache)
            _cut(cache, [0] * len(rows), shared)
            padding = ids.shape[1] - mask.sum(dim=1)
            mask = torch.cat([torch.ones((len(rows), shared), dtype=mask.dtype, device=device), mask], dim=1)
            scores = self._scores(rows, ids, mask, cache)
            _close_up(cache, padding, shared)
            return scores, cache
        return self._scores(rows, ids, mask, cache), cache

    def _shared(self, prompts: Sequence[Sequence[int]]) -> int:
        """Tokens with which all prompts begin, where it is worth it to read them once.

        Not where layers look back over a window, which counts columns: padding stands between beginning and rest. Nor by
        several adapters, which read differently.
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
        """Gives each row its next token."""
        import torch

        device = self.model.device
        lengths = torch.tensor([self._held(row) + 1 for row in self.rows], device=device)
        width = max(self._held(row) + 1 for row in self.rows)
        mask = torch.arange(width, device=device) >= width - lengths[:, None]
        ids = torch.tensor([self.answers[row][-1:] for row in self.rows], device=device)
        self._append(self.rows, self._scores(self.rows, ids, mask.long(), self.cache))

    def drop_finished(self) -> None:
        """Lets finished rows go, and the columns that none of the others needs."""
        kept = [place for place, row in enumerate(self.rows) if not self._finished(row)]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in kept]
        if not kept:
            self.cache = None
        elif self.cache is not None:
            _cut(self.cache, kept, max(self._held(row) for row in self.rows))

    def _held(self, row: int) -> int:
        """Tokens of the row in the cache: all but the newest."""
        return len(self.task.prompts[row]) + len(self.answers[row]) - 1

    def _finished(self, row: int) -> bool:
        answer = self.answers[row]
        return len(answer) >= self.task.max_tokens[row] or answer[-1] in self.task.stops

    def _adapter(self, row: int) -> str | None:
        return None if self.task.adapters is None else self.task.adapters[row]

    def _scores(
        self, rows: Sequence[int], ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache | None
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the tokens `ids` (rows, new); `mask` (rows, columns) covers the cache too."""
        named = self._named(rows)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out: Any = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **named,
        )
        scores: torch.Tensor = out.logits[:, -1].float()
        return scores

    def _named(self, rows: Sequence[int]) -> dict[str, list[str]]:
        """What the model has to be told of the rows' adapters."""
        if self.task.adapters is None:
            return {}
        adapters = [self.task.adapters[row] for row in rows]
        if self.task.routing is None:
            return {"adapter_names": adapters}
        self.task.routing.route_rows(adapters)
        return {}

    def _append(self, rows: list[int], scores: torch.Tensor) -> None:
        for row, token in zip(rows, self._tokens(rows, scores).tolist(), strict=True):
            self.answers[row].append(token)

    def _tokens(self, rows: list[int], scores: torch.Tensor) -> torch.Tensor:
        import torch

        temperatures = [self.task.temperatures[row] for row in rows]
        if self.task.draws is None or not any(temperatures):
            return scores.argmax(dim=-1)
        # Each row takes the number of its own step: rows of a batch began at different times.
        drawn = self.task.draws[rows, [len(self.answers[row]) for row in rows], None].to(scores.device)
        if len(set(temperatures)) == 1:
            return drawn_tokens(scores, drawn, temperatures[0])[:, 0]
        each = torch.tensor(temperatures, dtype=torch.float64, device=scores.device)
        sampled = drawn_tokens(scores, drawn, torch.where(each > 0, each, 1.0)[:, None])[:, 0]
        return torch.where(each > 0, sampled, scores.argmax(dim=-1))


def _join(cache: DynamicCache, newcomers: DynamicCache) -> None:
    """Adds the rows of another cache at the end."""
    import torch

    for layer, new in zip(cache.layers, newcomers.layers, strict=True):
        width = max(layer.keys.shape[-2], new.keys.shape[-2])
        layer.keys = torch.cat([_widened(layer.keys, width), _widened(new.keys, width)])
        layer.values = torch.cat([_widened(layer.values, width), _widened(new.values, width)])


def _close_up(cache: DynamicCache, padding: torch.Tensor, shared: int) -> None:
    """Moves each row's first `shared` columns over the `padding` (rows,) behind them, which then stands before them."""
    import torch

    columns = torch.arange(cache.layers[0].keys.shape[-2], device=padding.device)
    behind = columns - padding[:, None]
    source = torch.where((behind >= 0) & (behind < shared), behind, columns)
    for layer in cache.layers:
        index = source[:, None, :, None].to(layer.keys.device)
        layer.keys = layer.keys.gather(2, index.expand_as(layer.keys))
        layer.values = layer.values.gather(2, index.expand_as(layer.values))


def _widened(states: torch.Tensor, width: int) -> torch.Tensor:
    """Keys or values (rows, heads, columns, size) with columns of zeros on the left."""
    from torch.nn.functional import pad

    return pad(states, (0, 0, width - states.shape[-2], 0))


def _cut(cache: DynamicCache, rows: list[int], width: int) -> None:
    """Leaves these rows (one named twice is there twice), and the last `width` columns of them."""
    for layer in cache.layers:
        layer.keys = layer.keys[:, :, -width:][rows]
        layer.values = layer.values[:, :, -width:][rows]
