"""The two tasks at the ends of the InstructLab workflow."""

SECRET_VARIABLE = "KFP_SDG_GIT_TOKEN_FILE"  # noqa: S105 - the name of a variable that names a folder
