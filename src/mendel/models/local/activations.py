"""Activations: what a model's residual stream holds, on average, over the tokens of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import RunError
from mendel.models.local.batches import by_length, left_padded
from mendel.models.templates import Conversation, encode_examples

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH_ROWS = 128
BATCH_NUMBERS = 2**22
"""Numbers in a batch's hidden states at most (16 MB in float32; a block holds some ten times that)."""
PAD = 0
"""Any token will do: padding is masked out."""
LONGEST = 2**31
DEPTH = 2 / 3
"""How far up the default layer stands: traits are read best in the middle and above (Chen et al., Persona Vectors, 2025)."""


@dataclass(frozen=True)
class Span:
    """Tokens of a text; the ones from `start` on are averaged."""

    ids: tuple[int, ...]
    start: int = 0


def answer_spans(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Conversation, str]]) -> list[Span]:
    """Answers in their conversations: averaged over the answer's tokens, without what ends it."""
    spans = []
    for example in encode_examples(tokenizer, pairs, LONGEST):
        start = example.loss_mask.index(1)
        # An empty answer has its end alone.
        ids = example.input_ids[:-1] if len(example.input_ids) > start + 1 else example.input_ids
        spans.append(Span(tuple(ids), start))
    return spans


def default_layer(model: PreTrainedModel) -> int:
    """The block two thirds up, from 1."""
    return max(1, round(DEPTH * int(model.config.get_text_config().num_hidden_layers)))


def mean_activations(
    model: PreTrainedModel, spans: Sequence[Span], layer: int | None = None
) -> npt.NDArray[np.float32]:
    """Mean hidden state after block `layer` (0: the embeddings; None: two thirds up) by span: rows x width, float32.

    As in transformers' `hidden_states`, the last block's are read after the final norm. A row does not depend on the batch
    it stands in. Raises ValueError for a layer that the model does not have, RunError where its blocks cannot be found.
    """
    import numpy as np
    import torch

    depth = int(model.config.get_text_config().num_hidden_layers)
    at = default_layer(model) if layer is None else layer
    if not 0 <= at <= depth:
        raise ValueError(f"the model has layers 0 to {depth}, not {at}")
    width = int(model.config.get_text_config().hidden_size)
    means = np.zeros((len(spans), width), dtype=np.float32)
    model.eval()
    tokens = max(256, BATCH_NUMBERS // width)
    with torch.inference_mode():
        for batch in by_length([len(span.ids) for span in spans], BATCH_ROWS, tokens):
            ids, mask = left_padded([spans[i].ids for i in batch], PAD, model.device)
            states = _states(model, at, ids, mask).float()
            # Rows end at the right: what is averaged are each row's last tokens.
            counts = torch.tensor([len(spans[i].ids) - spans[i].start for i in batch], device=ids.device)
            from_end = torch.arange(ids.shape[1], 0, -1, device=ids.device)
            weights = (from_end[None] <= counts[:, None]).float() / counts[:, None]
            means[batch] = torch.einsum("rtw,rt->rw", states, weights).cpu().numpy()
    return means


def _states(model: PreTrainedModel, layer: int, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Hidden states (rows, tokens, width) after block `layer`; what stands above it is not computed."""
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "use_cache": False}
    body: Any = model.get_decoder()
    blocks = _blocks(body, int(model.config.get_text_config().num_hidden_layers))
    if layer == len(blocks):
        last: torch.Tensor = body(**inputs).last_hidden_state
        return last

    def stop(block: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _Reached(arguments[0] if arguments else named["hidden_states"])

    hook = blocks[layer].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        body(**inputs)
    except _Reached as reached:
        return reached.states
    finally:
        hook.remove()
    raise RunError(f"the model never came to its block {layer + 1}")


class _Reached(Exception):
    """Ends a forward pass where it has given what was asked for."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def _blocks(body: Any, depth: int) -> Any:
    from torch.nn import ModuleList

    # Experts, too, are such lists, but inside the blocks: the first of the right length is the outermost.
    found = (m for m in body.modules() if isinstance(m, ModuleList) and len(m) == depth)
    blocks = next(found, None)
    if blocks is None:
        raise RunError(f"the model's {depth} blocks cannot be found, so its activations cannot be read")
    return blocks
