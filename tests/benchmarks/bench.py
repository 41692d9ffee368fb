"""What starting, compiling, column work and a run cost, beside what they are compared to.

Every figure is measured in a fresh process, in turn with its comparison, and the median is printed.
Nothing here fails on time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONSOLE = Console()

MEASURE = """
import resource, sys, time
{setup}
before = time.process_time()
start = time.perf_counter()
{work}
print(time.process_time() - before, time.perf_counter() - start,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

TEXT_ROWS = """
import pyarrow as pa
n = {rows}
table = pa.table({{
    "question": [f"What is item {{i}} about?" for i in range(n)],
    "response": [f"Item {{i}} is about its topic. " * 4 for i in range(n)],
    "score": [str(i % 3) for i in range(n)],
}})
"""

OURS = """
from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.blocks.catalog import make_block
from kfp_sdg.spec import PipelineSpec
block = make_block(PipelineContext(), PipelineSpec(()), "b", {type!r}, {config!r})
"""

COLUMN_BLOCKS: Sequence[tuple[str, str, Mapping[str, object], str]] = (
    (
        "filter, cast to float, == 2",
        "FilterByValueBlock",
        {
            "filter_column": "score",
            "filter_value": 2.0,
            "operation": "eq",
            "convert_dtype": "float",
        },
        "rows.filter(lambda row: float(row['score']) == 2.0)",
    ),
    (
        "combine two columns",
        "CombineColumnsBlock",
        {"columns": ["question", "response"], "output_col": "both"},
        "rows.map(lambda row: {'both': row['question'] + '\\n\\n' + row['response']})",
    ),
    (
        "duplicate a column",
        "DuplicateColumnsBlock",
        {"columns_map": {"question": "copy"}},
        "rows.add_column('copy', rows['question'])",
    ),
)

STARTS: Sequence[tuple[str, str]] = (
    ("import kfp_sdg", "import kfp_sdg"),
    (
        "a column block, ready to run",
        "from kfp_sdg.blocks.catalog import block_class; block_class('FilterByValueBlock')",
    ),
    (
        "an LLM block, ready to run",
        "from kfp_sdg.blocks.catalog import block_class; block_class('LLMBlock')",
    ),
    ("import pyarrow (comparison)", "import pyarrow"),
    ("import openai (comparison)", "import openai"),
    ("import datasets (comparison)", "import datasets"),
    ("import kfp (comparison)", "import kfp"),
)


def measure(work: str, *, setup: str = "", runs: int) -> tuple[float, float, float]:
    """Return the medians of CPU seconds, wall seconds and peak MB over fresh processes."""
    script = MEASURE.format(setup=setup, work=work)
    figures = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        figures.append([float(word) for word in done.stdout.split()[-3:]])
    cpu, wall, memory = (statistics.median(column) for column in zip(*figures, strict=True))
    return cpu, wall, memory


def table(title: str, *columns: str) -> Table:
    """Return an empty table, first column left, the others right."""
    result = Table(title=title, title_justify="left")
    for place, name in enumerate(columns):
        result.add_column(name, justify="left" if place == 0 else "right")
    return result


def bench_starts(runs: int) -> None:
    """What every pod pays before it does anything."""
    result = table("Start of a process", "what", "CPU s", "peak MB")
    for name, work in STARTS:
        cpu, _, memory = measure(work, runs=runs)
        result.add_row(name, f"{cpu:.3f}", f"{memory:.0f}")
    CONSOLE.print(result)


def bench_columns(rows: int, runs: int) -> None:
    """Column blocks on Arrow kernels beside the same step by `datasets` row functions."""
    result = table(f"Column blocks, {rows:,} rows", "block", "ours s", "datasets s", "ratio")
    data = TEXT_ROWS.format(rows=rows)
    for name, kind, config, theirs in COLUMN_BLOCKS:
        _, ours, _ = measure(
            "block.apply(table, Account())",
            setup=data + OURS.format(type=kind, config=config),
            runs=runs,
        )
        _, other, _ = measure(
            theirs,
            setup=data
            + "import datasets; datasets.disable_progress_bars(); datasets.disable_caching()\n"
            + "rows = datasets.Dataset(table, fingerprint='0')\n",
            runs=runs,
        )
        result.add_row(name, f"{ours:.4f}", f"{other:.3f}", f"{other / ours:.0f}×")
    CONSOLE.print(result)


COMPILE = """
from kfp_sdg.compiler import compile_pipeline
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec
parts = ("system", "principles", "examples")
config = {{part: "" for part in parts}}
config |= {{"introduction": "x" * 1500, "generation": "{{{{document}}}}"}}
blocks = tuple(
    BlockSpec(f"gen_{{i}}", "LLMBlock", {{"config_path": "p.yaml", "output_cols": [f"out_{{i}}"]}})
    for i in range({blocks})
)
spec = PipelineSpec(blocks, files={{"p.yaml": ConfigFile("p.yaml", config)}})
"""


def bench_compile(runs: int) -> None:
    """LLM blocks with a prompt of 1.5 KB each; importing kfp is not counted."""
    result = table("Compile", "blocks", "wall s")
    for blocks in (5, 20, 50):
        _, wall, _ = measure(
            "compile_pipeline(spec).to_yaml('ir')",
            setup="import kfp\n" + COMPILE.format(blocks=blocks),
            runs=runs,
        )
        result.add_row(str(blocks), f"{wall:.2f}")
    CONSOLE.print(result)


RUN = """
import pyarrow as pa
from kfp_sdg import engine
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec
from kfp_sdg.teacher import TeacherOptions, connect
parts = ("system", "introduction", "principles", "examples")
config = {{part: "" for part in parts}} | {{"generation": "Ask about {{{{topic}}}}."}}
spec = PipelineSpec(
    (BlockSpec("gen", "LLMBlock", {{"config_path": "p.yaml", "output_cols": ["question"]}}),),
    files={{"p.yaml": ConfigFile("p.yaml", {{**config, "start_tags": [""], "end_tags": [""]}})}},
)
rows = pa.table({{"topic": [f"topic {{i}}" for i in range({rows})]}})
pool = connect(TeacherOptions(url={url!r}, max_concurrency=64))
"""

RAW = """
import asyncio, openai
async def ask(client, gate, i):
    async with gate:
        prompt = f"Ask about topic {{i}}."
        await client.completions.create(model="stub-model", prompt=prompt, max_tokens=64)
async def everything():
    gate = asyncio.Semaphore(64)
    async with openai.AsyncOpenAI(base_url={url!r}, api_key="EMPTY") as client:
        await asyncio.gather(*(ask(client, gate, i) for i in range({rows})))
"""


def bench_run(rows: int, runs: int) -> None:
    """One LLM block against a server of 64 slots and 100 ms an answer, beside the plain client."""
    from stub_teacher import StubTeacher

    latency, slots = 0.1, 64
    ideal = rows * latency / slots
    result = table(
        f"{rows:,} prompts, {slots} slots, {latency * 1000:.0f} ms (ideal {ideal:.1f} s)",
        "client",
        "wall s",
        "teacher busy",
        "CPU s per 1,000",
    )
    with StubTeacher(latency=latency, slots=slots) as stub:
        cases = {
            "kfp-sdg engine": (
                RUN.format(rows=rows, url=stub.url),
                "with pool: engine.run(spec, rows, PipelineContext(teachers=pool))",
            ),
            "plain AsyncOpenAI": (RAW.format(rows=rows, url=stub.url), "asyncio.run(everything())"),
        }
        for name, (setup, work) in cases.items():
            cpu, wall, _ = measure(work, setup=setup, runs=runs)
            result.add_row(name, f"{wall:.2f}", f"{ideal / wall:.0%}", f"{cpu * 1000 / rows:.2f}")
    CONSOLE.print(result)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="processes per figure (default 3)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the column blocks")
    parser.add_argument("--prompts", type=int, default=1000, help="prompts of the run")
    options = parser.parse_args()
    bench_starts(options.runs)
    bench_columns(options.rows, options.runs)
    bench_compile(options.runs)
    bench_run(options.prompts, options.runs)


if __name__ == "__main__":
    main()
