"""Conversion between Inspect's messages and the JSON of chat completions, tools included.

Inspect's own conversion needs the openai package, which mendel does not.
"""

from __future__ import annotations

import json
from typing import Any

from mendel.engine.errors import InputError

STOP_REASONS = {
    "stop": "stop",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
"""Inspect's stop reason for each finish reason of a chat completion."""


def plain_message(message: Any) -> dict[str, object]:
    """Return an Inspect message as role and text, tool calls included; raise InputError for other content."""
    return {"role": message.role, "content": message_text(message)}


def message_text(message: Any) -> str:
    """Return the text of a message and its tool calls, as judges and readers see them.

    Raises:
        InputError: The message holds more than text, such as an image.
    """
    parts = message.content if isinstance(message.content, list) else []
    foreign = sorted({part.type for part in parts} - {"text", "reasoning"})
    if foreign:
        raise InputError(
            "this task shows the model more than text", value=foreign, fix="Choose a task that has only text."
        )
    calls = [_written_call(call) for call in getattr(message, "tool_calls", None) or []]
    return "\n\n".join([*([message.text] if message.text else []), *calls])


def _written_call(call: Any) -> str:
    content = json.dumps({"name": call.function, "arguments": call.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{content}\n</tool_call>"


def request_message(message: Any) -> dict[str, Any]:
    """Return an Inspect message as a message of a chat completion's request."""
    row: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        row["tool_call_id"] = message.tool_call_id
        if message.error is not None:
            row["content"] = f"Error: {message.error.message}"
    calls = getattr(message, "tool_calls", None)
    if calls:
        row["content"] = message.text or None
        row["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function, "arguments": json.dumps(call.arguments)},
            }
            for call in calls
        ]
    return row


def request_tools(tools: Any, choice: Any) -> dict[str, Any]:
    """Return the parts of a request that name the tools and say which must be called; {} without tools."""
    if not tools:
        return {}
    rows = [
        {"type": "function", "function": tool.model_dump(exclude_none=True, exclude={"options"})}
        for tool in tools
    ]
    if not isinstance(choice, str):
        return {"tools": rows, "tool_choice": {"type": "function", "function": {"name": choice.name}}}
    return {"tools": rows, "tool_choice": "required" if choice == "any" else choice}


def model_output(completion: dict[str, Any], name: str) -> Any:
    """Return Inspect's `ModelOutput` of a chat completion.

    Arguments that are no JSON object become the call's parse error, which Inspect reports to the model.
    """
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    choice, usage_row = completion["choices"][0], completion.get("usage") or {}
    row = choice["message"]
    message = ChatMessageAssistant(
        content=row.get("content") or "",
        tool_calls=[_tool_call(call) for call in row.get("tool_calls") or []] or None,
        model=name,
        source="generate",
    )
    # Without usage Inspect would count tokens with a tokenizer that it downloads.
    usage = ModelUsage(
        input_tokens=usage_row.get("prompt_tokens") or 0,
        output_tokens=usage_row.get("completion_tokens") or 0,
        total_tokens=usage_row.get("total_tokens") or 0,
    )
    reason: Any = STOP_REASONS.get(choice.get("finish_reason"), "unknown")
    return ModelOutput(
        model=name, choices=[ChatCompletionChoice(message=message, stop_reason=reason)], usage=usage
    )


def _tool_call(call: dict[str, Any]) -> Any:
    from inspect_ai.tool import ToolCall

    function = call["function"]
    arguments, problem = {}, None
    try:
        arguments = json.loads(function.get("arguments") or "{}")
        if not isinstance(arguments, dict):
            raise ValueError("not an object")
    except ValueError as error:
        arguments, problem = {}, f"the arguments are no JSON object ({error}): {function.get('arguments')}"
    return ToolCall(id=call["id"], function=function["name"], arguments=arguments, parse_error=problem)
