"""The trainer `fleet`: students of one base side by side, in packed passes.

`fleet.py` is the trainer: what is trained together, and what happens when memory runs out. `lockstep.py`
takes the optimizer steps. `passes.py`, `packing.py`, `attention.py` and `last_block.py` are the forward pass;
`adapters.py` and `stacks.py` are the students' LoRA adapters, on a CPU and on a GPU.
"""
