"""Between Inspect's messages and the JSON of chat completions, tools and all; without the openai package, which is not needed."""

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


def plain(message: Any) -> dict[str, object]:
    """A message of Inspect's as role and text, tool calls written out; raises InputError for pictures and the like."""
    return {"role": message.role, "content": spoken(message)}


def spoken(message: Any) -> str:
    """The text of a message and its tool calls, as judges and readers see them; raises InputError for other content."""
    parts = message.content if isinstance(message.content, list) else []
    foreign = sorted({part.type for part in parts} - {"text", "reasoning"})
    if foreign:
        raise InputError("this task shows the model more than text", value=foreign, fix="Take another task.")
    calls = [
        f"<tool_call>\n{json.dumps({'name': call.function, 'arguments': call.arguments}, ensure_ascii=False)}\n</tool_call>"
        for call in getattr(message, "tool_calls", None) or []
    ]
    return "\n\n".join([*([message.text] if message.text else []), *calls])


def to_json(message: Any) -> dict[str, Any]:
    """A message of Inspect's as one of a chat completion's request."""
    written: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        written["tool_call_id"] = message.tool_call_id
        if message.error is not None:
            written["content"] = f"Error: {message.error.message}"
    calls = getattr(message, "tool_calls", None)
    if calls:
        written["content"] = message.text or None
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function, "arguments": json.dumps(call.arguments)},
            }
            for call in calls
        ]
    return written


def tools_json(tools: Any, choice: Any) -> dict[str, Any]:
    """What a request says of the tools that may, or must, be called; nothing where there are none."""
    if not tools:
        return {}
    written = [
        {"type": "function", "function": tool.model_dump(exclude_none=True, exclude={"options"})}
        for tool in tools
    ]
    if not isinstance(choice, str):
        return {"tools": written, "tool_choice": {"type": "function", "function": {"name": choice.name}}}
    return {"tools": written, "tool_choice": "required" if choice == "any" else choice}


def output_of(completion: dict[str, Any], name: str) -> Any:
    """The `ModelOutput` of a chat completion; arguments that are no JSON are a parse error, which Inspect tells the model."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    choice, used = completion["choices"][0], completion.get("usage") or {}
    said = choice["message"]
    message = ChatMessageAssistant(
        content=said.get("content") or "",
        tool_calls=[_call(call) for call in said.get("tool_calls") or []] or None,
        model=name,
        source="generate",
    )
    # Without usage Inspect would count tokens with a tokenizer that it downloads.
    usage = ModelUsage(
        input_tokens=used.get("prompt_tokens") or 0,
        output_tokens=used.get("completion_tokens") or 0,
        total_tokens=used.get("total_tokens") or 0,
    )
    reason: Any = STOP_REASONS.get(choice.get("finish_reason"), "unknown")
    return ModelOutput(
        model=name, choices=[ChatCompletionChoice(message=message, stop_reason=reason)], usage=usage
    )


def _call(call: dict[str, Any]) -> Any:
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
