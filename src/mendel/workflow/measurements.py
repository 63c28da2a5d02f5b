"""One model's responses and their scores, as they are in the store: what is there, and what is left to do."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.store import Store
from mendel.engine.trace import span
from mendel.results.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.measure import Health, Trait
    from mendel.models import ChatModel


MEASURING_SEED = 0
"""The seed of the sampling of all responses, in every command: models answer under the same draws."""
RESPONSES_VERSION = 1
"""Counts up when the same model, trait and seed would give other responses."""
MEASUREMENT_VERSION = 2
"""Counts up when the same responses would be scored differently, or stand in other columns."""
_judging = threading.Lock()


@dataclass(frozen=True)
class Measurements:
    """One model's responses in the store, and their scores: what is there, and what is left to do."""

    store: Store
    model: str
    """The model's name in the store: a student's digest, or `ModelJob.model`."""
    seed: int = MEASURING_SEED

    def responses_key(self, probe: Trait) -> str:
        """Return the store's name for the responses to a probe, whoever judges them."""
        asked = probe.responses_digest
        content = {"model": self.model, "asked": asked, "seed": self.seed, "version": RESPONSES_VERSION}
        return digest("responses", content)

    def scores_key(self, probe: Trait) -> str:
        """Return the store's name for the scored responses to a probe."""
        content = {"model": self.model, "trait": probe.digest, "seed": self.seed}
        return digest("measurement", {**content, "version": MEASUREMENT_VERSION})

    def answered(self, probe: Trait) -> bool:
        """Return whether the responses to a probe are there."""
        return self.store.has("responses", self.responses_key(probe))

    def scored(self, probe: Trait) -> bool:
        """Return whether the responses to a probe are there with their scores."""
        return self.store.has("measurements", self.scores_key(probe))

    def finished(self, probe: Trait) -> bool:
        """Return whether a worker has nothing left to do for a probe.

        Its responses are scored or, where a model judges (which scores them later, elsewhere), present.
        """
        from mendel.measure import needs_model

        return self.answered(probe) if needs_model(probe) else self.scored(probe)

    def left(self, probes: Sequence[Trait]) -> list[Trait]:
        """Return the probes that a worker is not finished with."""
        return [probe for probe in probes if not self.finished(probe)]

    def responses(self, probe: Trait) -> pa.Table | None:
        """Return the responses to a probe, not scored; None where they are not there."""
        file = self.store.path("responses", self.responses_key(probe)) / "responses.parquet"
        return read_table(file) if file.exists() else None

    def scores(self, probe: Trait) -> pa.Table | None:
        """Return the scored responses to a probe (columns of `measurement_schema`); None where they are not there."""
        file = self.store.path("measurements", self.scores_key(probe)) / "measurement.parquet"
        return read_table(file) if file.exists() else None

    def write_responses(self, probe: Trait, respond: Callable[[Path], pa.Table]) -> None:
        """Store the responses to a probe; `respond` is given the folder for an Inspect task's logs."""
        import pyarrow.parquet as pq

        with self.store.writing("responses", self.responses_key(probe)) as folder:
            table = respond(folder / "inspect")
            pq.write_table(table, folder / "responses.parquet", compression="zstd")

    def write_scores(self, probe: Trait, table: pa.Table) -> None:
        """Store the scored responses to a probe."""
        import pyarrow.parquet as pq

        with self.store.writing("measurements", self.scores_key(probe)) as folder:
            pq.write_table(table, folder / "measurement.parquet", compression="zstd")

    def measure(
        self,
        probe: Trait,
        chat: Callable[[], ChatModel],
        *,
        asked: Trait | None = None,
        responses: pa.Table | None = None,
    ) -> None:
        """Ask a model a probe and score its responses, each unless the store has it.

        Args:
            probe: What is measured.
            chat: Opens the model; called only where it has to be asked.
            asked: The probe as this model is asked it (under a system prompt, with a prefix); None: as it
                stands.
            responses: What the model answered, where it was asked before.
        """
        from mendel.measure import judge_responses, needs_model, respond

        asked = asked or probe
        if not self.answered(probe):

            def respond_now(logs: Path) -> pa.Table:
                with span("answer", traits=probe.name):
                    return respond(chat(), asked, self.seed, self.model, logs)

            given = responses
            self.write_responses(probe, respond_now if given is None else lambda _: given)
        if not needs_model(probe):
            table = self.responses(probe)
            assert table is not None, "they were written just before"
            # A user's own judge need not bear to be asked by several students at once.
            with span("judge", trait=probe.name), _judging:
                scores = judge_responses(table, asked)
            self.write_scores(probe, scores)

    def health(self, assistant: Trait) -> Health:
        """Return how the model answers plain questions, from its scored responses to the assistant's probe."""
        from mendel.measure import assistant_health

        table = self.scores(assistant)
        assert table is not None, "the assistant's probe is measured first"
        return assistant_health(table, assistant)

    def copy_logs(self, probe: Trait, folder: Path) -> None:
        """Copy an Inspect task's logs out of the store, where there are any."""
        logs = self.store.path("responses", self.responses_key(probe)) / "inspect"
        if logs.is_dir():
            shutil.copytree(logs, folder, dirs_exist_ok=True)
