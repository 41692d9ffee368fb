"""The ConditionalLLMBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def conditional_llm(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    config_paths: str,
    selector_column_name: str,
    output_cols: str,
    teacher_url: str,
    block_model_id: str = "",
    block_model_family: str = "",
    model_prompt: str = "",
    gen_kwargs: str = "",
    parser_kwargs: str = "",
    batch_kwargs: str = "",
    block_name: str = "conditional_llm",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
    max_rejected: str = "5%",
    files: str = "{}",
    model_id: str = "",
    model_family: str = "",
    teacher_endpoints: str = "{}",
    num_instructions_to_generate: int = 30,
    max_num_tokens: int = 4096,
    max_concurrency: int = 0,
    teacher_patience: int = 600,
    teacher_timeout: int = 600,
    checkpoint_uri: str = "",
    checkpoint_folder: str = "",
    constrain: bool = False,
):
    """Ask the teacher the prompt that a column of the row chooses.

    Each row is asked with the prompt config that its selector column names, and its answers are
    parsed with that config's tags.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        config_paths: JSON list of [path, value] pairs: the prompt config for each value.
        selector_column_name: Column whose value chooses the prompt config.
        output_cols: JSON list of the columns that answers are parsed into.
        teacher_url: Base URL of the teacher's OpenAI-compatible server, with /v1.
        block_model_id: The block's own model.
        block_model_family: Chat format of the block's own model.
        model_prompt: JSON text: a chat template; empty text sends the bare prompt.
        gen_kwargs: JSON object of generation settings: n, temperature, ...
        parser_kwargs: JSON object: parser_name, parsing_pattern, ...
        batch_kwargs: JSON object: num_samples, a variable for the prompt.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
        max_rejected: Most rows that may be rejected: 5% (but at least 20), or a number.
        files: JSON object of the files that the settings name, by their path.
        model_id: Model to ask, over the block's own.
        model_family: Chat format of that model, over the block's own.
        teacher_endpoints: JSON object of further teachers: model id to base URL.
        num_instructions_to_generate: What `n: scaled` in gen_kwargs stands for.
        max_num_tokens: Longest answer, in tokens, without a max_tokens of its own.
        max_concurrency: Most answers in the making at once; 0 finds the best number itself.
        teacher_patience: Seconds to wait for a teacher that is away.
        teacher_timeout: Seconds that one answer may take before it is asked for again.
        checkpoint_uri: Folder or URL that keeps answers, so that a repeated task goes on there.
        checkpoint_folder: Folder in it, where several pipelines keep theirs; empty for none.
        constrain: Send a grammar so that answers parse by construction.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("ConditionalLLMBlock", **inputs)
