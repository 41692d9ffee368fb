"""What a server has, learned without paying for a generation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher.faults import fault_of, read_json, server_message
from kfp_sdg.teacher.sender import NO_SUCH_ENDPOINT, Sender
from kfp_sdg.teacher.served import ServedModel, read_listing

if TYPE_CHECKING:
    from kfp_sdg.teacher.transport import Reply


class Discovery:
    """The models and endpoints of one server; each is asked for once."""

    def __init__(self, sender: Sender) -> None:
        """Ask through this sender."""
        self._sender = sender
        self._served: tuple[ServedModel, ...] | None = None
        self._completions: bool | None = None
        self._one_at_a_time = asyncio.Lock()

    async def served(self) -> tuple[ServedModel, ...]:
        """Return the models that the server lists; empty where it has no such list.

        Raises:
            TeacherError: The server cannot be reached, wants a key, or sends no list of models.
        """
        async with self._one_at_a_time:
            if self._served is None:
                reply = await self._sender.question("/models")
                missing = reply.status in NO_SUCH_ENDPOINT
                self._served = () if missing else self._listed(reply)
            return self._served

    async def has_completions(self) -> bool:
        """Tell whether the server has ``/v1/completions``.

        A GET is refused with 405 where only a POST is served (vLLM and every FastAPI server);
        llama.cpp says 404 to that, so a POST follows whose body, an empty list, no server can
        generate from: 400 or 422 where the endpoint exists, 404 where it does not.

        Raises:
            TeacherError: The server cannot be reached, or wants a key.
        """
        async with self._one_at_a_time:
            if self._completions is None:
                reply = await self._sender.question("/completions")
                if reply.status != 405:
                    reply = await self._sender.question("/completions", body=[])
                    self._completions = reply.status not in NO_SUCH_ENDPOINT
                else:
                    self._completions = True
            return self._completions

    def _listed(self, reply: Reply) -> tuple[ServedModel, ...]:
        payload = read_json(reply.body)
        listed = read_listing(payload)
        if reply.status != 200 or listed is None:
            said = server_message(payload, reply.body, self._sender.key)
            message = (
                "GET /models was answered with no list of models: is this the URL of a server "
                "with an OpenAI-compatible API?"
            )
            if 300 <= reply.status < 400:
                fault = fault_of(reply, "GET /models", self._sender.key)
                message = f"{fault.message}; {fault.advice}"
            raise TeacherError(
                message,
                url=self._sender.url,
                status=reply.status,
                server_message=said or None,
                fatal=True,
            )
        return listed
