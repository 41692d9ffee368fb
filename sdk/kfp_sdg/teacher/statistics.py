"""What asking a teacher takes: requests, tries, tokens and time, counted where they happen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kfp_sdg.teacher.histogram import TimeHistogram


@dataclass(frozen=True, slots=True)
class Usage:
    """What answers cost.

    Attributes:
        requests: HTTP requests that were answered.
        prompt_tokens: Tokens read, as the server counts.
        completion_tokens: Tokens generated, as the server counts.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(slots=True)
class RequestStatistics:
    """The requests of one block, counted by the teacher while it works.

    Written on the teacher's loop only, but for ``parse_failures``, which whoever asks counts;
    another thread may read it at any time.

    Attributes:
        usage: What the answers of this run cost.
        journal_hits: Requests that were answered from the journal; they cost nothing, and are in
            neither ``usage`` nor the latencies.
        retries: How often a request was asked again, by the cause: "429", "500", "timeout",
            "broken", "unreachable", "malformed".
        waited: Seconds that requests waited for a place in flight, all together.
        latencies: Seconds from sending a request to the last byte of its answer, each try on its
            own.
        parse_failures: Choices that could not be parsed.
    """

    usage: Usage = field(default_factory=Usage)
    journal_hits: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    latencies: TimeHistogram = field(default_factory=TimeHistogram)
    parse_failures: int = 0

    def note_answer(self, seconds: float, usage: Usage) -> None:
        """Count an answer.

        Args:
            seconds: From sending the request to the last byte of its answer.
            usage: What it cost.
        """
        self.usage += usage
        self.latencies.add(seconds)

    def note_retry(self, cause: str) -> None:
        """Count a request that is asked again, by its cause."""
        self.retries[cause] += 1

    def note_wait(self, seconds: float) -> None:
        """Count the seconds that a request waited for a place in flight."""
        self.waited += seconds

    def note_journal_hit(self) -> None:
        """Count a request that was answered from the journal."""
        self.journal_hits += 1

    def latency(self, quantile: float) -> float:
        """Return how long an answer takes.

        Args:
            quantile: The share of the answers that took no longer: 0.5, 0.95, 0.99.

        Returns:
            Seconds, within 1 %, with as many digits as mean something; 0.0 while there is no
            answer.
        """
        return float(f"{self.latencies.quantile(quantile):.4g}")

    @property
    def retries_by_cause(self) -> dict[str, int]:
        """How often a request was asked again for each cause, the most frequent cause first."""
        return dict(sorted(dict(self.retries).items(), key=lambda item: (-item[1], item[0])))

    def merge(self, other: RequestStatistics) -> None:
        """Add all that another block's requests took."""
        self.usage += other.usage
        self.journal_hits += other.journal_hits
        self.retries.update(dict(other.retries))
        self.waited += other.waited
        self.latencies.merge(other.latencies)
        self.parse_failures += other.parse_failures
