"""What InstructLab's other packages use of this one."""


class GenerateException(Exception):  # noqa: N818 - the name is InstructLab's
    """Training data cannot be generated; the InstructLab client shows the message."""


__all__ = ["GenerateException"]
