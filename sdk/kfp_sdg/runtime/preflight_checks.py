"""The checks of a preflight, made for all servers and models at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.blocks.model_choice import chosen_model, run_family_for
from kfp_sdg.engine.needs import BlockNeed
from kfp_sdg.errors import TeacherError
from kfp_sdg.prompts import CHAT, resolve_family
from kfp_sdg.runtime import preflight_words as words
from kfp_sdg.runtime.preflight_report import Finding, PreflightReport, State
from kfp_sdg.teacher.inspection import (
    context_of_llama_server,
    obeys_grammars,
    other_base_url,
    seconds_to_one_token,
)
from kfp_sdg.teacher.served import ServedModel, context_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from kfp_sdg.teacher import Teacher, TeacherOptions, TeacherPool
    from kfp_sdg.teacher.outage import OutageWatcher
    from kfp_sdg.teacher.sender import Sender

_REFUSED_KEY = (401, 403)


@dataclass(frozen=True, slots=True)
class _Server:
    """A server of the run.

    Attributes:
        sender: Through whom it is asked.
        teacher: The same as a teacher.
    """

    sender: Sender
    teacher: Teacher

    @property
    def url(self) -> str:
        return self.sender.url


@dataclass(frozen=True, slots=True)
class _Use:
    """What all blocks together want of one model.

    Attributes:
        server: Who answers for it.
        model: Its name.
        chats: By which endpoints it will be asked: chat (True), completions (False).
        needs: What the blocks need.
    """

    server: _Server
    model: str
    chats: frozenset[bool]
    needs: tuple[BlockNeed, ...]


@dataclass(slots=True)
class _Inspection:
    """One preflight; see ``inspect_teachers`` for the settings."""

    pool: TeacherPool
    needs: Sequence[BlockNeed]
    endpoints: Mapping[str, str]
    model_id: str | None
    model_family: str | None
    max_num_tokens: int
    context_length: int
    constrain: bool
    served: dict[str, tuple[ServedModel, ...]] = field(default_factory=dict)

    async def findings(self) -> list[Finding]:
        """Make all checks; what a server that failed would have to answer is left out."""
        servers = {server.url: server for server in map(self._server, [None, *self.endpoints])}
        found = await _all(self._check_server(server) for server in servers.values())
        uses, unnamed = await self._uses()
        asked = await _all(self._check_use(use) for use in uses)
        answered = {use.server.url for use in uses if ("answer", use.model) in _passed(asked)}
        keys = [self._key_taken(server) for url, server in servers.items() if url in answered]
        return [*found, *keys, *unnamed, *asked]

    def _key_taken(self, server: _Server) -> Finding:
        key = server.sender.key
        return Finding("key", server.url, State.PASSED, words.key_taken(key))

    def _server(self, model: str | None) -> _Server:
        sender = self.pool.sender(model)
        if sender is None:
            raise TeacherError("the preflight needs teachers with a server")
        return _Server(sender, self.pool.teacher(model))

    async def _check_server(self, server: _Server) -> list[Finding]:
        """Check URL and key; note what the server has."""
        try:
            served = await server.teacher.served()
        except TeacherError as error:
            return [await self._server_failure(server, error)]
        if not served and (better := await other_base_url(server.sender)):
            return [Finding("server", server.url, State.FAILED, words.api_elsewhere(better))]
        self.served[server.url] = served
        if served:
            return [Finding("server", server.url, State.PASSED, words.serves(served))]
        return [Finding("server", server.url, State.WARNING, words.NO_LIST)]

    async def _server_failure(self, server: _Server, error: TeacherError) -> Finding:
        if error.status in _REFUSED_KEY:
            return Finding("key", server.url, State.FAILED, words.key_refused(error))
        text = words.unreachable(error)
        if error.status is not None and (better := await other_base_url(server.sender)):
            text = words.api_elsewhere(better)
        return Finding("server", server.url, State.FAILED, text)

    async def _uses(self) -> tuple[list[_Use], list[Finding]]:
        """Return what is wanted of each model, and what is wrong where none is named."""
        wanted: dict[tuple[str, str], list[tuple[BlockNeed, bool]]] = {}
        unnamed: dict[str, list[BlockNeed]] = {}
        # A server that the run names for a model is there to be asked for it.
        named = {need.model_id or need.insisted for need in self.needs}
        idle = [BlockNeed(insisted=model) for model in self.endpoints if model not in named]
        servers: dict[str, _Server] = {}
        for need in [*(self.needs or [BlockNeed()]), *idle]:
            model = chosen_model(
                insisted=need.insisted or None,
                own=need.model_id or None,
                run=self.model_id,
                has_endpoint=self.pool.has_endpoint,
            )
            server = self._server(model)
            servers[server.url] = server
            listed = self.served.get(server.url)
            if listed is None:
                continue  # that server has failed
            if not model and len(listed) == 1:
                model = listed[0].name
            if not model:
                unnamed.setdefault(server.url, []).append(need)
                continue
            chat = await self._asks_chat(server, model, need)
            wanted.setdefault((server.url, model), []).append((need, chat))
        uses = [
            _Use(
                servers[url],
                model,
                frozenset(chat for _, chat in pairs),
                tuple(need for need, _ in pairs),
            )
            for (url, model), pairs in wanted.items()
        ]
        return uses, [self._unnamed(url, needs) for url, needs in unnamed.items()]

    def _unnamed(self, url: str, needs: Sequence[BlockNeed]) -> Finding:
        # Without pipelines nothing is known to ask the server without a model.
        state = State.FAILED if self.needs else State.WARNING
        return Finding("model", url, state, words.no_model(needs, self.served[url]))

    async def _asks_chat(self, server: _Server, model: str, need: BlockNeed) -> bool:
        """Tell by which endpoint a block will ask, as the block itself finds out."""
        if need.messages:
            return True
        # A name that no block is known for has no format to be asked in.
        if not need.formats_itself and (need.block or need.model_family or self.model_family):
            run = run_family_for(
                model,
                run_model=self.model_id,
                run_family=self.model_family,
                has_endpoint=self.pool.has_endpoint,
            )
            if resolve_family(model, run=run, block=need.model_family or None) == CHAT:
                return True
        try:
            return not await server.teacher.has_completions()
        except TeacherError:  # the one-token answer tells it too
            return False

    async def _check_use(self, use: _Use) -> list[Finding]:
        """Check one model of one server."""
        served = self.served[use.server.url]
        if served and use.model not in {model.name for model in served}:
            text = words.not_served(use.model, use.needs, served)
            return [Finding("model", use.model, State.FAILED, text)]
        found = [await self._check_context(use, served)]
        answers = await _all(self._check_answer(use, chat) for chat in sorted(use.chats))
        found += answers
        answered = all(finding.state is State.PASSED for finding in answers)
        if answered and self._wants_grammar(use):
            found += await _all(self._check_grammar(use, chat) for chat in sorted(use.chats))
        return found

    async def _check_context(self, use: _Use, served: Sequence[ServedModel]) -> Finding:
        context = context_of(use.model, served) or await context_of_llama_server(use.server.sender)
        state, text = words.context_verdict(
            context,
            use.needs,
            served,
            max_num_tokens=self.max_num_tokens,
            whole=self.context_length,
        )
        return Finding("context", use.model, state, text)

    async def _check_answer(self, use: _Use, chat: bool) -> list[Finding]:
        try:
            seconds = await seconds_to_one_token(use.server.teacher, use.model, chat=chat)
        except TeacherError as error:
            if error.status in _REFUSED_KEY:
                return [Finding("key", use.model, State.FAILED, words.key_refused(error))]
            return [Finding("answer", use.model, State.FAILED, words.without_url(error))]
        text = words.answered(seconds, chat=chat)
        return [Finding("answer", use.model, State.PASSED, text)]

    def _wants_grammar(self, use: _Use) -> bool:
        return any(
            self.constrain if need.constrain is None else need.constrain for need in use.needs
        )

    async def _check_grammar(self, use: _Use, chat: bool) -> list[Finding]:
        try:
            obeys = await obeys_grammars(use.server.teacher, use.model, chat=chat)
        except TeacherError as error:
            return [Finding("grammar", use.model, State.FAILED, words.without_url(error))]
        if obeys:
            return [Finding("grammar", use.model, State.PASSED, words.endpoint(chat=chat))]
        return [Finding("grammar", use.model, State.FAILED, words.ignores_grammars(chat=chat))]


def inspect_teachers(
    needs: Sequence[BlockNeed],
    options: TeacherOptions,
    *,
    model_id: str | None = None,
    model_family: str | None = None,
    max_num_tokens: int = 4096,
    context_length: int = 0,
    constrain: bool = False,
    outage_watcher: OutageWatcher | None = None,
) -> PreflightReport:
    """Hold what blocks need against the servers of a run.

    Args:
        needs: What the blocks need; empty to look at the server and its model alone.
        options: Where the servers are and how long they are waited for.
        model_id: The run's model, over the blocks' own.
        model_family: The run's chat format.
        max_num_tokens: The longest answer of blocks that do not say.
        context_length: Tokens that a prompt and its answer take together; 0 if not known.
        constrain: Whether the run sends grammars.
        outage_watcher: Is told while a server is waited for.

    Returns:
        Everything that was found, failures included.

    Raises:
        SpecError: The API key cannot be sent.
    """
    from kfp_sdg.teacher import connect

    with connect(options, outage_watcher=outage_watcher) as pool:
        inspection = _Inspection(
            pool,
            needs,
            options.endpoints,
            model_id,
            model_family,
            max_num_tokens,
            context_length,
            constrain,
        )
        return PreflightReport(tuple(pool.run(inspection.findings())))


def _passed(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """Return the check and the subject of what passed."""
    return {(f.check, f.subject) for f in findings if f.state is State.PASSED}


async def _all(checks: Iterable[Awaitable[list[Finding]]]) -> list[Finding]:
    """Make checks at the same time; return their findings in the order of the checks."""
    return [finding for found in await asyncio.gather(*checks) for finding in found]
