"""Who holds a journal, as its lock tells others."""

from __future__ import annotations

import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that writes a journal.

    Attributes:
        pid: Its number.
        host: The machine or pod.
        pid_space: What its number is unique in, beside the host: Linux' PID namespace.
        owner: Tells apart what is opened one after the other, or at once, in one process.
        beat: Goes up while it lives.
    """

    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    pid_space: str = field(default_factory=lambda: _pid_space())
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    beat: int = 0

    @classmethod
    def parse(cls, text: str | bytes) -> Holder | None:
        """Return who a lock names; None where it names nobody."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def to_text(self) -> str:
        """Return what ``parse`` reads."""
        return json.dumps(asdict(self)) + "\n"

    def after_a_beat(self) -> Holder:
        """Return the holder as it is one beat later."""
        return replace(self, beat=self.beat + 1)

    def is_dead(self) -> bool:
        """Tell whether the process has surely ended; of another machine's nobody knows."""
        if not self._is_of_this_machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def is_this_process(self) -> bool:
        """Tell whether the number is this process's own."""
        return self._is_of_this_machine() and self.pid == os.getpid()

    def _is_of_this_machine(self) -> bool:
        return (self.host, self.pid_space) == (socket.gethostname(), _pid_space())

    def __str__(self) -> str:
        """Return it for a message."""
        return f"process {self.pid} on {self.host}"


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        return ""
