"""A teacher with slots and no model, for measuring: ``python stub_server.py --port 8000``.

Every answer (prompt times ``n``) holds one slot for its latency; answers that find none wait in
line, first come, first served. The times at which slots become free lie in a heap, so that a late
timer of the event loop takes nothing of the server's capacity. A request is answered when its last
answer is written.

``GET /stats`` tells what was served and how busy the slots were, ``GET /count`` how many
answers were asked for and are in flight; ``POST /reset`` forgets it all and changes settings. What
is written depends on the document's number in the prompt alone, so that every system gets the same
answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import random
import re
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from benchmarks.flows import JUDGE_MARK, score

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]  # the mark that it is not there


ITEM = re.compile(r"Item (\d+)\.")
_PROBE_FACTOR = 0.02  # some clients first ask for one token, to see whether a server is there


@dataclass(frozen=True)
class Settings:
    """How the server behaves.

    Attributes:
        latency: Seconds that a generator's answer holds its slot.
        jitter: Share by which each latency varies, evenly to both sides: 0.5 is 50 % to 150 %.
        judge_factor: A judge's latency in latencies of a generator.
        slots: Answers written at the same time.
    """

    latency: float = 0.1
    jitter: float = 0.0
    judge_factor: float = 1.0
    slots: int = 64


class Slots:
    """The slots and what they did since the last reset; times are ``time.monotonic``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._free = [0.0] * settings.slots
        self._random = random.Random(7)
        self.spans: list[tuple[float, float]] = []
        self.requests = self.in_flight = self.most_in_flight = 0
        self._in_flight_seconds = self._changed = 0.0
        self.first: float | None = None
        self.cpu_before = time.process_time()

    def take(self, answers: int, *, factor: float = 1.0, now: float) -> float:
        """Let that many answers be written; return when the last of them is done.

        Args:
            answers: How many.
            factor: Their latency in latencies of the server.
            now: The moment.
        """
        settings = self.settings
        if self.first is None:
            self.first = now
        done = now
        for _ in range(answers):
            latency = settings.latency * factor
            latency *= 1 + settings.jitter * (2 * self._random.random() - 1)
            start = max(now, self._free[0])
            heapq.heapreplace(self._free, start + latency)
            self.spans.append((start, start + latency))
            done = max(done, start + latency)
        return done

    def change_in_flight(self, answers: int, now: float) -> None:
        """Note that answers were asked for, or (a negative number) that they were sent."""
        self._in_flight_seconds += self.in_flight * (now - self._changed)
        self._changed = now
        self.in_flight += answers
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def busy(self, start: float, end: float) -> float:
        """Return the share of the slots' time between two moments in which they were busy."""
        busy = sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.spans)
        return busy / (self.settings.slots * (end - start)) if end > start else 0.0

    def _timeline(self, first: float, last: float, step: float) -> Iterator[float]:
        steps = int((last - first) / step)
        for i in range(steps):
            yield round(self.busy(first + i * step, first + (i + 1) * step), 4)

    def stats(self) -> dict[str, Any]:
        """Return what was served.

        Returns:
            requests, answers: counts. first, last: moments of the first request and the last answer
            (None without any). span: seconds between them. utilisation: busy slot seconds over
            slots times span. timeline: utilisation of each half second. most_in_flight and
            mean_in_flight: answers. cpu: seconds that this process used.
        """
        last = max((end for _, end in self.spans), default=None)
        result: dict[str, Any] = {
            "requests": self.requests,
            "answers": len(self.spans),
            "most_in_flight": self.most_in_flight,
            "mean_in_flight": 0.0,
            "cpu": time.process_time() - self.cpu_before,
            "first": self.first,
            "last": last,
            "span": 0.0,
            "utilisation": 0.0,
            "timeline": [],
        }
        if self.first is not None and last is not None:
            result["span"] = last - self.first
            result["mean_in_flight"] = self._in_flight_seconds / (last - self.first)
            result["utilisation"] = self.busy(self.first, last)
            result["timeline"] = list(self._timeline(self.first, last, 0.5))
        return result


class Server:
    """The HTTP side. One handler, no routing: what it costs is not the client's to pay."""

    def __init__(self, settings: Settings) -> None:
        self.slots = Slots(settings)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        path = request.path
        if path.endswith("/completions"):
            if request.method != "POST":
                return web.Response(status=405)
            return await self._answer(request, chat="/chat/" in path)
        if path.endswith("/models"):
            return _json({"object": "list", "data": [{"id": "stub", "object": "model"}]})
        if path == "/count":
            return _json({"begun": len(self.slots.spans), "in_flight": self.slots.in_flight})
        if path == "/stats":
            return _json(self.slots.stats())
        if path == "/reset":
            changes = _read(await request.read() or b"{}")
            self.slots = Slots(replace(self.slots.settings, **changes))
            return _json(asdict(self.slots.settings))
        if path == "/health":
            return web.Response()
        return web.Response(status=404)

    async def _answer(self, request: web.BaseRequest, *, chat: bool) -> web.Response:
        now = time.monotonic()
        try:
            body = _read(await request.read())
        except ConnectionResetError:  # a client that was killed while it sent
            return web.Response(status=400)
        prompts, n = _prompts(body, chat=chat), body.get("n") or 1
        slots, count = self.slots, len(prompts) * n
        slots.requests += 1
        slots.change_in_flight(count, now)
        try:
            done = slots.take(count, factor=self._factor(body, prompts[0]), now=now)
            await asyncio.sleep(done - time.monotonic())
        finally:
            slots.change_in_flight(-count, time.monotonic())
        texts = [_text(prompt, k) for prompt in prompts for k in range(n)]
        return _json(_completion(texts, len(prompts), chat=chat))

    def _factor(self, body: dict[str, Any], prompt: str) -> float:
        """Return an answer's latency in latencies of the server."""
        if body.get("max_tokens") == 1:
            return _PROBE_FACTOR
        return self.slots.settings.judge_factor if JUDGE_MARK in prompt else 1.0


def _read(text: bytes) -> Any:
    return orjson.loads(text) if orjson else json.loads(text)


def _json(value: Any) -> web.Response:
    body = orjson.dumps(value) if orjson else json.dumps(value).encode()
    return web.Response(body=body, content_type="application/json")


def _prompts(body: dict[str, Any], *, chat: bool) -> list[str]:
    if not chat:
        prompt = body["prompt"]
        return prompt if isinstance(prompt, list) else [prompt]
    contents = (message.get("content") or "" for message in body["messages"])
    return ["\n".join(c if isinstance(c, str) else json.dumps(c) for c in contents)]


def _text(prompt: str, k: int) -> str:
    found = ITEM.search(prompt)
    item = int(found[1]) if found else 0
    if JUDGE_MARK in prompt:
        reason = "The text was compared with the answer, sentence by sentence."
        return f"[Reason]\n{reason}\n[End]\n[Score]\n{score(item)}\n[End]"
    return (
        f"[Question]\nWhat is told about item {item} in its part {k} of the text given here?\n"
        f"[Answer]\nItem {item} is described in part {k} by the things that stand around it, each "
        "of them named once or more often, in an order that has no meaning.\n[End]"
    )


def _completion(texts: list[str], prompts: int, *, chat: bool) -> dict[str, Any]:
    read, written = 190 * prompts, 55 * len(texts)
    return {
        "id": "stub",
        "object": "chat.completion" if chat else "text_completion",
        "created": 0,
        "model": "stub",
        "choices": [
            {
                "index": i,
                "finish_reason": "stop",
                "logprobs": None,
                **({"message": {"role": "assistant", "content": text}} if chat else {"text": text}),
            }
            for i, text in enumerate(texts)
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
    }


async def _serve(port: int, settings: Settings) -> None:
    runner = web.ServerRunner(web.Server(Server(settings).handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until the process is stopped; the port is the one line of output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    for name, default in asdict(Settings()).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", dest=name, type=type(default), default=default
        )
    options = vars(parser.parse_args())
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.pop("port"), Settings(**options)))


if __name__ == "__main__":
    main()
