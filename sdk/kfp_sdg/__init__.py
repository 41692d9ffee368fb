"""kfp-sdg: synthetic training data from SDG pipelines, on a laptop and on Kubeflow Pipelines."""

__version__ = "0.1.0"
