"""From generated rows to training data and evaluation data as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def postprocess(
    leaves: dsl.Input[dsl.Artifact],
    seed_rows: dsl.Input[dsl.Dataset],
    knowledge: dsl.Input[dsl.Dataset],
    freeform_skills: dsl.Input[dsl.Dataset],
    grounded_skills: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Dataset],
    training_data: dsl.Output[dsl.Artifact],
    knowledge_train: dsl.Output[dsl.Dataset],
    skills_train: dsl.Output[dsl.Dataset],
    empty_leaves: dsl.OutputPath(str),
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.Markdown],
    auxiliary_instructions: str = "{}",
    system_prompt: str = "",
    skills_sampling_size: str = "30",
    seed: int = 42,
    date_suffix: str = "",
):
    """Turn generated rows into training data and evaluation data.

    Leaves that nothing came of are no failure here; the component check_leaves makes one of them.

    Args:
        leaves: The rows that the pipelines started from, by leaf, as preprocess gives them.
        seed_rows: Questions and answers of all seed examples.
        knowledge: What the pipeline for knowledge generated.
        freeform_skills: What the pipeline for freeform skills generated.
        grounded_skills: What the pipeline for grounded skills generated.
        evaluation: Multiple-choice questions about the documents.
        training_data: Folder with all files that InstructLab's trainers and evaluation read.
        knowledge_train: The mixed messages of the first phase of training.
        skills_train: The mixed messages of the second phase of training.
        empty_leaves: The leaves that nothing came of and why, for the component check_leaves.
        metrics: How many leaves, generated rows and training rows there are.
        report: What came of each leaf, what was lost and why, and the first rows of the mixes.
        auxiliary_instructions: JSON object of instructions for rewritten documents, by their type.
        system_prompt: What the system says in training rows; empty for a general one.
        skills_sampling_size: How much of each skill leaf is mixed: rows (30) or a share (0.5).
        seed: What rows are chosen by that do not all go into a mix.
        date_suffix: What the files' names end in; empty for the time of the task.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.training import postprocess_taxonomy

    postprocess_taxonomy(**inputs)
