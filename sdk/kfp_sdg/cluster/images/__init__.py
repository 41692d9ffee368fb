"""The images that a cluster needs: the list of them, its digests, and whether it is complete.

``images.lock`` is the list; whatever we ship may name only what is in it. Nothing is built here.
"""

from kfp_sdg.cluster.images.check import Checked, check_images, shipped_places
from kfp_sdg.cluster.images.lock import ImageLock, ImageRole, LockedImage, read_lock
from kfp_sdg.cluster.images.mirror import as_json, image_set, mirrored, skopeo_script
from kfp_sdg.cluster.images.reference import ImageReference, NoImageNameError, parse_reference
from kfp_sdg.cluster.images.resolve import Resolved, resolve_digests, write_digests

__all__ = [
    "Checked",
    "ImageLock",
    "ImageReference",
    "ImageRole",
    "LockedImage",
    "NoImageNameError",
    "Resolved",
    "as_json",
    "check_images",
    "image_set",
    "mirrored",
    "parse_reference",
    "read_lock",
    "resolve_digests",
    "shipped_places",
    "skopeo_script",
    "write_digests",
]
