from __future__ import annotations

import sys
from importlib.util import find_spec
from io import BytesIO

import pytest
from docx import Document

from document_repositories import BIRDS, leaf, repository
from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.documents import DoclingConverter, load_documents
from pdf_documents import pdf

HTML = b"""<html><head><title>Birds</title><style>p { color: red }</style></head><body>
<h1>Chickadees</h1><p>They eat <b>seeds</b> &amp; insects_of_summer.</p>
<img src="http://127.0.0.1:9/never-fetched.png">
<table><tr><th>Season</th><th>Food</th></tr><tr><td>Winter</td><td>Seeds</td></tr></table>
<script>alert(1)</script></body></html>"""

PDF_PAGES = (
    [(72, 700, 20, "1 Chickadees"), (72, 660, 10, "They eat insects in sum-"),
     (72, 648, 10, "mer, and seeds in winter."), (72, 610, 10, "Their call is known.")],
    [(72, 700, 14, "1.1 Diet"), (72, 660, 10, "•"), (84, 660, 10, "Seeds of pines"),
     (72, 640, 10, "The winter is cold and")],
    [(72, 700, 10, "long for small birds."), (72, 640, 10, "# is a sign for numbers.")],
)  # fmt: skip


def with_page_numbers(*pages):
    return [[*lines, (300, 40, 10, f"Page {n}")] for n, lines in enumerate(pages, start=1)]


def docx() -> bytes:
    document = Document()
    document.add_heading("Chickadees", 1)
    document.add_paragraph("They eat seeds.")
    document.add_paragraph("in winter", style="List Bullet")
    table = document.add_table(2, 2)
    for row, texts in zip(table.rows, [("Season", "Food"), ("Winter", "Seeds")], strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def converter():
    """One converter for all tests: it builds docling's pipelines once."""
    return DoclingConverter()


@pytest.fixture
def load(tmp_path, converter, monkeypatch):
    """Load documents of a fresh repository, as a leaf that names all of them."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "data"))

    def load(files, *patterns, converter=converter):
        commit = repository(tmp_path / "repo", files)
        a_leaf = leaf(tmp_path / "repo", commit, *(patterns or ("*",)))
        cache = tmp_path / "cache"
        options = {"taxonomy_folder": tmp_path, "cache": cache, "converter": converter}
        return load_documents([a_leaf], **options)[a_leaf.name]

    return load


def test_a_word_document_keeps_its_headings_lists_and_tables(load):
    [chunk] = load({"birds.docx": docx()}).chunks
    lines = [line.replace(" ", "") for line in chunk.splitlines() if line]
    assert lines[0].endswith("#Chickadees")
    assert lines[1:3] == ["Theyeatseeds.", "-inwinter"]
    assert lines[3] == "|Season|Food|"
    assert lines[5] == "|Winter|Seeds|"


def test_a_web_page_is_read_without_scripts_styles_and_pictures(load):
    [chunk] = load({"birds.HTML": HTML}).chunks
    assert "# Chickadees" in chunk
    assert "insects_of_summer" in chunk
    assert "&" in chunk
    assert "&amp;" not in chunk
    assert "Winter" in chunk
    assert not any(word in chunk for word in ("alert", "color", "image", "never-fetched"))


def test_a_pdf_without_models_is_read_by_its_lines(load, caplog):
    pages = with_page_numbers(*PDF_PAGES)
    [chunk] = load({"birds.PDF": pdf(*pages)}, "*.pdf", converter=DoclingConverter()).chunks
    assert chunk.split("\n\n") == [
        "# 1 Chickadees",
        "They eat insects in summer, and seeds in winter.",
        "Their call is known.",
        "## 1.1 Diet",
        "- Seeds of pines",
        "The winter is cold and long for small birds.",
        r"\# is a sign for numbers.",
    ]
    assert [message for message in caplog.messages if "layout models" in message]


def test_a_leaf_with_documents_of_all_types_has_each_by_its_type(load):
    found = load(
        {
            "a.md": BIRDS,
            "b.docx": docx(),
            "c.html": HTML,
            "d.pdf": pdf(*PDF_PAGES),
            "e.txt": "Plain text of a file.",
        }
    )
    assert [file.path for file in found.files] == ["a.md", "b.docx", "c.html", "d.pdf", "e.txt"]
    assert [file.chunks for file in found.files] == [1, 1, 1, 1, 1]
    assert found.chunks[0] == BIRDS.strip()
    assert found.chunks[4] == "Plain text of a file."


@pytest.mark.parametrize("name", ["birds.docx", "birds.pdf", "birds.html"])
def test_without_the_extra_the_error_names_it_and_the_file(load, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "docling", None)
    with pytest.raises(SpecError) as raised:
        load({name: docx(), "birds.md": BIRDS}, name, converter=DoclingConverter())
    assert str(raised.value) == (
        f"knowledge/birds/qna.yaml: document {name}: reading .{name.split('.')[1]} needs docling, "
        "which is not installed (pip install 'kfp-sdg[documents]')"
    )


def test_markdown_needs_no_extra(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "docling", None)
    assert load({"a.md": "Alpha.", "b.txt": "Beta."}).chunks == ("Alpha.", "Beta.")


@pytest.mark.parametrize(
    "files",
    [{"birds.docx": b"no zip"}, {"birds.pdf": b"%PDF-1.4 cut off"}, {"birds.pdf": b"no pdf"}],
)
def test_a_damaged_document_is_named(load, files):
    [name] = files
    with pytest.raises(SpecError, match=rf"^knowledge/birds/qna.yaml: document {name}: docling "):
        load(files)


def test_a_pdf_without_text_is_refused_with_what_it_needs(load):
    with pytest.raises(SpecError, match=r"no text: scan.pdf.*OCR"):
        load({"scan.pdf": pdf([])})


def test_a_folder_of_models_that_is_not_there_is_named(load, tmp_path):
    with pytest.raises(SpecError, match=f"^{tmp_path}/models: the folder of docling's models"):
        load({"a.pdf": pdf(*PDF_PAGES)}, converter=DoclingConverter(tmp_path / "models"))


def test_models_are_not_asked_for_where_they_are_not_needed(load, tmp_path):
    assert load({"a.docx": docx()}, converter=DoclingConverter(tmp_path / "models")).chunks


@pytest.mark.skipif(find_spec("torch") is not None, reason="needs an installation without torch")
def test_models_without_what_they_run_on_name_the_extra(load, tmp_path):
    (tmp_path / "models").mkdir()
    with pytest.raises(SpecError, match=r"pip install 'kfp-sdg\[documents-layout\]'"):
        load({"a.pdf": pdf(*PDF_PAGES)}, converter=DoclingConverter(tmp_path / "models"))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("models:\n- path: /no/such/folder\n", "/no/such/folder, which is not there"),
        ("models: []\n", "does not say where"),
        ("- [", "does not say where"),
        ("models:\n- path: 5\n", "does not say where"),
    ],
)
def test_the_place_of_models_that_instructlab_names_is_looked_at(load, tmp_path, config, words):
    file = tmp_path / "data" / "instructlab" / "sdg" / "models" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(config)
    with pytest.raises(SpecError) as raised:
        load({"a.pdf": pdf(*PDF_PAGES)}, converter=DoclingConverter())
    assert str(raised.value).startswith(f"{file}: ")
    assert words in str(raised.value)
