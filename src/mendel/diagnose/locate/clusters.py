"""Clusters of prompts: Ward's on what is known of each, made anew for every set that is split, so that what
differs in it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float64]

LARGEST = 3000
"""Prompts that Ward's linkage takes at once (it holds all distances); more are gathered by k-means first."""


@dataclass(frozen=True)
class Features:
    """What is known of each prompt, in blocks (such as the prompt's text, and how the teachers' answers
    differ).
    """

    ids: tuple[str, ...]
    blocks: tuple[Matrix, ...]
    """Prompts x width each, in the order of the ids."""
    weights: tuple[float, ...] = ()
    """Of each block, beside their being brought to one total variance; none: they weigh alike."""

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != len(self.blocks):
            raise ValueError("every block has a weight, or none has")
        for block in self.blocks:
            if len(block) != len(self.ids) or not np.isfinite(block).all():
                raise ValueError("a block of features has a finite row for every prompt")

    def split(self, ids: Sequence[str], count: int, seed: int = 0) -> list[tuple[str, ...]]:
        """Return some of the prompts in at most `count` clusters, the largest first, by Ward's linkage.

        J. Ward, J. Am. Stat. Assoc. 58, 1963. It is one cluster where nothing tells the prompts apart.
        Raises ValueError where `count` is below 1.
        """
        if count < 1:
            raise ValueError(f"{count} clusters")
        if len(ids) <= 1 or count == 1:
            return [tuple(ids)] if ids else []
        rows = self._scaled(ids)
        if not rows.any():
            return [tuple(ids)]
        labels = _labels(rows, min(count, len(ids)), seed)
        groups: dict[int, list[str]] = {}
        for prompt_id, label in zip(ids, labels, strict=True):
            groups.setdefault(int(label), []).append(prompt_id)
        return sorted((tuple(group) for group in groups.values()), key=lambda g: (-len(g), g))

    def _scaled(self, ids: Sequence[str]) -> Matrix:
        """Return the rows of these prompts, each block centred and scaled to one total variance."""
        place = {prompt_id: row for row, prompt_id in enumerate(self.ids)}
        rows = [place[prompt_id] for prompt_id in ids]
        scaled = []
        for block, weight in zip(self.blocks, self.weights or (1.0,) * len(self.blocks), strict=True):
            centred = block[rows] - block[rows].mean(axis=0)
            spread = float(np.sqrt((centred**2).sum(axis=1).mean()))
            if spread > 1e-9:
                scaled.append(weight * centred / spread)
        return np.concatenate(scaled, axis=1) if scaled else np.zeros((len(rows), 1))


def one_hot(values: Sequence[str]) -> Matrix:
    """Return a matrix (values, kinds) with a column for every value that occurs: 1 where a row has it, else
    0.

    Args:
        values: One value a row.

    Returns:
        The matrix; its columns are in the order of the sorted values.
    """
    kinds = sorted(set(values))
    return np.array([[float(value == kind) for kind in kinds] for value in values])


def _labels(rows: Matrix, count: int, seed: int) -> npt.NDArray[np.int64]:
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(rows) <= LARGEST:
        labels: npt.NDArray[np.int64] = fcluster(linkage(rows, "ward"), count, "maxclust")
        return labels
    from sklearn.cluster import MiniBatchKMeans

    gathered = MiniBatchKMeans(LARGEST // 2, random_state=seed, n_init=1, batch_size=4096).fit(rows)
    of_prompt: npt.NDArray[np.int64] = _labels(gathered.cluster_centers_, count, seed)[gathered.labels_]
    return of_prompt
