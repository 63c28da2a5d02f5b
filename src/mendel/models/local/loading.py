"""Loads checkpoints: tokenizers, weights in the precision of the device, and adapters whose weights all
bind.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mendel.engine.errors import InputError, RunError
from mendel.models.checkpoints import Checkpoint
from mendel.models.local.kept import Unbound, base_model, student_model
from mendel.models.local.quiet import quiet

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


ADAPTER_FILE = "adapter_model.safetensors"


def device() -> str:
    """Return where models run: `cuda` if there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """Load a checkpoint's tokenizer.

    Args:
        checkpoint: The checkpoint.

    Returns:
        The tokenizer.

    Raises:
        InputError: It cannot be read, or it names no stop token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the tokenizer cannot be read: {first_line(error)}", where=checkpoint.ref
        ) from error
    if tokenizer.eos_token_id is None:
        raise InputError(
            "the tokenizer names no stop token",
            where=checkpoint.ref,
            fix="Set 'eos_token' in tokenizer_config.json to the token that ends an answer.",
        )
    return cast("PreTrainedTokenizerBase", tokenizer)


def load_model(
    checkpoint: Checkpoint,
    adapter: Path | None = None,
    weights: Path | None = None,
    dtype: torch.dtype | None = None,
) -> PreTrainedModel:
    """Load a model, in evaluation mode on `device()`.

    Args:
        checkpoint: The checkpoint.
        adapter: A folder with a trained adapter for it. On a CPU the adapter is merged into the weights.
        weights: A folder with full weights to use instead of the checkpoint's.
        dtype: The precision; None: float32 on a CPU, bfloat16 on a GPU.

    Returns:
        The model.

    Raises:
        InputError: The weights do not fit the config, or cannot be read.
        RunError: A part of a student's files does not bind; otherwise the base would be used in its place.
    """
    import torch
    from safetensors import SafetensorError

    on_gpu = device() == "cuda"
    kind = dtype or (torch.bfloat16 if on_gpu else torch.float32)
    try:
        if weights is None:
            model = base_model(checkpoint.path, kind, _read)
        else:
            model = student_model(checkpoint.path, weights, kind, _read)
    except Unbound as error:
        where = str(weights or checkpoint.ref)
        raise (RunError if weights is not None else InputError)(str(error), where=where) from None
    except SafetensorError as error:
        where = str(weights or checkpoint.ref)
        raise (RunError if weights is not None else InputError)(
            f"the weights are damaged: {first_line(error)}", where=where
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"the model cannot be loaded: {first_line(error)}", where=checkpoint.ref) from error
    model = model.to(device())
    if adapter is not None:
        attached = attach_adapter(model, adapter)
        # Merged weights generate faster, but bfloat16 would round small adapter weights away.
        model = attached if on_gpu else attached.merge_and_unload()
    return cast("PreTrainedModel", model.eval())


def _read(path: str, dtype: torch.dtype) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    with quiet():
        model, info = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, output_loading_info=True, local_files_only=True, use_safetensors=True
        )
    unbound = [*info["missing_keys"], *info["mismatched_keys"]]
    if unbound:
        raise Unbound(unbound)
    return cast("PreTrainedModel", model)


def attach_adapter(model: PreTrainedModel | PeftModel, folder: Path, name: str = "default") -> PeftModel:
    """Add the adapter of a folder to a model, without merging it.

    peft itself only warns of modules without weights and leaves them as they are: the base would answer.

    Args:
        model: The model. Adapters that it has already stay.
        folder: The adapter's folder.
        name: The adapter's name in the model.

    Returns:
        The model with the adapter.

    Raises:
        RunError: The adapter cannot be read, or not all of its weights bind.
    """
    from peft import PeftModel
    from safetensors import safe_open

    try:
        with quiet():
            if isinstance(model, PeftModel):
                attached = model
                attached.load_adapter(str(folder), adapter_name=name, torch_device=str(model.device))
            else:
                attached = PeftModel.from_pretrained(
                    model, str(folder), adapter_name=name, torch_device=str(model.device)
                )
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(f"the adapter cannot be loaded: {first_line(error)}", where=str(folder)) from error
    with safe_open(str(folder / ADAPTER_FILE), framework="pt") as stored:
        saved = set(stored.keys())
    check_bound(saved, _adapter_keys(attached, name), folder)
    return cast("PeftModel", attached)


def swap_adapter(model: Any, folder: Path, name: str = "default") -> None:
    """Replace the weights of the model's adapter of that name by those of `folder`, an adapter with the same
    settings.

    Raises RunError as `attach_adapter`.
    """
    from peft import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(str(folder / ADAPTER_FILE))
        check_bound(weights.keys(), _adapter_keys(model, name), folder)
        set_peft_model_state_dict(model, weights, adapter_name=name)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RunError(f"the adapter cannot be loaded: {first_line(error)}", where=str(folder)) from error


def _adapter_keys(model: Any, name: str) -> set[str]:
    """Return the names under which the adapter's weights are saved."""
    marker = f".{name}."
    names = (key for key, _ in model.named_parameters())
    return {key.replace(marker, ".") for key in names if ".lora_" in key and marker in key}


def check_bound(saved: Set[str], expected: Set[str], folder: Path) -> None:
    """Check that an adapter's file has the weights that the model wants, by name. Raises RunError at `folder`
    if not.
    """
    unmatched = sorted(saved ^ expected)
    if unmatched or not saved:
        modules = {_module(name) for name in saved | expected}
        bound = modules - {_module(name) for name in unmatched}
        raise RunError(
            f"the adapter binds {len(bound)} of {len(modules)} modules"
            + (f" (no match for {unmatched[0]})" if unmatched else ""),
            where=str(folder),
        )


def count_adapters(model: Any) -> int:
    """Return how many modules of a model carry an adapter.

    Args:
        model: The model.

    Returns:
        The number of modules.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    return sum(isinstance(module, BaseTunerLayer) for module in model.modules())


def _module(weight: str) -> str:
    return weight.partition(".lora_")[0]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
