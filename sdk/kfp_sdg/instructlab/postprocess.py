"""Generated rows become training data: the files that InstructLab's trainers read.

train_<suffix>.jsonl, messages_<suffix>.jsonl      every pair, in two older shapes
node_datasets_<suffix>/<leaf>_p07.jsonl, _p10      the two phases of a knowledge leaf
node_datasets_<suffix>/<leaf>.jsonl                a skill leaf
knowledge_recipe_<suffix>.yaml, skills_recipe_     which of them go into a mix, and how much
knowledge_train_msgs_<suffix>.jsonl, skills_       the mixes
test_<suffix>.jsonl                                the seed examples, to test with
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.leaf_books import LeafBooks
from kfp_sdg.instructlab.mixing import (
    DEFAULT_SEED,
    Mixed,
    TrainingSettings,
    mix,
    read_recipe,
    write_recipe,
)
from kfp_sdg.instructlab.mixing.messages import message
from kfp_sdg.instructlab.mixing.node_files import KINDS, NodeFiles
from kfp_sdg.instructlab.mixing.pairs import Pair, pair_of
from kfp_sdg.storage.json_lines import json_lines_file, json_objects, json_text, write_json_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Postprocessed:
    """What was written before the mixes.

    Attributes:
        leaves: What became of each leaf's rows, leaves in order of their names.
        train: ``train_<suffix>.jsonl``.
        messages: ``messages_<suffix>.jsonl``.
        recipes: The recipe files by what they are for, "knowledge" and "skills".
    """

    leaves: tuple[LeafBooks, ...]
    train: Path
    messages: Path
    recipes: Mapping[str, Path]


def postprocess(
    leaves: Mapping[str, pa.Table],
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    settings: TrainingSettings | None = None,
) -> Postprocessed:
    """Write the training rows of generated ones, and the recipes that mix them.

    Args:
        leaves: The generated rows by leaf. What a row is for stands in its ``leaf_node_type``.
        output_dir: Where everything is written.
        date_suffix: What the names of files end in, ``YYYY-MM-DDTHH_MM_SS``.
        settings: What may be chosen.

    Returns:
        Where each row went.

    Raises:
        SpecError: A default recipe is wrong.
        StorageError: The disk refuses.
    """
    readers = {name: partial(_rows, table) for name, table in leaves.items()}
    return _postprocess(readers, Path(output_dir), date_suffix, settings or TrainingSettings())


def postprocess_folder(
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    settings: TrainingSettings | None = None,
) -> Postprocessed:
    """Do the same with generated rows in files ``<leaf>.jsonl``.

    Args:
        input_dir: The folder with the files.
        output_dir: Where everything is written.
        date_suffix: What the names of files end in.
        settings: What may be chosen.

    Raises:
        SpecError: A default recipe is wrong.
        StorageError: There is no such folder, a line is not a JSON object, or the disk refuses.
    """
    folder = Path(input_dir)
    if not folder.is_dir():
        raise StorageError(f"{folder}: there is no such folder with generated rows")
    readers = {path.stem: _reader(path) for path in folder.glob("*.jsonl")}
    return _postprocess(readers, Path(output_dir), date_suffix, settings or TrainingSettings())


def write_test_file(rows: pa.Table, output_dir: str | os.PathLike[str], date_suffix: str) -> Path:
    """Write the rows that training is tested with.

    Args:
        rows: Seed examples, see ``kfp_sdg.instructlab.rows.seed_rows``.
        output_dir: Where the file is written.
        date_suffix: What its name ends in.

    Returns:
        The file.

    Raises:
        StorageError: The disk refuses.
    """
    path = Path(output_dir) / f"test_{date_suffix}.jsonl"
    write_json_lines(path, rows.to_pylist())
    return path


def write_mixes(
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    *,
    system_prompt: str | None = None,
    seed: int = DEFAULT_SEED,
) -> dict[str, Mixed]:
    """Mix what ``postprocess`` wrote.

    Args:
        output_dir: The folder that it wrote to.
        date_suffix: The suffix that it had.
        system_prompt: What the system says in every row; the recipes' own where not given.
        seed: The seed of what is chosen by chance.

    Returns:
        The mixes by what they are for, "knowledge" and "skills". Of a recipe that names no
        datasets nothing is mixed and no file written.

    Raises:
        SpecError: A recipe is wrong, or a dataset of it is not there.
        StorageError: A dataset is damaged, or the disk refuses.
    """
    folder = Path(output_dir)
    mixes = {}
    for kind in KINDS:
        recipe = folder / f"{kind}_recipe_{date_suffix}.yaml"
        if read_recipe(recipe).datasets:
            output = folder / f"{kind}_train_msgs_{date_suffix}.jsonl"
            mixes[kind] = mix(recipe, output, system_prompt=system_prompt, seed=seed)
    return mixes


def _reader(path: Path) -> Callable[[], Iterable[Row]]:
    return lambda: (row for _, row in json_objects(path))


def _rows(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=100):
        yield from batch.to_pylist()


def _sharing_texts(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows in which equal texts are one object: a leaf's rows repeat its documents."""
    texts: dict[str, str] = {}
    for row in rows:
        yield {
            name: texts.setdefault(value, value) if isinstance(value, str) else value
            for name, value in row.items()
        }


def _postprocess(
    readers: Mapping[str, Callable[[], Iterable[Row]]],
    folder: Path,
    date_suffix: str,
    settings: TrainingSettings,
) -> Postprocessed:
    """Write everything but the mixes, one leaf after the other."""
    train = folder / f"train_{date_suffix}.jsonl"
    messages = folder / f"messages_{date_suffix}.jsonl"
    nodes = NodeFiles(folder, date_suffix, settings)
    leaves = []
    with ExitStack() as stack:
        write_train = stack.enter_context(json_lines_file(train))
        write_messages = stack.enter_context(json_lines_file(messages))
        for name, read in sorted(readers.items()):
            found = [pair_of(row) for row in _sharing_texts(read())]
            pairs = [pair for pair in found if isinstance(pair, Pair)]
            for pair in pairs:
                _write_pair(pair, settings.system_prompt, write_train, write_messages)
            rejections = tuple(row for row in found if isinstance(row, Rejection))
            files = nodes.write(name, pairs)
            leaves.append(LeafBooks(name, len(found), len(pairs), files, rejections))
    recipes = {kind: folder / f"{kind}_recipe_{date_suffix}.yaml" for kind in KINDS}
    for kind, path in recipes.items():
        write_recipe(nodes.recipes[kind], path)
    return Postprocessed(tuple(leaves), train, messages, recipes)


def _write_pair(
    pair: Pair,
    system_prompt: str,
    write_train: Callable[[Row], None],
    write_messages: Callable[[Row], None],
) -> None:
    """Write a pair in the two shapes that are older than mixing; knowledge without its document."""
    user = pair.question if pair.is_knowledge else pair.user
    write_train({"system": system_prompt, "user": user, "assistant": pair.answer})
    said = [message("user", user), message("assistant", pair.answer)]
    write_messages({"messages": said, "metadata": json_text({"system": system_prompt})})
