"""A taxonomy is read: which ``qna.yaml`` files count, what is wrong in them, what they say.

Nothing here asks a teacher or looks at a document.
"""

from kfp_sdg.instructlab.taxonomy.read import read_taxonomy

__all__ = ["read_taxonomy"]
