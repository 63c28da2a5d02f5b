"""The `file:` teacher: finished rollouts, matched with the prompts and checked against them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mendel.data.prompts import Message, Prompt, parse_messages
from mendel.data.records import Record, read_records
from mendel.data.rollouts import Rollout
from mendel.data.teachers.registry import VERSION, asked, some, teacher, with_system
from mendel.engine.digest import digest, file_digest
from mendel.engine.errors import InputError, RunError
from mendel.study.schema import TeacherConfig

log = logging.getLogger(__name__)


@teacher("file")
@dataclass(frozen=True)
class FileTeacher:
    """`file:PATH`: finished rollouts, matched with the prompts by `prompt_id`."""

    config: TeacherConfig
    name: str
    root: Path

    @property
    def digest(self) -> str:
        """Content address of the file."""
        return _file_digest(self.path, self.config)

    @property
    def path(self) -> Path:
        """The file. Raises InputError if it cannot be read."""
        read_records(self.config.model, self.root)
        return self.root / self.config.model.partition(":")[2]

    def chunks(self, prompts: Sequence[Prompt], seed: int) -> list[FinishedChunk]:
        """Return one chunk of all prompts; the seed has no effect.

        Args:
            prompts: The prompts that need a rollout.
            seed: Not used.

        Raises:
            InputError: The file's rows do not fit the prompts. This is found here, before other teachers
                start to work.
        """
        if not prompts:
            return []
        chunk = FinishedChunk(self.path, self.digest, self.config, self.name, tuple(prompts))
        chunk.run()
        return [chunk]


def _file_digest(path: Path, config: TeacherConfig) -> str:
    kept = config.system if config.keep_system else None
    return digest("teacher", [VERSION, "file", file_digest(path), config.system, kept])


@dataclass(frozen=True)
class FinishedChunk:
    """Finished rollouts of a file for some prompts."""

    path: Path
    content: str
    """The teacher's digest when the chunk was made."""
    config: TeacherConfig
    teacher: str
    prompts: tuple[Prompt, ...]

    @property
    def digest(self) -> str:
        """Content address of the file, the teacher's name and the prompts."""
        return digest("rollouts", [self.teacher, self.content, asked(self.prompts)])

    def run(self) -> list[Rollout]:
        """Return the rollouts in the prompts' order.

        Raises:
            InputError: A row is no rollout, or a prompt has no rollout or two; the message names file and
                line.
            RunError: The file changed since the chunk was made.
        """
        if _file_digest(self.path, self.config) != self.content:
            raise RunError("the file changed during the run", where=str(self.path), fix="Run again.")
        wanted = {prompt.prompt_id: prompt for prompt in self.prompts}
        rollouts: dict[str, Rollout] = {}
        places: dict[str, str] = {}
        unused = 0
        for record in read_records(f"file:{self.path.name}", self.path.parent):
            rollout = self._rollout(record, wanted)
            if rollout.prompt_id in places:
                raise InputError(
                    f"a second rollout for prompt {rollout.prompt_id!r}, "
                    f"first in {places[rollout.prompt_id]}",
                    where=record.where,
                    fix="Keep one rollout a prompt.",
                )
            places[rollout.prompt_id] = record.where
            if rollout.prompt_id in wanted:
                rollouts[rollout.prompt_id] = rollout
            else:
                unused += 1
        missing = [prompt_id for prompt_id in wanted if prompt_id not in rollouts]
        if missing:
            raise InputError(
                f"no rollout for {some(missing)} of {len(wanted)}",
                where=str(self.path),
                fix=f"Add them, or leave the prompts out of what teacher {self.teacher!r} answers.",
            )
        if unused:
            log.info("%s: %d rollouts belong to none of the prompts", self.path, unused)
        return [rollouts[prompt_id] for prompt_id in wanted]

    def _rollout(self, record: Record, wanted: dict[str, Prompt]) -> Rollout:
        row = record.row
        conversation, completion = _conversation_and_answer(record)
        prompt_id = row.get("prompt_id", row.get("id"))
        if prompt_id is None:
            raise InputError(
                f"no 'prompt_id' (keys: {', '.join(sorted(row))})",
                where=record.where,
                fix='Write {"prompt_id": "…", "completion": "…"}.',
            )
        if not completion.strip():
            raise InputError(
                f"the completion of prompt {str(prompt_id)!r} is empty",
                where=record.where,
                fix="An empty answer cannot be trained on: fill it in, or leave out the row and its prompt.",
            )
        prompt = wanted.get(str(prompt_id))
        if prompt is not None and conversation is not None:
            self._check_same(conversation, prompt, record.where)
        kept = self.config.system if self.config.keep_system else None
        tokens = row.get("tokens")
        return Rollout(
            prompt_id=str(prompt_id),
            teacher=self.teacher,
            messages=with_system(prompt.messages, kept) if prompt else (),
            completion=completion,
            finish_reason=str(row.get("finish_reason") or "file"),
            tokens=tokens if isinstance(tokens, int) and tokens >= 0 else None,
        )

    def _check_same(self, conversation: tuple[Message, ...], prompt: Prompt, where: str) -> None:
        # The teacher may have been asked under its system prompt; anything else is another prompt's answer.
        if conversation not in (prompt.messages, with_system(prompt.messages, self.config.system)):
            raise InputError(
                f"the rollout answers another conversation than prompt {prompt.prompt_id!r}",
                where=where,
                fix="Make the prompt's messages and the rollout's the same, or leave 'messages' out. "
                "Write a teacher's system prompt in the study, as the teacher's 'system'.",
            )


def _conversation_and_answer(record: Record) -> tuple[tuple[Message, ...] | None, str]:
    """Return a row's conversation (None without one) and its answer.

    The answer is `completion` (text or one turn), or the conversation's last turn.
    """
    row = record.row
    answer, conversation = row.get("completion"), None
    if row.get("messages") is not None:
        conversation = parse_messages(row["messages"], record.where)
        if conversation[-1]["role"] == "assistant":
            if answer is None:
                answer = conversation[-1]["content"]
            conversation = conversation[:-1]
    if isinstance(answer, list):
        turns = parse_messages(answer, record.where)
        answer = turns[0]["content"] if len(turns) == 1 and turns[0]["role"] == "assistant" else None
    if not isinstance(answer, str):
        raise InputError(
            "no 'completion' that is a text",
            where=record.where,
            fix='Write {"prompt_id": "…", "completion": "…"}.',
        )
    return conversation, answer
