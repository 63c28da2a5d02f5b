"""A checkpoint served by vLLM in this process, on a GPU: `vllm:FOLDER_OR_HUB_NAME`.

Nothing here has been measured: it follows vLLM's documented interface (`LLM.generate` with token ids).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.models.checkpoints import Checkpoint, load_tokenizer
from mendel.models.generation import Completion, Sampling, completion_of
from mendel.models.templates import Conversation, encode_prompt, stop_tokens


class VllmChat:
    """Answers conversations; fulfils `ChatModel`. Raises InputError where vLLM is not installed."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        try:
            import vllm
        except ImportError as error:
            raise InputError(
                f"vLLM is not there: {error}",
                where=checkpoint.ref,
                fix=f"Install it on a machine with a GPU (pip install vllm), or write hf:{checkpoint.ref.partition(':')[2]}.",
            ) from error
        self.digest = checkpoint.digest
        self._tokenizer = load_tokenizer(checkpoint)
        self._params = vllm.SamplingParams
        # 'vllm': what the checkpoint's generation config says of sampling does not apply.
        self._engine = vllm.LLM(model=checkpoint.path, generation_config="vllm")

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """One answer to each conversation, in order; vLLM batches as it likes, so `batch_size` does not apply.

        Each row has a seed of its own, but rounding may depend on the other rows. Nothing holds it to a schema.
        """
        if not conversations:
            return []
        stops = stop_tokens(self._tokenizer)
        prompts = [
            {"prompt_token_ids": encode_prompt(self._tokenizer, messages, opener)}
            for messages in conversations
        ]
        params = [
            self._params(
                temperature=sampling.temperature,
                max_tokens=sampling.max_tokens,
                seed=int(digest("vllm-seed", [sampling.seed, place])[:8], 16),
                stop_token_ids=list(stops),
                detokenize=False,
            )
            for place in range(len(prompts))
        ]
        done = self._engine.generate(prompts, params, use_tqdm=False)
        return [
            completion_of(self._tokenizer, list(row.outputs[0].token_ids), frozenset(stops)) for row in done
        ]

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """None: given texts are not scored here."""
        return None
