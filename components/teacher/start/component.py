"""The start of a teacher on KServe as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def start_teacher(
    inference_service: str,
    teacher_url: dsl.OutputPath(str),
    model_id: dsl.OutputPath(str),
    namespace: str = "",
    timeout: int = 3600,
    run_id: str = "",
    lease: int = 86400,
):
    """Start a teacher on KServe and wait until it is ready.

    Its InferenceService has to be there already. A teacher that runs is joined. Put this and all
    that asks the teacher into an exit handler with the component stop, since a start that fails
    holds GPUs too, and switch caching off for both.

    Args:
        inference_service: Name of the teacher's InferenceService.
        teacher_url: Base URL of its OpenAI-compatible API, with /v1.
        model_id: Name it serves its model under; empty where only /v1/models can tell.
        namespace: Namespace of the InferenceService; empty for the pod's own.
        timeout: Seconds to wait until the teacher is ready.
        run_id: The run's id (dsl.PIPELINE_JOB_ID_PLACEHOLDER), so that runs can share a teacher.
        lease: Seconds after which a run that never stopped its teacher counts as dead.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.teacher_service import start_teacher as start

    start(**inputs)
