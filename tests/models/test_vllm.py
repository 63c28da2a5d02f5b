from __future__ import annotations

import sys
from typing import Any

import pytest

from mendel.engine.errors import InputError
from mendel.models.vllm import VllmChat


def test_without_vllm_it_is_said_what_to_do(checkpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InputError, match=r"hf:.*vLLM is not there.*pip install vllm") as raised:
        VllmChat(checkpoint)
    assert raised.value.exit_code == 2
