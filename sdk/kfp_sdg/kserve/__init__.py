"""A teacher's InferenceService: start it, wait until it is ready, stop it.

Speaks to the Kubernetes API as a task in a pod does, with no more rights than OpenShift AI gives
one: get and patch. It never asks the teacher anything.
"""
