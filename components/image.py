"""The image that every component runs in."""

from kfp_sdg import __version__

RUNTIME_IMAGE = f"ghcr.io/kfp-sdg/kfp-sdg-runtime:v{__version__}"
"""Tied to the distribution's version. The ``component.py`` files repeat it as a literal, as the
kubeflow/pipelines-components repository requires; ``kfp_sdg.components.build`` keeps them equal."""
