"""Activations: the mean of a model's residual stream over the tokens of a text.

Dimensions: rows R of a batch, tokens T, width W.
"""

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
"""Rows of a batch at most."""
BATCH_NUMBERS = 2**22
"""Numbers in a batch's hidden states at most: 16 MB in float32. A block holds some ten times that."""
PAD = 0
"""Any token: padding is masked out."""
LONGEST = 2**31
"""No answer is cut."""
DEPTH = 2 / 3
"""The default layer, as a share of the depth: traits are read best in the middle and above (Chen et al.,
Persona Vectors, 2025)."""


@dataclass(frozen=True)
class Span:
    """A text as tokens; the tokens from `start` on are averaged."""

    ids: tuple[int, ...]
    start: int = 0


def answer_spans(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Conversation, str]]) -> list[Span]:
    """Return answers in their conversations, to be averaged over the answer's tokens without its stop
    token.
    """
    spans = []
    for example in encode_examples(tokenizer, pairs, LONGEST):
        start = example.loss_mask.index(1)
        # An empty answer has only its stop token.
        ids = example.input_ids[:-1] if len(example.input_ids) > start + 1 else example.input_ids
        spans.append(Span(tuple(ids), start))
    return spans


def default_layer(model: PreTrainedModel) -> int:
    """Return the block two thirds up, counted from 1."""
    return max(1, round(DEPTH * int(model.config.get_text_config().num_hidden_layers)))


def mean_activations(
    model: PreTrainedModel, spans: Sequence[Span], layer: int | None = None
) -> npt.NDArray[np.float32]:
    """Return each span's mean hidden state after block `layer`, (spans, W), float32.

    Layer 0 are the embeddings, None is the layer two thirds up. As in transformers' `hidden_states`, the last
    block is read after the final norm. A row does not depend on its batch. Raises ValueError for a layer that
    the model does not have, RunError where its blocks cannot be found.
    """
    import numpy as np
    import torch

    depth = int(model.config.get_text_config().num_hidden_layers)
    block = default_layer(model) if layer is None else layer
    if not 0 <= block <= depth:
        raise ValueError(f"the model has layers 0 to {depth}, not {block}")
    width = int(model.config.get_text_config().hidden_size)
    means = np.zeros((len(spans), width), dtype=np.float32)
    model.eval()
    tokens = max(256, BATCH_NUMBERS // width)
    with torch.inference_mode():
        for batch in by_length([len(span.ids) for span in spans], BATCH_ROWS, tokens):
            ids, mask = left_padded([spans[i].ids for i in batch], PAD, model.device)
            states = _states(model, block, ids, mask).float()  # (R, T, W)
            # Rows are padded on the left, so a span's tokens are its row's last ones.
            counts = torch.tensor([len(spans[i].ids) - spans[i].start for i in batch], device=ids.device)
            from_end = torch.arange(ids.shape[1], 0, -1, device=ids.device)
            weights = (from_end[None] <= counts[:, None]).float() / counts[:, None]  # (R, T)
            means[batch] = torch.einsum("rtw,rt->rw", states, weights).cpu().numpy()
    return means


def _states(model: PreTrainedModel, layer: int, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the hidden states (R, T, W) after block `layer`. Higher blocks are not computed."""
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
    raise RunError(f"the model did not reach its block {layer + 1}")


class _Reached(Exception):
    """Ends a forward pass once it has given the states that are wanted."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def _blocks(body: Any, depth: int) -> Any:
    """Return the list of the model's blocks."""
    from torch.nn import ModuleList

    # Experts are such lists too, but inside the blocks: the first list of the right length is the outermost.
    lists = (m for m in body.modules() if isinstance(m, ModuleList) and len(m) == depth)
    blocks = next(lists, None)
    if blocks is None:
        raise RunError(f"the model's {depth} blocks cannot be found, so its activations cannot be read")
    return blocks
