"""Checkpoints loaded: tokenizers, weights in the precision of the device, adapters that bind."""

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
    """Where models run: `cuda` if there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer; raises InputError if it cannot be read or has no stop token."""
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
    """The model, in evaluation mode on `device()`: float32 on a CPU, bfloat16 on a GPU, unless `dtype` is given.

    `adapter` is a folder with a trained adapter for it, `weights` one with full weights in its place. Raises
    InputError if the weights do not fit the config, RunError if a part of a student's files does not bind (the
    base would be served in its place).
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
        # Merged weights generate faster, but in bfloat16 small adapter weights would be rounded away.
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
    """The model with the adapter of `folder` in it, not merged, under that name; raises RunError unless every weight binds.

    A model that has adapters already keeps them.

    peft itself leaves modules without weights as they are, and only warns: the base would answer.
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
    """Puts the weights of `folder` into the model's adapter of that name, one of the same kind; raises as `attach_adapter`."""
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
    """The names under which an adapter's weights are saved."""
    own = f".{name}."
    return {key.replace(own, ".") for key, _ in model.named_parameters() if ".lora_" in key and own in key}


def check_bound(saved: Set[str], wanted: Set[str], folder: Path) -> None:
    """Raises RunError unless the weights that an adapter's folder has are those that the model wants, by name."""
    strays = sorted(saved ^ wanted)
    if strays or not saved:
        modules = {_module(name) for name in saved | wanted}
        bound = modules - {_module(name) for name in strays}
        raise RunError(
            f"the adapter binds {len(bound)} of {len(modules)} modules"
            + (f" (no match for {strays[0]})" if strays else ""),
            where=str(folder),
        )


def count_adapters(model: Any) -> int:
    """How many modules of a model carry an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return sum(isinstance(module, BaseTunerLayer) for module in model.modules())


def _module(weight: str) -> str:
    return weight.partition(".lora_")[0]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
