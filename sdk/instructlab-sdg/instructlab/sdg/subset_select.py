"""The command line of subset selection, a preview in instructlab-sdg, is not part of this one."""

raise ImportError(
    "instructlab.sdg of kfp-sdg has no subset selection: it needs torch, submodlib and a GPU. "
    "Install the original instructlab-sdg in an environment of its own for it."
)
