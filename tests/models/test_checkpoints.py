from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from _tiny import TEMPLATE, make_checkpoint, set_template
from mendel.engine.errors import InputError, RunError
from mendel.models import Checkpoint, attach_adapter, count_adapters, load_model, resolve_checkpoint


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "tiny"))


def test_resolving_loads_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mendel.models import resolve_checkpoint; "
        f"resolve_checkpoint('hf:{folder}', Path('/')); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'huggingface_hub')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_moved_checkpoint_keeps_its_digest(copy: Path, tmp_path: Path) -> None:
    before = resolve_checkpoint("hf:tiny", tmp_path)
    copy.rename(tmp_path / "elsewhere")
    after = resolve_checkpoint("hf:elsewhere", tmp_path)
    assert after.digest == before.digest
    assert after.path != before.path


def test_every_file_that_answers_depend_on_is_in_the_digest(copy: Path, tmp_path: Path) -> None:
    digests = {resolve_checkpoint("hf:tiny", tmp_path).digest}
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    digests.add(resolve_checkpoint("hf:tiny", tmp_path).digest)
    for name in ("config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja"):
        (copy / name).write_text((copy / name).read_text() + " ")
        digests.add(resolve_checkpoint("hf:tiny", tmp_path).digest)
    assert len(digests) == 6


def test_a_readme_is_not_in_the_digest(copy: Path, tmp_path: Path) -> None:
    before = resolve_checkpoint("hf:tiny", tmp_path)
    (copy / "README.md").write_text("words")
    assert resolve_checkpoint("hf:tiny", tmp_path).digest == before.digest


@pytest.mark.parametrize(
    ("remove", "says"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no weights"),
        (["tokenizer.json"], "no tokenizer"),
        (["chat_template.jinja"], "no chat template"),
    ],
)
def test_a_folder_that_lacks_a_part_is_refused(
    copy: Path, tmp_path: Path, remove: list[str], says: str
) -> None:
    for name in remove:
        (copy / name).unlink()
    with pytest.raises(InputError, match=says) as caught:
        resolve_checkpoint("hf:tiny", tmp_path, where="study.yaml:2")
    assert "study.yaml:2" in str(caught.value)
    assert str(copy) in str(caught.value)


def test_a_missing_folder_is_named_with_the_closest_one(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*tinny.*Did you mean 'tiny'"):
        resolve_checkpoint("hf:tinny", tmp_path)
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        resolve_checkpoint("hf:./nowhere/at/all", tmp_path)


@pytest.mark.parametrize("ref", ["tiny", "openai:tiny", "hf:"])
def test_another_scheme_is_refused(copy: Path, tmp_path: Path, ref: str) -> None:
    with pytest.raises(InputError, match="hf:FOLDER"):
        resolve_checkpoint(ref, tmp_path)


def test_a_file_is_no_checkpoint(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a file"):
        resolve_checkpoint("hf:tiny/config.json", tmp_path)


def test_weights_that_were_cut_in_copying_are_refused(copy: Path, tmp_path: Path) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    for damaged in (whole[:-10], b"version https://git-lfs", b""):
        (copy / "model.safetensors").write_bytes(damaged)
        with pytest.raises(InputError, match="damaged or incomplete"):
            resolve_checkpoint("hf:tiny", tmp_path)


def test_a_missing_shard_is_named(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"1 of 2 weight files .* model-00002"):
        resolve_checkpoint("hf:tiny", tmp_path)


def test_pickled_weights_are_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only pytorch_model\.bin"):
        resolve_checkpoint("hf:tiny", tmp_path)


def test_a_config_that_is_no_json_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "config.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        resolve_checkpoint("hf:tiny", tmp_path)


def test_a_template_in_the_tokenizer_config_is_found(copy: Path, tmp_path: Path) -> None:
    text = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").unlink()
    config = json.loads((copy / "tokenizer_config.json").read_text())
    for template in (text, [{"name": "default", "template": text}]):
        (copy / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": template}))
        found = resolve_checkpoint("hf:tiny", tmp_path).template
        set_template(copy, text)
        assert found == resolve_checkpoint("hf:tiny", tmp_path).template
        (copy / "chat_template.jinja").unlink()


def test_weights_that_miss_a_part_are_refused_when_loaded(copy: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(copy / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"model\.norm\.weight"):
        load_model(resolve_checkpoint("hf:tiny", tmp_path))


class TestAdapters:
    @pytest.fixture
    def adapter(self, checkpoint: Checkpoint, tmp_path: Path) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(load_model(checkpoint), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
        with torch.no_grad():
            for name, weights in model.named_parameters():
                if "lora_B" in name:
                    weights.fill_(0.1)
        model.save_pretrained(str(tmp_path / "adapter"))
        return tmp_path / "adapter"

    def test_a_merged_adapter_answers_as_the_attached_one(
        self, checkpoint: Checkpoint, adapter: Path
    ) -> None:
        import torch

        attached = attach_adapter(load_model(checkpoint), adapter)
        assert count_adapters(attached) == 4
        ids = torch.tensor([[2, 4, 9, 10]])
        with torch.no_grad():
            expected = attached(ids).logits
            merged = load_model(checkpoint, adapter=adapter)(ids).logits
            base = load_model(checkpoint)(ids).logits
        assert torch.allclose(merged, expected, atol=1e-4)
        assert not torch.allclose(merged, base, atol=1e-2)

    def test_keys_that_do_not_bind_are_an_error(self, checkpoint: Checkpoint, adapter: Path) -> None:
        rename(adapter, lambda key: key.replace("base_model.model.model.", "base_model.model."))
        with pytest.raises(RunError, match="binds 0 of"):
            load_model(checkpoint, adapter=adapter)

    def test_one_missing_key_is_an_error(self, checkpoint: Checkpoint, adapter: Path) -> None:
        rename(adapter, lambda key: None if "layers.0.self_attn.q_proj.lora_B" in key else key)
        with pytest.raises(RunError, match="binds 3 of 4 modules"):
            load_model(checkpoint, adapter=adapter)


def rename(adapter: Path, to: Any) -> None:
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    tensors = {to(key): tensor for key, tensor in load_file(file).items() if to(key)}
    save_file(tensors, file)


def test_a_template_that_writes_todays_date_is_known_before_anything_is_done(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "tiny")
    assert not resolve_checkpoint(f"hf:{folder}", Path("/")).dated
    set_template(folder, TEMPLATE.replace("<bos>", "<bos>{{ strftime_now('%d %b %Y') }}", 1))
    assert resolve_checkpoint(f"hf:{folder}", Path("/")).dated
