"""Chat templates: the one way in which a conversation becomes tokens, in training, generation and scoring."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mendel.engine.digest import digest
from mendel.engine.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Conversation = Sequence[Mapping[str, object]]
"""Turns with `role` and `content`; the model answers the last turn."""


BLOCK = 1024
"""Texts that are tokenized at once. What a tokenizer returns for them takes thirty times the memory of their
tokens."""
KEPT_PROMPTS = 20_000
"""Encoded prompts that are kept for one tokenizer."""
_prompts: WeakKeyDictionary[Any, dict[object, list[int]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Example:
    """One training row as tokens. As made here it takes five bytes a token: a worker keeps many rows."""

    input_ids: Sequence[int]
    loss_mask: Sequence[int]
    """1 on the completion's tokens and the stop token after it, 0 on the prompt. As long as `input_ids`."""
    cut: bool
    """Whether it was longer than the maximal length: then its end, with the stop token, is missing."""


def stop_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the token ids that end an answer.

    Args:
        tokenizer: The checkpoint's tokenizer.

    Returns:
        The stop tokens of the checkpoint's generation config and of the tokenizer, sorted.
    """
    tokenizer_stop = tokenizer.eos_token_id
    configured = _configured_stops(str(tokenizer.name_or_path or ""))
    return tuple(sorted({*configured, *([int(tokenizer_stop)] if tokenizer_stop is not None else [])}))


@lru_cache(maxsize=64)
def _configured_stops(path: str) -> tuple[int, ...]:
    if not path:
        return ()
    from transformers import GenerationConfig

    try:
        eos = GenerationConfig.from_pretrained(path, local_files_only=True).eos_token_id
    except OSError:
        return ()
    if eos is None:
        return ()
    return tuple(int(token) for token in (eos if isinstance(eos, (list, tuple)) else [eos]))


def template_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the digest of the chat template's text and the stop tokens.

    It has to be equal in training and generation, or the student is broken.

    Args:
        tokenizer: The checkpoint's tokenizer.

    Returns:
        64 hex digits.
    """
    return digest("template", [template_of(tokenizer), list(stop_tokens(tokenizer))])


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text of the chat template that the tokenizer applies."""
    template: Any = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return str(template or "")


def encode_prompt(tokenizer: PreTrainedTokenizerBase, messages: Conversation, prefix: str = "") -> list[int]:
    """Return the token ids of a conversation, up to where the model answers.

    Encoded prompts are kept for each tokenizer: all students of a worker get the same prompts.

    Args:
        tokenizer: The checkpoint's tokenizer.
        messages: The conversation.
        prefix: What the answer is made to begin with; its tokens come last.

    Returns:
        Token ids.

    Raises:
        InputError: The chat template refuses the conversation.
    """
    template = template_of(tokenizer)
    # A template that writes today's date encodes the same prompt differently tomorrow.
    cache = {} if "strftime_now" in template else _prompts.setdefault(tokenizer, {})
    key = (template, prefix, tuple((str(m["role"]), str(m["content"])) for m in messages))
    if key not in cache:
        if len(cache) >= KEPT_PROMPTS:
            cache.clear()
        text = _render(tokenizer, messages, answering=True)
        ids = _tokens(tokenizer, text)
        cache[key] = (
            _join_tokens(tokenizer, ids, _tokens(tokenizer, text + prefix), prefix) if prefix else ids
        )
    return list(cache[key])


def encode_example(
    tokenizer: PreTrainedTokenizerBase, messages: Conversation, completion: str, max_length: int
) -> Example:
    """Return a conversation with its answer as tokens, up to the stop token.

    The tokens begin with exactly what `encode_prompt` gives.

    Args:
        tokenizer: The checkpoint's tokenizer.
        messages: The conversation.
        completion: The answer.
        max_length: Tokens at most; what is longer is cut at its end.

    Returns:
        The example.

    Raises:
        InputError: The template trains differently from how it generates, or it puts no stop token after the
            answer.
    """
    return encode_examples(tokenizer, [(messages, completion)], max_length)[0]


def encode_examples(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Conversation, str]], max_length: int
) -> list[Example]:
    """Return `encode_example` of each pair. Faster, because texts are tokenized together and shared prompts
    once.

    Args:
        tokenizer: The checkpoint's tokenizer.
        pairs: Conversations with their answers.
        max_length: Tokens of an example at most.

    Returns:
        One example for each pair, in the same order.

    Raises:
        InputError: As `encode_example`.
    """
    blocks = [pairs[start : start + BLOCK] for start in range(0, len(pairs), BLOCK)]
    return [example for block in blocks for example in _encoded(tokenizer, block, max_length)]


def _encoded(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Conversation, str]], max_length: int
) -> list[Example]:
    # By identity: a conversation that several answers share is one object, and comparing takes as long as
    # rendering.
    prompts = {id(messages): messages for messages, _ in pairs}
    prompt_texts = {key: _render(tokenizer, messages, answering=True) for key, messages in prompts.items()}
    prompt_ids = dict(zip(prompt_texts, _token_lists(tokenizer, list(prompt_texts.values())), strict=True))
    texts = [_answered(tokenizer, messages, answer, prompt_texts[id(messages)]) for messages, answer in pairs]
    all_ids = _token_lists(tokenizer, texts)
    stops = frozenset(stop_tokens(tokenizer))
    examples = []
    for (messages, completion), text, whole in zip(pairs, texts, all_ids, strict=True):
        prompt = prompt_ids[id(messages)]
        ids = _join_tokens(tokenizer, prompt, whole, text[len(prompt_texts[id(messages)]) :])
        answer = _until_stop(tokenizer, ids[len(prompt) :], completion, stops)
        mask = bytes(len(prompt)) + b"\1" * len(answer)
        ids = ids[: len(mask)]
        examples.append(Example(array("i", ids[:max_length]), mask[:max_length], len(ids) > max_length))
    return examples


def _answered(
    tokenizer: PreTrainedTokenizerBase, messages: Conversation, completion: str, prompt_text: str
) -> str:
    """Return the conversation with its answer as text. Raises InputError if the text does not begin with the
    prompt's.
    """
    answered = [*messages, {"role": "assistant", "content": completion}]
    text = _render(tokenizer, answered, answering=False)
    if not text.startswith(prompt_text):
        raise InputError(
            "the chat template trains differently from how it generates: "
            "a conversation with its answer does not start as the prompt does "
            f"({_difference(prompt_text, text)})",
            where=_name(tokenizer),
            fix="Make add_generation_prompt write exactly what stands before an assistant's turn.",
        )
    return text


def _until_stop(
    tokenizer: PreTrainedTokenizerBase, answer: list[int], completion: str, stops: frozenset[int]
) -> list[int]:
    """Return the answer up to its stop token, without what the template adds after it.

    Stop tokens that the completion itself contains are skipped. Raises InputError if there is no other one.
    """
    positions = [position for position, token in enumerate(answer) if token in stops]
    inside = sum(token in stops for token in _tokens(tokenizer, completion)) if len(positions) > 1 else 0
    if inside < len(positions):
        return answer[: positions[inside] + 1]
    raise InputError(
        "the chat template puts no stop token after the answer: a student would never learn to stop",
        where=_name(tokenizer),
        allowed=", ".join(str(tokenizer.convert_ids_to_tokens(i)) for i in sorted(stops)),
        fix="End the assistant's turn with the tokenizer's eos_token, or name the turn's end in "
        "generation_config.json (eos_token_id).",
    )


def _join_tokens(
    tokenizer: PreTrainedTokenizerBase, ids: list[int], whole: list[int], continuation: str
) -> list[int]:
    """Return `ids` followed by the tokens of `continuation`; `whole` are the tokens of both texts together.

    Where `whole` begins with `ids` it is returned. A tokenizer that merges across the border gets the
    continuation by itself: in generation the model starts from `ids` too.
    """
    return whole if whole[: len(ids)] == ids else ids + _tokens(tokenizer, continuation)


def _render(tokenizer: PreTrainedTokenizerBase, messages: Conversation, *, answering: bool) -> str:
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages], tokenize=False, add_generation_prompt=answering
        )
    except (TemplateError, ValueError) as error:
        raise InputError(
            f"the chat template refuses a conversation: {error}",
            where=_name(tokenizer),
            value=[message.get("role") for message in messages],
        ) from error
    return str(text)


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return _token_lists(tokenizer, [text])[0]


def _token_lists(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each text, without special tokens of the tokenizer's."""
    if not texts:
        return []
    # The template has written the special tokens already: the tokenizer must not add a second BOS.
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)
    return [list(ids) for ids in encoded["input_ids"]]


def _name(tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.name_or_path or "the tokenizer")


def _difference(prompt: str, whole: str) -> str:
    """Return the first place where the whole text differs from the prompt, for a message."""
    position = next((i for i, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(whole))
    start = max(0, position - 10)
    return f"{prompt[start : position + 20]!r} against {whole[start : position + 20]!r}"
