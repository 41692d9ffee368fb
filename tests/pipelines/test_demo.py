"""The demo's pipeline on real input, with a real model, through KFP's local runner."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_sdg.storage import read_dataset
from taxonomy_rows import seed_rows

ROOT = Path(__file__).parents[2]
TAXONOMY = ROOT.parent / "shared" / "data" / "taxonomy"


@pytest.mark.embedded
@pytest.mark.shared
@pytest.mark.skipif(not TAXONOMY.is_dir(), reason="needs ../shared/data/taxonomy")
def test_the_demo_runs_on_every_seed_example_of_a_real_taxonomy(
    tmp_path: Path, embedded_url: str
) -> None:
    seeds = list(seed_rows(TAXONOMY))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in seeds), encoding="utf-8")

    command = [sys.executable, "-m", "kfp_sdg.cli", "run", "examples/demo", "--runner", "kfp"]
    teacher = ["--teacher-url", embedded_url, "--model-family", "chat", "--constrain"]
    files = ["--input", str(rows), "--output", str(tmp_path / "out")]
    done = subprocess.run([*command, *teacher, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    result = read_dataset(tmp_path / "out" / "dataset")
    asked, kept, answered = result.manifest.history
    assert [asked.block, kept.block, answered.block] == [
        "gen_questions",
        "filter_questions",
        "gen_responses",
    ]
    assert asked.rows_in == len(seeds) == 32
    assert answered.rows_out == result.table.num_rows >= len(seeds) / 2
    for entry in result.manifest.history:
        assert entry.rows_in + entry.added == (
            entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        )
    assert set(result.table["seed_question"].to_pylist()) <= {row["seed_question"] for row in seeds}
    assert all(text.strip() for text in result.table["question"].to_pylist())
    assert all(text.strip() for text in result.table["response"].to_pylist())
