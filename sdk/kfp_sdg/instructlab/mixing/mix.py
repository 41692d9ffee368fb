"""Datasets are mixed by a recipe into one file of training rows.

Rows go from file to file one at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import Position, Problem, SpecError, StorageError
from kfp_sdg.instructlab.mixing.chance import DEFAULT_SEED, Chance
from kfp_sdg.instructlab.mixing.messages import Ids, message
from kfp_sdg.instructlab.mixing.recipe import read_recipe
from kfp_sdg.instructlab.mixing.sampling import sample, sampled_rows
from kfp_sdg.storage.json_lines import json_lines_file, json_text
from kfp_sdg.storage.json_rows import numbered_lines, parse_line
from kfp_sdg.storage.places import open_binary

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Container, Iterator, Mapping

    from kfp_sdg.instructlab.mixing.recipe import Recipe, RecipeDataset

_COLUMNS = ("id", "messages", "metadata", "unmask")
"""The columns of a training row; all else goes into ``metadata``."""


@dataclass(frozen=True, slots=True)
class MixedDataset:
    """What a dataset gave to a mix.

    Attributes:
        path: Its path as the recipe has it.
        file: Where its file was found.
        sampling_size: How much of it the recipe asked for.
        rows: Its rows.
        empty: How many of them were left out because a message in them has no content.
        sampled: How many rows of it are in the mix; more than ``rows`` where it was upsampled.
    """

    path: str
    file: Path
    sampling_size: int | float
    rows: int
    empty: int
    sampled: int


@dataclass(frozen=True, slots=True)
class Mixed:
    """What came of mixing.

    Attributes:
        output: The file with the mix.
        datasets: What each dataset gave to it, in the order of the recipe.
    """

    output: Path
    datasets: tuple[MixedDataset, ...]

    @property
    def rows(self) -> int:
        """How many rows the mix has."""
        return sum(dataset.sampled for dataset in self.datasets)


def mix(
    recipe_file: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    *,
    system_prompt: str | None = None,
    seed: int = DEFAULT_SEED,
    input_root: str | os.PathLike[str] | None = None,
) -> Mixed:
    """Mix the datasets of a recipe; the same inputs and seed give the same bytes.

    Args:
        recipe_file: The recipe.
        output_file: Where the mix is written, one JSON object on each line with ``id``,
            ``messages``, ``metadata`` (JSON as text) and ``unmask``.
        system_prompt: What the system says in every row; the recipe's own where not given.
        seed: The seed of what is chosen by chance.
        input_root: What relative paths of the recipe start from; its own folder where not given.

    Returns:
        What each dataset gave.

    Raises:
        SpecError: The recipe is wrong, names no datasets, or one that is not there.
        StorageError: A line is damaged or has no messages, or the disk refuses.
    """
    recipe_file, output = Path(recipe_file), Path(output_file)
    recipe = read_recipe(recipe_file)
    prompt = recipe.sys_prompt if system_prompt is None else system_prompt
    files = _find_files(recipe, recipe_file, output, Path(input_root) if input_root else None)
    mixed = []
    with json_lines_file(output) as write:
        for dataset, file in zip(recipe.datasets, files, strict=True):
            mixed.append(_mix_dataset(dataset, file, prompt, seed, write))
    return Mixed(output, tuple(mixed))


def _find_files(recipe: Recipe, recipe_file: Path, output: Path, root: Path | None) -> list[Path]:
    """Return the files of a recipe's datasets.

    Raises:
        SpecError: There are none, one is missing, or one or the recipe would be overwritten by the
            mix.
    """
    if output.exists() and output.samefile(recipe_file):
        raise SpecError(_overwritten("this recipe", Position(str(recipe_file))))
    if not recipe.datasets:
        message = "this recipe names no datasets, so there is nothing to mix"
        where = Position(str(recipe_file))
        raise SpecError(Problem(message, where, expected="datasets: a list", code="empty-recipe"))
    files = [root / dataset.path if root else recipe.file(dataset) for dataset in recipe.datasets]
    problems = []
    for dataset, file in zip(recipe.datasets, files, strict=True):
        if not file.is_file():
            what = "this is a folder" if file.is_dir() else "there is no such dataset"
            advice = None
            if not Path(dataset.path).is_absolute():
                advice = f"relative paths start from {'--input-root' if root else 'the recipe'}"
            problems.append(
                Problem(
                    f"{what}: {file.absolute()}",
                    dataset.where,
                    expected="a .jsonl file",
                    suggestion=advice,
                    code="missing-file",
                )
            )
        elif output.exists() and output.samefile(file):
            problems.append(_overwritten("this dataset", dataset.where))
    if problems:
        raise SpecError(problems)
    return files


def _overwritten(what: str, where: Position) -> Problem:
    return Problem(
        f"the mix would be written over {what}",
        where,
        suggestion="choose another output file",
        code="output-is-input",
    )


def _mix_dataset(
    dataset: RecipeDataset,
    file: Path,
    system_prompt: str,
    seed: int,
    write: Callable[[Mapping[str, Any]], None],
) -> MixedDataset:
    """Write what a dataset gives to the mix."""

    def finish(row: Mapping[str, Any]) -> None:
        write(_training_row(row, file, system_prompt))

    size = dataset.sampling_size
    everything = isinstance(size, float) and size == 1  # then nothing has to be known beforehand
    rows = 0
    empty = set()
    for number, line in _lines(file):
        row = _row(file, number, line)
        rows += 1
        if not _has_content(row):
            empty.add(number)
        elif everything:
            finish(row)
    usable = rows - len(empty)
    count = sampled_rows(usable, size)
    if not everything:
        drawn = sample(lambda: _lines(file, empty), usable, count, Chance(seed, file.name))
        for number, line in drawn:
            finish(_row(file, number, line))
    return MixedDataset(dataset.path, file, size, rows, len(empty), count)


def _lines(file: Path, without: Container[int] = ()) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not empty with their numbers, some left out."""
    with open_binary(str(file)) as content:
        for number, line in numbered_lines(content):
            if number not in without:
                yield number, line


def _row(file: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the row of a line.

    Raises:
        StorageError: The line is not a JSON object, or has no messages.
    """
    row = parse_line(line, str(file), number)
    messages = row.get("messages")
    if (
        not isinstance(messages, list)
        or not messages
        or not all(isinstance(said, dict) and "role" in said for said in messages)
    ):
        raise StorageError(
            f"{file}:{number}: a training row needs 'messages', a list of objects with 'role' and "
            f"'content'; this one has the columns {', '.join(row) or 'of nothing'}"
        )
    return row


def _has_content(row: Mapping[str, Any]) -> bool:
    """Tell whether all messages of a row say something; the system's is replaced anyway."""
    return all(said.get("content") for said in row["messages"] if said["role"] != "system")


def _training_row(row: Mapping[str, Any], file: Path, system_prompt: str) -> dict[str, Any]:
    """Return a row as it stands in the mix."""
    return {
        "id": row.get("id") or Ids(file.name).of(json_text(row)),
        "messages": _with_system(row["messages"], system_prompt),
        "metadata": _metadata(row),
        "unmask": bool(row.get("unmask")),
    }


def _with_system(messages: list[dict[str, Any]], system_prompt: str) -> list[dict[str, Any]]:
    """Return messages that begin with the system prompt; as they are where there is none."""
    if not system_prompt:
        return messages
    if not any(said["role"] == "system" for said in messages):
        return [message("system", system_prompt), *messages]
    return [
        {**said, "content": system_prompt} if said["role"] == "system" else said
        for said in messages
    ]


def _metadata(row: Mapping[str, Any]) -> str:
    """Return a row's metadata, with every column that a training row has no place for."""
    metadata = row.get("metadata")
    more = {name: value for name, value in row.items() if name not in _COLUMNS}
    if isinstance(metadata, str):
        if not more:
            return metadata
        try:
            known = json.loads(metadata)
        except ValueError:
            known = metadata
    else:
        known = metadata
    if known is None:
        known = {}
    elif not isinstance(known, dict):
        known = {"metadata": known}
    return json_text({**known, **more})
