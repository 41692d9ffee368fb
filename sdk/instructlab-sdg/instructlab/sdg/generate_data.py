"""The InstructLab workflow as the client drives it: whole, and in steps with files between them."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from instructlab.sdg._context import DEFAULT_MAX_NUM_TOKENS, PipelineContext
from instructlab.sdg._watch import kfp_sdg_in_this_log
from instructlab.sdg.utils import GenerateException
from kfp_sdg.instructlab.mixing import DEFAULT_SYSTEM_PROMPT

if TYPE_CHECKING:
    import os

    import openai

logger = logging.getLogger(__name__)

_SYS_PROMPT = DEFAULT_SYSTEM_PROMPT
DEFAULT_CHUNK_WORD_COUNT = 1000
DEFAULT_TAXONOMY_BASE = "empty"
DEFAULT_SERVER_CTX_SIZE = 4096


def generate_data(
    client: openai.OpenAI,
    logger: logging.Logger = logger,
    system_prompt: str | None = None,
    use_legacy_pretraining_format: bool | None = True,
    model_family: str | None = None,
    model_name: str | None = None,
    num_cpus: int | None = None,
    num_instructions_to_generate: int | None = 30,
    taxonomy: str | None = None,
    taxonomy_base: str | None = None,
    output_dir: str | None = None,
    console_output: bool = True,
    yaml_rules: str | None = None,
    chunk_word_count: int | None = None,
    server_ctx_size: int | None = None,
    pipeline: str | None = "simple",
    batch_size: int | None = None,
    checkpoint_dir: str | None = None,
    max_num_tokens: int | None = DEFAULT_MAX_NUM_TOKENS,
) -> None:
    """Make training and evaluation data of a taxonomy.

    Args:
        client: The teacher.
        logger: Is told how far it is.
        system_prompt: What the system says in training rows.
        use_legacy_pretraining_format: No effect.
        model_family: The teacher's chat format; guessed from its name where not given.
        model_name: The teacher, as its server names it.
        num_cpus: No effect.
        num_instructions_to_generate: How many instructions are made of each seed.
        taxonomy: The taxonomy's folder.
        taxonomy_base: The branch or commit since which leaves have changed; "empty" for all.
        output_dir: The output folder.
        console_output: Whether a hint is logged at the beginning.
        yaml_rules: A file with yamllint's configuration.
        chunk_word_count: The most words of a piece of a document.
        server_ctx_size: The teacher's context in tokens.
        pipeline: "simple", "full", "llama", the name of a set in a data folder, or a folder.
        batch_size: No effect.
        checkpoint_dir: Where answers and rows are kept for a run that goes on.
        max_num_tokens: The longest answer of the block ``gen_knowledge``.

    Raises:
        GenerateException: It cannot be done, or nothing came of any leaf. A ``PipelineBlockError``
            where a block failed, a ``TaxonomyReadingException`` where the taxonomy is wrong.
    """
    from instructlab.sdg import _steps

    started = time.monotonic()
    if output_dir is None:
        raise GenerateException("output_dir is not given; the results have to go somewhere")
    prompt = _SYS_PROMPT if system_prompt is None else system_prompt
    date_suffix = datetime.now().replace(microsecond=0).isoformat().replace(":", "_")
    output = Path(output_dir)
    preprocessed, generated = (output / f"{n}_{date_suffix}" for n in ("preprocessed", "generated"))
    context = _context(
        client,
        model_family,
        model_name,
        num_instructions_to_generate,
        checkpoint_dir,
        num_cpus,
        batch_size,
        max_num_tokens,
    )
    with kfp_sdg_in_this_log(logger):
        pipelines = _steps.find_pipelines(pipeline or "simple")
        leaves = _steps.leaves(taxonomy, taxonomy_base, yaml_rules)
        _steps.check(context, leaves, pipelines)
        rows = _steps.preprocess(
            leaves, Path(str(taxonomy)), preprocessed, chunk_word_count, server_ctx_size
        )
        _steps.write_test_file(leaves, output / f"test_{date_suffix}.jsonl", prompt)
        data = _steps.generate(
            context, rows, pipelines, generated, logger, console_output=console_output
        )
        _steps.write_books(data, output, date_suffix)
        _steps.evaluate(context, rows, output, date_suffix)
        _steps.postprocess(generated, output, date_suffix, pipelines, prompt)
        for kind in ("skills", "knowledge"):
            mix_datasets(
                f"{output}/{kind}_recipe_{date_suffix}.yaml",
                f"{output}/{kind}_train_msgs_{date_suffix}.jsonl",
                system_prompt=prompt,
            )
    logger.info("Generation took %.2fs", time.monotonic() - started)
    if len(data.empty) == len(data.leaves):
        reasons = "".join(f"\n  {name}: {why}" for name, why in data.empty.items())
        raise GenerateException(f"nothing was generated for any leaf:{reasons}")


def preprocess_taxonomy(
    taxonomy_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    chunk_word_count: int | None = DEFAULT_CHUNK_WORD_COUNT,
    server_ctx_size: int | None = DEFAULT_SERVER_CTX_SIZE,
    taxonomy_base: str | None = DEFAULT_TAXONOMY_BASE,
    teacher_model_path: str | None = None,
    yaml_rules: str | None = None,
    test_output_file: str | os.PathLike[str] | None = None,
    system_prompt: str | None = None,
) -> list[str]:
    """Make rows of a taxonomy and its documents, a file ``<leaf>.jsonl`` for each leaf.

    Args:
        taxonomy_dir: The taxonomy's folder.
        output_dir: Where the files go, and the documents into ``documents``.
        chunk_word_count: The most words of a piece of a document.
        server_ctx_size: The teacher's context in tokens.
        taxonomy_base: The branch or commit since which leaves have changed; "empty" for all.
        teacher_model_path: No effect: pieces are measured without a tokenizer.
        yaml_rules: A file with yamllint's configuration.
        test_output_file: Where the contributors' own questions go, if anywhere.
        system_prompt: What the system says there.

    Returns:
        The files.

    Raises:
        GenerateException: The taxonomy or a document is wrong; then it is a
            ``TaxonomyReadingException`` too.
    """
    from instructlab.sdg import _steps

    with kfp_sdg_in_this_log(logger):
        leaves = _steps.leaves(taxonomy_dir, taxonomy_base, yaml_rules)
        folder = Path(output_dir)
        rows = _steps.preprocess(
            leaves, Path(taxonomy_dir), folder, chunk_word_count, server_ctx_size
        )
        if test_output_file:
            _steps.write_test_file(leaves, Path(test_output_file), system_prompt or "")
    return [str(folder / f"{leaf.name}.jsonl") for leaf in rows.leaves]


def generate_taxonomy(
    client: openai.OpenAI,
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    logger: logging.Logger = logger,
    model_family: str | None = None,
    model_id: str | None = None,
    num_cpus: int | None = None,
    num_instructions_to_generate: int | None = 30,
    console_output: bool = True,
    pipeline: str | None = "simple",
    batch_size: int | None = None,
    checkpoint_dir: str | None = None,
    max_num_tokens: int | None = DEFAULT_MAX_NUM_TOKENS,
) -> None:
    """Generate from the files of ``preprocess_taxonomy``.

    Args:
        client: The teacher.
        input_dir: Where those files are.
        output_dir: Where a file ``<leaf>.jsonl`` goes for each leaf that something came of.
        logger: As for ``generate_data``, like all that follow.
        model_family: A chat format.
        model_id: The teacher.
        num_cpus: No effect.
        num_instructions_to_generate: Instructions for each seed.
        console_output: Whether a hint is logged.
        pipeline: Which pipelines.
        batch_size: No effect.
        checkpoint_dir: Where answers and rows are kept.
        max_num_tokens: A limit of tokens.

    Raises:
        PipelineBlockError: A block failed.
        GenerateException: Something else is wrong.
    """
    from instructlab.sdg import _steps

    context = _context(
        client,
        model_family,
        model_id,
        num_instructions_to_generate,
        checkpoint_dir,
        num_cpus,
        batch_size,
        max_num_tokens,
    )
    with kfp_sdg_in_this_log(logger):
        pipelines = _steps.find_pipelines(pipeline or "simple")
        rows = _steps.read(input_dir)
        folder = Path(output_dir)
        _steps.generate(context, rows, pipelines, folder, logger, console_output=console_output)


def generate_taxonomy_eval(
    client: openai.OpenAI,
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    model_family: str | None = None,
    model_id: str | None = None,
    num_cpus: int | None = None,
    num_instructions_to_generate: int | None = 30,
    batch_size: int | None = None,
    max_num_tokens: int | None = DEFAULT_MAX_NUM_TOKENS,
) -> None:
    """Write questions to test with about the documents of knowledge leaves.

    Args:
        client: The teacher.
        input_dir: Where the files of ``preprocess_taxonomy`` are.
        output_dir: Where ``node_datasets_<suffix>`` goes.
        date_suffix: What its name ends in.
        model_family: A chat format.
        model_id: The teacher.
        num_cpus: No effect.
        num_instructions_to_generate: Instructions for each seed.
        batch_size: No effect.
        max_num_tokens: A limit of tokens.

    Raises:
        PipelineBlockError: A block failed.
        GenerateException: Something else is wrong.
    """
    from instructlab.sdg import _steps

    context = _context(
        client,
        model_family,
        model_id,
        num_instructions_to_generate,
        None,
        num_cpus,
        batch_size,
        max_num_tokens,
    )
    with kfp_sdg_in_this_log(logger):
        _steps.evaluate(context, _steps.read(input_dir), Path(output_dir), date_suffix)


def postprocess_taxonomy(
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    pipeline: str | None = "simple",
    num_procs: int | None = PipelineContext.DEFAULT_DATASET_NUM_PROCS,
    system_prompt: str | None = _SYS_PROMPT,
    use_legacy_pretraining_format: bool | None = True,
) -> None:
    """Make training rows of the files of ``generate_taxonomy``, and the recipes that mix them.

    Args:
        input_dir: Where those files are.
        output_dir: Where everything goes.
        date_suffix: What names end in.
        pipeline: The pipelines that the rows were generated with; their knowledge pipeline has
            instructions for documents that it rewrote.
        num_procs: No effect.
        system_prompt: What the system says.
        use_legacy_pretraining_format: No effect.

    Raises:
        GenerateException: A file is damaged, or a default recipe wrong.
    """
    from instructlab.sdg import _steps

    with kfp_sdg_in_this_log(logger):
        pipelines = _steps.find_pipelines(pipeline or "simple")
        prompt = _SYS_PROMPT if system_prompt is None else system_prompt
        _steps.postprocess(Path(input_dir), Path(output_dir), date_suffix, pipelines, prompt)


def mix_datasets(
    recipe_file: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    num_proc: int | None = 8,
    system_prompt: str | None = None,
) -> None:
    """Mix the datasets of a recipe into one file; a recipe without datasets makes none.

    Args:
        recipe_file: The recipe.
        output_file: The file.
        num_proc: No effect.
        system_prompt: What the system says; the recipe's own where not given.

    Raises:
        GenerateException: The recipe or a dataset is wrong.
    """
    from instructlab.sdg._failures import as_generate_exception
    from kfp_sdg.instructlab.mixing import mix, read_recipe

    with as_generate_exception():
        if not read_recipe(Path(recipe_file)).datasets:
            logger.info("Nothing to mix: the recipe %s names no datasets", recipe_file)
            return
        mixed = mix(recipe_file, output_file, system_prompt=system_prompt)
    logger.info("Mixed %d rows into %s", mixed.rows, mixed.output)


def _context(
    client: openai.OpenAI,
    model_family: str | None,
    model_id: str | None,
    num_instructions_to_generate: int | None,
    checkpoint_dir: str | None,
    num_cpus: int | None,
    batch_size: int | None,
    max_num_tokens: int | None,
) -> PipelineContext:
    return PipelineContext(
        client,
        model_family,
        model_id,
        num_instructions_to_generate,
        checkpoint_dir=checkpoint_dir,
        max_num_tokens=max_num_tokens,
        batch_size=PipelineContext.DEFAULT_BATCH_SIZE if batch_size is None else batch_size,
        batch_num_workers=num_cpus,
    )
