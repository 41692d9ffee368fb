"""Who uses a teacher: kept in an annotation of the InferenceService itself.

Several runs may use one teacher, and the one that ends last stops it. Runs have nothing in common
but the service, so it carries the list, which needs no further rights: each run enters itself when
it starts, and crosses itself out when it stops. A run that was killed never does, so an entry holds
for a time only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

USES_ANNOTATION = "kfp-sdg.github.io/teacher-uses"

SHIELD = {USES_ANNOTATION: "see the InferenceService"}
"""What ``spec.predictor.annotations`` has, so that the list does not reach the pods.

KServe copies a service's annotations into the template of its pods, where a change restarts them
all (``buildPredictorResources`` and ``checkDeploymentExist`` in KServe's predictor.go and
deployment_reconciler.go). Those of the predictor go over them (``buildObjectMeta``).
"""


@dataclass(frozen=True, slots=True)
class Uses:
    """The runs that use a teacher.

    Attributes:
        started_by_run: A run started it, not a person: it may be stopped after its last run.
        until: For each run's id, the time after which the run counts as dead.
    """

    started_by_run: bool = False
    until: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Uses:
        """Read the annotation; what is not ours counts as nobody's use.

        Args:
            text: The annotation's value, or "".
        """
        try:
            value = json.loads(text or "{}")
            until = {
                str(run): datetime.fromisoformat(str(time)).astimezone(UTC)
                for run, time in value.get("until", {}).items()
            }
            return cls(value.get("startedByRun") is True, until)
        except (ValueError, AttributeError, OverflowError):
            return cls()

    def text(self) -> str | None:
        """Return the annotation's value; None, which removes it, where there is nothing to say."""
        if not self.started_by_run and not self.until:
            return None
        until = {run: time.isoformat(timespec="seconds") for run, time in self.until.items()}
        return json.dumps({"startedByRun": self.started_by_run, "until": until}, sort_keys=True)

    def alive(self, now: datetime) -> Uses:
        """Return the uses without the runs that count as dead.

        Args:
            now: The time.
        """
        alive = {run: time for run, time in self.until.items() if time > now}
        return replace(self, until=alive)

    def with_run(self, run: str, until: datetime) -> Uses:
        """Return the uses and a further run.

        Args:
            run: The run's id; "" enters nothing, since nobody could cross it out.
            until: When it counts as dead.
        """
        return replace(self, until={**self.until, run: until}) if run else self

    def without_run(self, run: str) -> Uses:
        """Return the uses without a run.

        Args:
            run: The run's id.
        """
        return replace(self, until={key: t for key, t in self.until.items() if key != run})
