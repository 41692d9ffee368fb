"""Command lines: ``python -m instructlab.sdg.cli.run_pipeline``."""
