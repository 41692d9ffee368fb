"""The end of a teacher on KServe as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def stop_teacher(inference_service: str, namespace: str = "", run_id: str = ""):
    """Stop a teacher on KServe, so that its GPUs are free again.

    It stays up while another run uses it, and if it was up before a run started it. Stopping twice
    does no harm.

    Args:
        inference_service: Name of the teacher's InferenceService.
        namespace: Namespace of the InferenceService; empty for the pod's own.
        run_id: The same as at the component start.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.teacher_service import stop_teacher as stop

    stop(**inputs)
