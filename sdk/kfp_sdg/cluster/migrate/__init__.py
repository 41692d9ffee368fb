"""From another tool's settings to ours: what becomes a run parameter, and what does not, and why.

Reads files; asks no cluster.
"""

from kfp_sdg.cluster.migrate.model import Decision, Entry, Fate, Migration, Setting
from kfp_sdg.cluster.migrate.read import migrate

__all__ = ["Decision", "Entry", "Fate", "Migration", "Setting", "migrate"]
