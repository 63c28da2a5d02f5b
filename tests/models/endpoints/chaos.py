"""A chaos endpoint on the loopback: answers that are a function of the request, after a while, and faults at
a given rate.

`python chaos.py [--delay 0.05]` serves without faults in a process of its own and prints its address.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

FAULTS = ("429", "429-after", "500", "cut", "malformed", "empty", "hang-up", "slow")
Reply = tuple[int, Any]


@dataclass
class Chaos:
    """What it does, and what it has done."""

    delay: float = 0.05
    faults: float = 0.0
    """The share of requests that fail."""
    kinds: tuple[str, ...] = FAULTS
    slow: float = 1.0
    """Seconds of a slow answer."""
    models: tuple[str, ...] = ("pea", "bean")
    refuse: Callable[[dict[str, Any]], Reply | None] | None = None
    """A status and a body in place of an answer."""
    usage: Callable[[dict[str, Any]], tuple[int, int] | None] | None = None
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Every completion that was asked for, faults included."""
    answered: Counter[str] = field(default_factory=Counter)
    """How often each body got a whole answer."""
    times: list[float] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    tokens: int = 0
    """Of all whole answers, the charged ones."""
    in_flight: int = 0
    peak: int = 0

    @property
    def requests(self) -> int:
        return len(self.bodies)

    def fault(self, body: dict[str, Any], nth: int) -> str | None:
        drawn = random.Random(f"{canonical(body)}{nth}")
        return drawn.choice(self.kinds) if drawn.random() < self.faults else None


def canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)


def answer(body: dict[str, Any]) -> str:
    return f"answer {hashlib.sha256(canonical(body).encode()).hexdigest()[:12]}"


def plain_usage(body: dict[str, Any]) -> tuple[int, int]:
    """A quarter of the bytes, as with a real tokenizer, and as many tokens of an answer as it may have at
    most.
    """
    longest = body.get("max_tokens") or body.get("max_completion_tokens") or 9
    prompt = sum(len(str(message["content"]).encode()) // 4 + 5 for message in body["messages"])
    return prompt, min(longest, 7)


def completion(body: dict[str, Any], usage: tuple[int, int] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer(body)}
    made: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    if usage is not None:
        made["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return made


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a client here speaks it: a framework would take more time than the answers."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos, self.buffer = chaos, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].decode()
        length = next(
            (
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length")
            ),
            0,
        )
        if len(self.buffer) < end + 4 + length:
            return
        body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
        if head.startswith("GET"):
            self.send(200, {"data": [{"id": name} for name in self.chaos.models]})
        else:
            self.asked(head, json.loads(body))

    def asked(self, head: str, body: dict[str, Any]) -> None:
        chaos = self.chaos
        nth = sum(1 for other in chaos.bodies if other == body) if chaos.faults else 0
        chaos.bodies.append(body)
        chaos.times.append(time.monotonic())
        chaos.headers.append(head)
        chaos.in_flight += 1
        chaos.peak = max(chaos.peak, chaos.in_flight)
        fault = chaos.fault(body, nth)
        delay = chaos.slow if fault == "slow" else chaos.delay
        # The loop's clock counts in whole milliseconds, and rounds up: half of one less is the delay on
        # average.
        asyncio.get_running_loop().call_later(delay - 0.0005, self.reply, body, fault)

    def reply(self, body: dict[str, Any], fault: str | None) -> None:
        chaos = self.chaos
        chaos.in_flight -= 1
        if self.transport.is_closing():
            return
        refused = chaos.refuse(body) if chaos.refuse else None
        usage = chaos.usage(body) if chaos.usage else plain_usage(body)
        whole = completion(body, usage)
        if refused is not None:
            self.send(*refused)
        elif fault in ("429", "429-after"):
            error = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
            self.send(429, error, {"Retry-After": "0.05"} if fault == "429-after" else {})
        elif fault == "500":
            self.send(500, {"error": {"message": "The server had an error"}})
        elif fault == "malformed":
            self.send(200, json.dumps(whole)[:-9])
        elif fault == "empty":
            self.send(200, {**whole, "choices": []})
        elif fault == "hang-up":
            self.transport.close()
        elif fault == "cut":
            self.transport.write(packet(200, json.dumps(whole), {})[:-20])
            self.transport.close()
        else:
            chaos.answered[canonical(body)] += 1
            chaos.tokens += sum(usage or (0, 0))
            self.send(200, whole)

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.transport.write(packet(status, text, headers or {}))


def packet(status: int, text: str, headers: dict[str, str]) -> bytes:
    data = text.encode()
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def _serve(chaos: Chaos, ready: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(chaos), "127.0.0.1", 0, backlog=1024)
    chaos.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    ready()
    await server.serve_forever()


@contextmanager
def serving(chaos: Chaos) -> Iterator[Chaos]:
    """Serves from a thread of its own for a while."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    task = loop.create_task(_serve(chaos, started.set))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield chaos
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05)
    stub = Chaos(delay=parser.parse_args().delay)
    asyncio.run(_serve(stub, lambda: print(stub.url, flush=True)))
