"""The images that components run in."""

from kfp_sdg import __version__

_REGISTRY = "ghcr.io/kfp-sdg"

RUNTIME_IMAGE = f"{_REGISTRY}/kfp-sdg-runtime:v{__version__}"
"""All blocks, datasets and the teacher's client."""

TAXONOMY_IMAGE = f"{_REGISTRY}/kfp-sdg-taxonomy:v{__version__}"
"""The runtime with git and what converts documents."""

BUNDLE_IMAGE = f"{_REGISTRY}/kfp-sdg-bundle:v{__version__}"
"""The compiled pipelines, for OpenShift AI's list of managed pipelines. No component runs in it."""


def component_image(folder: str) -> str:
    """Return the image that a component runs in.

    Tied to the distribution's version. The ``component.py`` files repeat it as a literal, as the
    kubeflow/pipelines-components repository requires; ``kfp_sdg.components.build`` writes them.

    Args:
        folder: The component's folder: "blocks/llm".
    """
    return TAXONOMY_IMAGE if folder == "taxonomy/preprocess" else RUNTIME_IMAGE
