"""Everything that is written once all rows are generated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.instructlab.evaluation import mmlu_files
from kfp_sdg.instructlab.generate import write_generated
from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.outcome import leaf_outcomes
from kfp_sdg.instructlab.postprocess import postprocess, write_mixes

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from kfp_sdg.instructlab.generate import Generated
    from kfp_sdg.instructlab.leaf_books import LeafBooks
    from kfp_sdg.instructlab.mixing import Mixed
    from kfp_sdg.instructlab.outcome import LeafOutcome


@dataclass(frozen=True, slots=True)
class Results:
    """What was written.

    Attributes:
        leaves: What each leaf gave, leaves in order of their names.
        mixes: The mixes by what they are for, "knowledge" and "skills", where there is one.
        training: Where the generated rows of each leaf went.
        evaluation: Where the questions to test with of each leaf went.
    """

    leaves: tuple[LeafOutcome, ...]
    mixes: Mapping[str, Mixed]
    training: tuple[LeafBooks, ...]
    evaluation: tuple[LeafBooks, ...]


def write_results(
    generated: Generated,
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    settings: TrainingSettings | None = None,
    *,
    data_folder: str | None = None,
) -> Results:
    """Write generated rows, training data and evaluation data.

    Args:
        generated: What came of the rows of all leaves.
        output_dir: Where everything is written.
        date_suffix: What the names of files end in, ``YYYY-MM-DDTHH_MM_SS``.
        settings: What may be chosen about training data.
        data_folder: What lm-eval's task files call the folder with the questions; see
            ``mmlu_files``.

    Returns:
        What each leaf gave, and the mixes.

    Raises:
        SpecError: A default recipe is wrong.
        StorageError: The disk refuses.
    """
    settings = settings or TrainingSettings()
    output = Path(output_dir)
    write_generated(generated, output / f"generated_{date_suffix}")
    training = postprocess(generated.leaf_tables(), output, date_suffix, settings).leaves
    evaluation = mmlu_files(
        generated.evaluation_tables(), output, date_suffix, data_folder=data_folder
    )
    mixes = write_mixes(output, date_suffix, seed=settings.seed)
    questions = None if generated.evaluation is None else evaluation
    leaves = leaf_outcomes(generated, training, questions)
    return Results(leaves, mixes, training, evaluation)
