"""``kfp-sdg mix``: datasets become one file of training rows, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption

if TYPE_CHECKING:
    from rich.table import Table

    from kfp_sdg.instructlab.mixing import Mixed

_SEED = 42
"""``kfp_sdg.instructlab.mixing.DEFAULT_SEED``, which ``--help`` need not import."""


def mix_command(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE.yaml",
            help="The recipe: `datasets`, a list of `path` (a .jsonl file) and `sampling_size` "
            "(30 is 30 rows, 0.5 is half of them, 1.0 all), and `metadata` with `sys_prompt`.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The .jsonl file to write.", show_default=False
        ),
    ],
    system_prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What the system says in every row; the recipe's own sys_prompt where not given.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed draws other rows.")] = _SEED,
    input_root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What relative paths in the recipe start from; its own folder where not given.",
            show_default=False,
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Mix datasets of training rows into one file, as a recipe says.

    Rows are drawn without replacement: none comes twice before every row of its dataset came
    once. The same inputs and seed always give the same bytes.

    Example: `kfp-sdg mix skills_recipe.yaml -o skills_train_msgs.jsonl`
    """
    from kfp_sdg.cli.console import output_console
    from kfp_sdg.cli.numbers import rows_phrase
    from kfp_sdg.instructlab.mixing import mix

    mixed = mix(recipe, output, system_prompt=system_prompt, seed=seed, input_root=input_root)
    console = output_console()
    console.print(_table(mixed))
    console.print(f"{output}: {rows_phrase(mixed.rows)}", soft_wrap=True, markup=False)


def _table(mixed: Mixed) -> Table:
    """Return the table of a mix: a line per dataset below its folder, and the sums."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    datasets = mixed.datasets
    empty = sum(dataset.empty for dataset in datasets)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("dataset", "total", overflow="fold", footer_style="bold")
    columns = [
        ("rows", f"{sum(dataset.rows for dataset in datasets):,}"),
        *([("no content", f"{empty:,}")] if empty else []),
        ("sampling size", ""),
        ("sampled", f"{mixed.rows:,}"),
    ]
    for title, footer in columns:
        table.add_column(title, footer, justify="right", no_wrap=True, footer_style="bold")
    above = None
    for dataset in datasets:
        folder, _, name = dataset.path.rpartition("/")
        if folder != above:  # said once, as names alone are long enough
            table.add_row(Text(f"{folder or '.'}/", style="dim"))
            above = folder
        table.add_row(
            Text(f"  {name}"),
            f"{dataset.rows:,}",
            *([f"{dataset.empty:,}" if dataset.empty else "-"] if empty else []),
            str(dataset.sampling_size),
            f"{dataset.sampled:,}",
        )
    return table
