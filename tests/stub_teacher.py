"""A teacher without a model: an OpenAI-compatible server whose answers are computed.

    with StubTeacher() as stub:
        pool = connect(TeacherOptions(url=stub.url))
        ...
        assert stub.requests[0]["max_tokens"] == 256

Answers are a function of prompt, seed and place among the choices (see ``stub_answers``), so that
two runs give the same rows. Settings are plain attributes and may be changed while it runs. In a
process of its own: ``python -m stub_teacher --port 8000`` (from the folder ``tests``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from stub_answers import Answerer, Ask, tagged_answer
from stub_faults import Ailment, Fault, error_body, show, too_long
from stub_shapes import chat_choice, model_list, text_choice

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from stub_prefix_cache import StubPrefixCache


@dataclass
class Call:
    """One HTTP request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None
    peer: Any = None


@dataclass
class StubTeacher:
    """The server; a context manager that runs it in a thread of its own.

    Attributes:
        models: The names that ``/v1/models`` lists; another name in a request gets a 404.
        answer: Writes the text of one choice; None as text becomes JSON's null.
        values: What may stand between tags, by the tag's name: ``{"score": ["2"]}``.
        latency: Seconds that an answer takes; or a function of the prompt that gives them.
        jitter: How far the seconds stray to either side, as a share of them; drawn from the prompt.
        slots: How many answers are written at the same time; others wait. None: all of them.
        api_key: The key that requests must carry; a wrong one gets vLLM's 401 with a string.
        max_n: The largest ``n``; more gets llama.cpp's 400. None: any.
        ignore_n: Always one choice, as llama-cpp-python does.
        refuse_lists: A list of prompts gets a 500, as from llama-cpp-python.
        chat_only: There is no ``/v1/completions``.
        lists_models: There is a ``/v1/models``.
        models_body: What ``/v1/models`` says instead of a list.
        models_status: The status of ``models_body``.
        models_headers: Further headers of ``models_body``.
        poison: Text in a prompt → the status that such a prompt always gets.
        max_context: Words of a prompt above which it gets vLLM's 400.
        most_choices: No answer holds more choices than this.
        finish_reason: Why every choice ended.
        reverse_choices: Choices are sent last first, with right indices.
        prefix_cache: Reads every prompt; ``/metrics`` tells what it found. None: no such page.
        count_repeats: The second request of an equal prompt gets other text than the first.
        port: Where to listen; 0 takes a free one.
        tls: The certificate it shows; None: plain HTTP.
    """

    models: Sequence[str] = ("stub-model",)
    answer: Answerer | None = None
    values: Mapping[str, Sequence[str]] | None = None
    latency: float | Callable[[str], float] = 0.0
    jitter: float = 0.0
    slots: int | None = None
    api_key: str | None = None
    max_n: int | None = None
    ignore_n: bool = False
    refuse_lists: bool = False
    chat_only: bool = False
    lists_models: bool = True
    models_body: str | None = None
    models_status: int = 200
    models_headers: Mapping[str, str] = field(default_factory=dict)
    poison: Mapping[str, int] = field(default_factory=dict)
    max_context: int | None = None
    most_choices: int | None = None
    finish_reason: str = "stop"
    reverse_choices: bool = False
    count_repeats: bool = False
    prefix_cache: StubPrefixCache | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.calls: list[Call] = []
        self.max_in_flight = 0
        self._in_flight = 0
        self._faults: deque[Fault] = deque()
        self._ailment = Ailment()
        self._repeats: Counter[str] = Counter()
        self._answer = self.answer or tagged_answer(self.values)
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread: threading.Thread | None = None
        self._free_slots: asyncio.Semaphore | None = None

    # -- what tests use -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base URL, with ``/v1``."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all requests for answers, failed ones included, in order of arrival."""
        return [c.body for c in self.calls if c.method == "POST" and isinstance(c.body, dict)]

    @property
    def prompts(self) -> list[str]:
        """The prompt of each of ``requests``; of chat requests the messages' contents joined."""
        return [_prompt_text(body) for body in self.requests]

    def fail_next(
        self,
        status: int = 503,
        *,
        times: int = 1,
        kind: str = "status",
        body: Any = None,
        retry_after: str | float | None = None,
    ) -> None:
        """Let the next requests for answers fail; see ``Fault`` for the kinds."""
        self._faults.extend([Fault.of(kind, status, body, retry_after)] * times)

    def fail_often(
        self,
        share: float,
        status: int = 429,
        *,
        kind: str = "status",
        retry_after: str | float | None = None,
    ) -> None:
        """Let a share of all requests for answers fail from now on, evenly spread."""
        self._ailment = Ailment(Fault.of(kind, status, None, retry_after), share=share)

    def fail_for(self, seconds: float, status: int = 503, *, kind: str = "status") -> None:
        """Let every request for answers fail for some time from now on."""
        self._ailment = Ailment(
            Fault.of(kind, status, None, None), until=time.monotonic() + seconds
        )

    def restart(self, seconds: float, *, after: float = 0.0) -> None:
        """Go away and come back: whoever is connected is cut off, the port refuses connections.

        Args:
            seconds: How long it is away.
            after: In how many seconds it goes.
        """
        asyncio.run_coroutine_threadsafe(self._restart(seconds, after), self._loop)

    async def _restart(self, seconds: float, after: float) -> None:
        await asyncio.sleep(after)
        await self._close_port()
        await asyncio.sleep(seconds)
        await self.start()

    def reset(self) -> None:
        """Forget all calls, repeats and faults still to come."""
        self.calls.clear()
        self._faults.clear()
        self._ailment = Ailment()
        self._repeats.clear()
        self.max_in_flight = 0

    # -- life -----------------------------------------------------------------------------------

    def __enter__(self) -> StubTeacher:
        self._thread = threading.Thread(target=self._loop.run_forever, name="stub", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._loop.close()

    async def start(self) -> None:
        """Listen, on the running loop."""
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._free_slots = asyncio.Semaphore(self.slots) if self.slots else None
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port; requests in flight are cut off."""
        await self._close_port()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _close_port(self) -> None:
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            for connection in list(self._runner.server.connections if self._runner.server else ()):
                connection.force_close()
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()

    # -- serving --------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        peer = request.get_extra_info("peername")
        self.calls.append(Call(request.method, request.path, dict(request.headers), body, peer))
        if request.path == "/health":
            return web.Response()
        if request.path == "/metrics" and self.prefix_cache:
            return web.Response(text=self.prefix_cache.metrics())
        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if request.path == "/v1/models" and self.lists_models:
            if self.models_body is not None:
                return web.Response(
                    text=self.models_body, status=self.models_status, headers=self.models_headers
                )
            return web.json_response(model_list(self.models))
        endpoints = {"/v1/chat/completions"} | (set() if self.chat_only else {"/v1/completions"})
        if request.path not in endpoints:
            return web.json_response({"detail": "Not Found"}, status=404)
        if request.method != "POST":
            return web.json_response({"detail": "Method Not Allowed"}, status=405)
        if not isinstance(body, dict):
            return _refusal(400, "the request body is no JSON object")
        return await self._counted(request, body)

    async def _counted(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            fault = self._faults.popleft() if self._faults else self._ailment.next()
            if fault is not None:
                return await show(fault, request)
            return self._refused(body) or await self._generate(request.path, body)
        finally:
            self._in_flight -= 1

    def _refused(self, body: dict[str, Any]) -> web.Response | None:
        """Return the error that this request always gets, if it gets one."""
        model, n = body.get("model"), body.get("n") or 1
        if model is not None and model not in self.models:
            return _refusal(404, f"The model `{model}` does not exist.", "NotFoundError")
        if self.max_n and n > self.max_n:
            limits = f"Value must be between 1 <= value <= {self.max_n}, but got {n}"
            return _refusal(400, f"Field 'n': {limits}", "invalid_request_error")
        if self.refuse_lists and isinstance(body.get("prompt"), list):
            return _refusal(500, "")
        prompt = _prompt_text(body)
        if self.max_context is not None and len(prompt.split()) > self.max_context:
            return _refusal(400, too_long(self.max_context, len(prompt.split())))
        for poison, status in self.poison.items():
            if poison in prompt:
                return _refusal(status, "poisoned prompt")
        return None

    async def _generate(self, path: str, body: dict[str, Any]) -> web.Response:
        if self.prefix_cache:
            self.prefix_cache.read(_prompt_text(body))
        async with self._free_slots or contextlib.nullcontext():
            await asyncio.sleep(self._seconds(_prompt_text(body)))
        n = 1 if self.ignore_n else body.get("n") or 1
        prompts = body["prompt"] if isinstance(body.get("prompt"), list) else [_prompt_text(body)]
        texts = [text for prompt in prompts for text in self._texts(prompt, body, n)]
        shape = chat_choice if path.endswith("/chat/completions") else text_choice
        choices = [
            shape(index, text, body, self.finish_reason) for index, text in enumerate(texts)
        ][: self.most_choices]
        if self.reverse_choices:
            choices.reverse()
        read = sum(len(prompt.split()) for prompt in prompts)
        written = sum(len((text or "").split()) for text in texts)
        return web.json_response(
            {
                "id": "stub",
                "object": "chat.completion" if shape is chat_choice else "text_completion",
                "created": 0,
                "model": body.get("model"),
                "choices": choices,
                "usage": {
                    "prompt_tokens": read,
                    "completion_tokens": written,
                    "total_tokens": read + written,
                },
            }
        )

    def _seconds(self, prompt: str) -> float:
        seconds = self.latency(prompt) if callable(self.latency) else self.latency
        if not self.jitter:
            return seconds
        stray = Ask(prompt).number / 2**48  # from 0 to 1, the same for the same prompt
        return seconds * (1 + self.jitter * (2 * stray - 1))

    def _texts(self, prompt: str, body: dict[str, Any], n: int) -> list[str | None]:
        first = self._repeats[prompt] if self.count_repeats else 0
        self._repeats[prompt] += n
        return [self._answer(Ask(prompt, body, first + k)) for k in range(n)]


def _prompt_text(body: Mapping[str, Any]) -> str:
    if "messages" in body:
        return "\n".join(str(message.get("content") or "") for message in body["messages"])
    prompt = body.get("prompt")
    return prompt if isinstance(prompt, str) else json.dumps(prompt)


def _refusal(status: int, message: str, kind: str = "BadRequestError") -> web.Response:
    return web.json_response(error_body(message, status, kind), status=status)


async def _serve_until_stopped(stub: StubTeacher) -> None:
    await stub.start()
    print(stub.url, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Run the stub in this process until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--model", action="append", dest="models")
    args = parser.parse_args()
    stub = StubTeacher(
        models=args.models or ("stub-model",),
        latency=args.latency,
        slots=args.slots,
        port=args.port,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_until_stopped(stub))


if __name__ == "__main__":
    main()
