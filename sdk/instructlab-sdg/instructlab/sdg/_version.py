"""The version: InstructLab's interface, then whose implementation it is."""

__version__ = version = "0.8.3+kfp.sdg.0.1.0"
