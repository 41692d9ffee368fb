"""Kubeflow, OpenShift AI and KServe as somebody outside of the cluster sees them.

What is applied (manifests of teachers and pipelines), which images that takes, and how a compiled
pipeline is sent, followed and its dataset fetched. It never runs a block.
"""
