"""Checkpoints: found and checked without torch, named by their content, loaded in the precision of the device."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mendel.engine.digest import digest
from mendel.engine.errors import InputError, RunError, did_you_mean
from mendel.models._files import check_folder, content_files, known_digest, template_text
from mendel.models._kept import Unbound, base_model, student_model
from mendel.models._quiet import quiet

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
ADAPTER_FILE = "adapter_model.safetensors"
HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class Checkpoint:
    """A model with its tokenizer and chat template, as a value: two with the same digest are the same."""

    ref: str
    """As the study names it: `hf:FOLDER` or `hf:HUB_NAME`; `vllm:` in its place where vLLM is to answer for it."""
    path: str
    """The folder (absolute); not part of the content, so a moved checkpoint is the same one."""
    digest: str
    """SHA-256 over the names and bytes of config, weights, tokenizer and template, and over who answers for it if that is vLLM."""
    template: str = ""
    """Digest of the chat template's text when the checkpoint was resolved; '' where nobody looked."""
    dated: bool = False
    """Whether the chat template writes today's date into every conversation (`strftime_now`)."""

    @property
    def served(self) -> bool:
        """Whether vLLM answers for it and for what is trained on it."""
        return self.ref.startswith("vllm:")


def resolve_checkpoint(ref: str, root: Path, where: str | None = None) -> Checkpoint:
    """The checkpoint of `hf:FOLDER` (relative to `root`) or `hf:HUB_NAME` (downloaded once, found offline later), or of `vllm:` so.

    Loads no torch. Raises InputError, at `where`, if there is no such folder or hub name, or if it lacks config,
    safetensors weights, tokenizer or chat template.
    """
    scheme, separator, name = ref.partition(":")
    if not separator or scheme not in ("hf", "vllm") or not name:
        raise InputError(
            "no checkpoint",
            where=where,
            value=ref,
            allowed="hf:FOLDER, hf:HUB_NAME, vllm:FOLDER, vllm:HUB_NAME",
            fix=f"Write hf:{ref}." if ref and not separator else None,
        )
    folder = (root / Path(name).expanduser()).resolve()
    if folder.is_dir():
        check_folder(folder, where or ref)
    elif folder.exists():
        raise InputError("is a file, not a checkpoint's folder", where=where or ref, value=str(folder))
    else:
        folder = _from_hub(name, folder, where or ref)
        check_folder(folder, where or ref)
    files = {file.relative_to(folder).as_posix(): known_digest(file) for file in content_files(folder)}
    text = template_text(folder)
    content = digest("checkpoint", files)
    # Another engine draws other answers from the same weights.
    name = digest("served-by-vllm", content) if scheme == "vllm" else content
    return Checkpoint(ref, str(folder), name, digest("template-text", text), "strftime_now" in text)


def _from_hub(name: str, folder: Path, where: str) -> Path:
    missing = f"no folder {str(folder)!r}"
    near = [f.name for f in folder.parent.iterdir() if f.is_dir()] if folder.parent.is_dir() else []
    hint = did_you_mean(folder.name, near) if near else None
    if not HUB_NAME.fullmatch(name):
        raise InputError(
            missing,
            where=where,
            fix=hint or "Paths are relative to the study file, hub names are OWNER/NAME.",
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(HUB_FILES), etag_timeout=5))
    except Exception as error:
        # The hub's client raises its own errors, httpx's, OSError and ValueError, depending on what is in the way.
        raise InputError(
            f"{missing}, and the hub gives no model {name!r} ({type(error).__name__})",
            where=where,
            fix=hint or "Check the spelling; a hub model needs the network once.",
        ) from error


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
        raise InputError(f"the tokenizer cannot be read: {_line(error)}", where=checkpoint.ref) from error
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
            f"the weights are damaged: {_line(error)}", where=where
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"the model cannot be loaded: {_line(error)}", where=checkpoint.ref) from error
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
        raise RunError(f"the adapter cannot be loaded: {_line(error)}", where=str(folder)) from error
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
        raise RunError(f"the adapter cannot be loaded: {_line(error)}", where=str(folder)) from error


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


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
