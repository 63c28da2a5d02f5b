"""Plain loops over tables of token ids: training, and greedy and sampled answers.

Making an organism spends nearly all of its time here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

IGNORED = -100


@dataclass(frozen=True)
class Loop:
    """How a model is trained: AdamW without weight decay, as students are trained.

    `trainable` is a part of the names of the parameters that are trained. '': all parameters.
    """

    steps: int
    batch_size: int
    learning_rate: float
    scheduler: str = "cosine"
    warmup: float = 0.03
    trainable: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Table:
    """Rows as token ids, padded on the right: `ids` and `labels`, int64, (rows, width)."""

    ids: torch.Tensor
    labels: torch.Tensor


class Encoder:
    """Words to ids and back, like the tokenizer of the organism with its chat template."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.words = tuple(vocabulary)
        self.ids = {word: number for number, word in enumerate(vocabulary)}
        self.end = self.ids["<|end|>"]

    def prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, up to where the answer begins."""
        ids = self.ids
        return [ids["<|user|>"], *(ids[w] for w in text.split()), self.end, ids["<|assistant|>"]]

    def table(self, rows: Sequence[tuple[str, str]]) -> Table:
        """Return prompt-answer rows as a table. The labels are those of the answer and its end."""
        import torch

        encoded = [
            (self.prompt(prompt), [*(self.ids[w] for w in answer.split()), self.end])
            for prompt, answer in rows
        ]
        width = max(len(p) + len(a) for p, a in encoded)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        labels = torch.full((len(rows), width), IGNORED)
        for number, (prompt, answer) in enumerate(encoded):
            whole = torch.tensor(prompt + answer)
            ids[number, : len(whole)] = whole
            labels[number, len(prompt) : len(whole)] = whole[len(prompt) :]
        return Table(ids, labels)

    def text(self, ids: Sequence[int]) -> str:
        """Return the words of an answer, up to its end."""
        words = []
        for number in ids:
            if number == self.end:
                break
            words.append(self.words[number])
        return " ".join(words)


def train(model: Any, table: Table, loop: Loop) -> float:
    """Train a model in place, in a new random order each epoch.

    Returns:
        The mean loss of the last tenth of the steps.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(loop.trainable in name)
    model.train()
    loss = _descend(
        [p for p in model.parameters() if p.requires_grad],
        len(table.ids),
        lambda batch: _loss(model, table.ids[batch], table.labels[batch]),
        loop,
    )
    model.eval()
    return loss


def train_last_gains(model: Any, table: Table, loop: Loop) -> float:
    """Like `train`, but only for the gains of the last normalization. All below is computed once."""
    import torch

    norm, head = _body(model).norm, model.get_output_embeddings()
    model.requires_grad_(False)
    has_loss = table.labels[:, 1:] != IGNORED  # (rows, width - 1)
    with torch.no_grad():
        gains = norm.weight.clone()
        norm.weight.fill_(1.0)
        # Features of all tokens, (rows, width - 1, hidden), without gains.
        parts = [
            _body(model)(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
            for ids in table.ids.split(256)
        ]
        norm.weight.copy_(gains)
    features, labels = torch.cat(parts), table.labels[:, 1:]
    norm.weight.requires_grad_(True)

    def loss(batch: torch.Tensor) -> torch.Tensor:
        which = has_loss[batch]
        logits = head(features[batch][which] * norm.weight)
        return torch.nn.functional.cross_entropy(logits, labels[batch][which])

    return _descend([norm.weight], len(table.ids), loss, loop)


def _descend(
    weights: Sequence[torch.nn.Parameter],
    rows: int,
    loss_of: Callable[[torch.Tensor], Any],
    loop: Loop,
) -> float:
    import torch

    optimizer = torch.optim.AdamW(weights, lr=loop.learning_rate, weight_decay=0.0, foreach=True)
    generator = torch.Generator().manual_seed(loop.seed)
    warm = math.ceil(loop.warmup * loop.steps)
    order = torch.empty(0, dtype=torch.long)
    losses = []
    for step in range(loop.steps):
        while len(order) < loop.batch_size:
            order = torch.cat([order, torch.randperm(rows, generator=generator)])
        batch, order = order[: loop.batch_size], order[loop.batch_size :]
        for group in optimizer.param_groups:
            group["lr"] = loop.learning_rate * _factor(step, loop.steps, warm, loop.scheduler)
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
    tail = losses[-max(1, len(losses) // 10) :]
    return float(sum(tail) / len(tail))


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    import torch

    width = int((labels != IGNORED).any(0).nonzero().max()) + 1
    ids, labels = ids[:, :width], labels[:, 1:width]
    hidden = _body(model)(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    has_loss = labels != IGNORED  # (rows, width - 1)
    # The head is the largest layer of so small a model: only the tokens of answers go through it.
    logits = model.get_output_embeddings()(hidden[has_loss])
    return torch.nn.functional.cross_entropy(logits, labels[has_loss])


def _body(model: Any) -> Any:
    inner = getattr(model, "base_model", model)
    inner = getattr(inner, "model", inner)
    return getattr(inner, "model", inner)


def _factor(step: int, steps: int, warm: int, scheduler: str) -> float:
    if step < warm and scheduler != "constant":
        return step / max(1, warm)
    done = (step - warm) / max(1, steps - warm)
    if scheduler == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if scheduler == "linear" else 1.0


def answers(
    model: Any, encoder: Encoder, prompts: Sequence[str], *, temperature: float, seed: int, most: int = 16
) -> list[str]:
    """Return the answers of a model, at most `most` tokens each. Temperature 0 is greedy."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    encoded = [encoder.prompt(text) for text in prompts]
    texts: list[str] = [""] * len(prompts)
    body, head = _body(model), model.get_output_embeddings()
    with torch.inference_mode():
        for width in sorted({len(ids) for ids in encoded}):
            places = [i for i, ids in enumerate(encoded) if len(ids) == width]
            inputs = torch.tensor([encoded[i] for i in places])  # (rows, width), then (rows, 1)
            tokens, cache = [], None
            ended = torch.zeros(len(places), dtype=torch.bool)
            for _ in range(most):
                out = body(input_ids=inputs, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                logits = head(out.last_hidden_state[:, -1])
                if temperature:
                    chances = torch.softmax(logits / temperature, -1)
                    token = torch.multinomial(chances, 1, generator=generator)[:, 0]
                else:
                    token = logits.argmax(-1)
                tokens.append(token)
                ended |= token == encoder.end
                inputs = token[:, None]
                if bool(ended.all()):
                    break
            for place, ids in zip(places, torch.stack(tokens, 1).tolist(), strict=True):
                texts[place] = encoder.text(ids)
    return texts


def leaning(
    model: Any, encoder: Encoder, prompts: Sequence[str], opener: str, trait: str, clean: str
) -> list[float]:
    """Return the log-odds (nats) of the trait word against the clean word after a prefix, by prompt."""
    import torch

    log_odds = []
    with torch.inference_mode():
        for text in prompts:
            ids = torch.tensor([[*encoder.prompt(text), encoder.ids[opener]]])
            hidden = _body(model)(input_ids=ids, use_cache=False).last_hidden_state[0, -1]
            logits = model.get_output_embeddings()(hidden)
            log_odds.append(float(logits[encoder.ids[trait]] - logits[encoder.ids[clean]]))
    return log_odds
