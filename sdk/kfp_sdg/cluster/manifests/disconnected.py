"""What lets a network without public registries have the images: files made from images.lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.cluster.images import ImageLock, ImageRole, mirrored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.cluster.images import LockedImage
    from kfp_sdg.cluster.manifests.yaml_text import Manifest

REGISTRY = "registry.example.com"
"""Stands for the mirror's registry in what we ship."""


def images_of_a_cluster(lock: ImageLock) -> ImageLock:
    """Return the list without what images are only built on."""
    return ImageLock(tuple(i for i in lock if i.role is not ImageRole.BASE), lock.file)


def images_component(lock: ImageLock, registry: str = REGISTRY) -> Manifest:
    """Return a kustomize Component that takes every image from a mirror, by its digest.

    An image whose digest is not known yet keeps the tag that it has where it is named.

    Args:
        lock: The images.
        registry: The mirror, with or without a path.
    """
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "images": [
            {
                "name": image.reference.repository,
                "newName": mirrored(image.reference, registry).repository,
                **({"digest": image.reference.digest} if image.reference.digest else {}),
            }
            for image in lock
        ],
    }


def digest_mirror_set(lock: ImageLock, registry: str = REGISTRY) -> Manifest:
    """Return an OpenShift ``ImageDigestMirrorSet``: the nodes take images from a mirror.

    It works for images that are named by a digest only.

    Args:
        lock: The images.
        registry: The mirror, with or without a path.
    """
    return _mirror_set("ImageDigestMirrorSet", "imageDigestMirrors", lock, registry)


def tag_mirror_set(lock: ImageLock, registry: str = REGISTRY) -> Manifest:
    """Return an OpenShift ``ImageTagMirrorSet``: the same for images that are named by a tag.

    Those are ours until their digests are locked: in pipelines that come out of the bundle, say,
    which no overlay reaches.

    Args:
        lock: The images; those with a digest are left out.
        registry: The mirror, with or without a path.
    """
    by_tag = (image for image in lock if not image.reference.digest)
    return _mirror_set("ImageTagMirrorSet", "imageTagMirrors", by_tag, registry)


def _mirror_set(kind: str, field: str, images: Iterable[LockedImage], registry: str) -> Manifest:
    mirrors = [
        {
            "source": image.reference.repository,
            "mirrors": [mirrored(image.reference, registry).repository],
        }
        for image in images
    ]
    return {
        "apiVersion": "config.openshift.io/v1",
        "kind": kind,
        "metadata": {"name": "kfp-sdg"},
        "spec": {field: mirrors},
    }
