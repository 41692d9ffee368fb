"""The teacher's preflight as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def preflight(
    checked_url: dsl.OutputPath(str),
    preview: dsl.Output[dsl.Markdown],
    teacher_url: str = "",
    teacher_endpoints: str = "{}",
    model_id: str = "",
    model_family: str = "",
    models: str = "[]",
    context_length: int = 0,
    max_num_tokens: int = 4096,
    constrain: bool = False,
    teacher_patience: int = 600,
    teacher_timeout: int = 600,
):
    """Check that the teacher can do what the pipeline asks, before any long work begins.

    URL, key, served models and adapters, context length, a one-token answer of each model, and
    grammars where they are wanted. Waits for a server that is coming up. Fails with one paragraph
    about everything that is wrong. Switch caching off: what it looks at may have changed.

    Args:
        checked_url: The base URL that the blocks go on with, complete with /v1.
        preview: What each check found, for the dashboard.
        teacher_url: Base URL of the teacher's OpenAI-compatible server, with /v1.
        teacher_endpoints: JSON object of further teachers: model id to base URL.
        model_id: Model to ask, over the blocks' own.
        model_family: Chat format of that model, over the blocks' own.
        models: JSON list of the blocks' needs, as compile writes it, or of models' names.
        context_length: Tokens that a prompt and its answer take together; 0 if not known.
        max_num_tokens: Longest answer, in tokens, of blocks without a max_tokens of their own.
        constrain: Blocks will send a grammar, so the server must obey one.
        teacher_patience: Seconds to wait for a teacher that is coming up.
        teacher_timeout: Seconds that one answer may take before it is asked for again.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.preflight import preflight as check

    check(**inputs)
