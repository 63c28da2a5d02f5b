"""Checkpoints that vLLM serves in this process, on a GPU."""

from mendel.models.vllm.chat import VllmChat, side_by_side_in_vllm

__all__ = ["VllmChat", "side_by_side_in_vllm"]
