"""One task's life: read an artifact, run a block, write rows, metrics and a preview.

This package never knows KFP's DSL; artifacts are anything with a ``path`` and ``metadata``.
"""
