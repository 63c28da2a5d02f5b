"""Gradients of single examples, randomly projected module by module. bergson collects them (the extra
`attribution`).
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.models.local.batches import by_length
from mendel.models.templates import Example

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from transformers import PreTrainedModel

PROJECTION = 16
"""Rows and columns of a module's projected gradient: TrackStar's default in bergson."""
PROJECTION_SEED = 0
BATCH_ROWS = 32
"""Rows of a batch at most."""
BATCH_TOKENS = 4096
"""Padded tokens of a batch at most."""
IGNORED = -100
"""The label of tokens without loss."""


def require_bergson(where: str | None = None) -> None:
    """Raise InputError, at `where`, if bergson is not installed."""
    if importlib.util.find_spec("bergson") is None:
        raise InputError(
            "gradients are collected by bergson, which is not installed",
            where=where,
            fix="Install mendel[attribution]; on a CPU without torchvision and torchaudio "
            "(docs/selectors.md).",
        )


def projected_gradients(
    model: PreTrainedModel, examples: Sequence[Example]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the gradient of each example's mean loss over its answer, by module: (examples, 256), float32.

    The gradients are projected from both sides by fixed random signs, which keeps inner products on average
    (Chang et al., TrackStar, arXiv 2410.17413). Raises InputError if bergson is not installed.
    """
    require_bergson()
    output = StringIO()
    with warnings.catch_warnings(), redirect_stdout(output), redirect_stderr(output):
        warnings.simplefilter("ignore")
        return _collected(model, examples)


def _collected(model: PreTrainedModel, examples: Sequence[Example]) -> dict[str, npt.NDArray[np.float32]]:
    import numpy as np
    from bergson import CollectorComputer, GradientProcessor, IndexConfig, InMemoryCollector
    from datasets import Dataset

    labels = [
        [token if trained else IGNORED for token, trained in zip(e.input_ids, e.loss_mask, strict=True)]
        for e in examples
    ]
    data = Dataset.from_dict(
        {
            "input_ids": [list(e.input_ids) for e in examples],
            "labels": labels,
            "length": [len(e.input_ids) for e in examples],
        }
    )
    batches = list(by_length([len(e.input_ids) for e in examples], BATCH_ROWS, BATCH_TOKENS))
    logging.getLogger("CollectorComputer").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        # bergson writes its losses there.
        run = Path(scratch, "run")
        run.with_suffix(".part").mkdir()
        config = IndexConfig(
            run_path=str(run),
            loss_reduction="mean",
            projection_dim=PROJECTION,
            projection_seed=PROJECTION_SEED,
        )
        processor = GradientProcessor(projection_dim=PROJECTION, projection_seed=PROJECTION_SEED)
        inner: Any = model.base_model
        collector = InMemoryCollector(model=inner, data=data, cfg=config, processor=processor)
        computer = CollectorComputer(model=model, data=data, collector=collector, batches=batches, cfg=config)
        model.eval()
        computer.run_with_collector_hooks(desc="gradients")
    return {
        name: np.asarray(gradient, dtype=np.float32) for name, gradient in sorted(collector.gradients.items())
    }
