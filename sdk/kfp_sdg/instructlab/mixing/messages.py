"""Training rows: messages, with an id that is the same in every run."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter

_NAMESPACE = uuid.UUID("6b0f43a8-9f0e-5f0d-8a53-5b5b6f0f7c11")
"""What ids of ours are derived in; any fixed UUID will do."""


def message(role: str, content: str) -> dict[str, str]:
    """Return a message as training rows have it."""
    return {"content": content, "role": role}


class Ids:
    """Gives ids to the rows of one file: by what is in them, so that no run gives others.

    Rows with the same content get different ids.
    """

    def __init__(self, *purpose: str) -> None:
        """Start a file.

        Args:
            purpose: What the file is, so that equal rows of two files have different ids.
        """
        self._purpose = purpose
        self._seen: Counter[str] = Counter()  # digests: the texts would fill the memory

    def of(self, *content: str) -> str:
        """Return the id of a row, as a UUID.

        Args:
            content: What makes the row different from others.
        """
        digest = hashlib.blake2b(digest_size=16)
        for text in (*self._purpose, *content):
            data = text.encode(errors="surrogatepass")
            digest.update(len(data).to_bytes(8) + data)
        name = digest.hexdigest()
        self._seen[name] += 1
        return str(uuid.uuid5(_NAMESPACE, f"{name} {self._seen[name]}"))
