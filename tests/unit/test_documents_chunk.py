from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.documents import chunk_document
from kfp_sdg.instructlab.documents.measure import measure


def chunks_of(text: str, words: int, **options) -> list[str]:
    return chunk_document(dedent(text), chunk_word_count=words, **options)


def sentences(number: int, word: str = "word") -> str:
    """Return sentences of five words."""
    return " ".join(f"{word} {n} is about birds." for n in range(number))


def test_a_document_that_fits_is_one_chunk_as_it_was_written():
    text = "# Birds\n\nText  with two spaces,\nand two lines.\n\n* a\n* b\n\n| x |\n|---|\n| 1 |\n"
    assert chunk_document(text) == [text.strip()]


@pytest.mark.parametrize("text", ["", "\n\n \t\n", "<!-- only a comment -->", "---\na: b\n---\n"])
def test_a_document_without_text_gives_no_chunk(text):
    assert chunk_document(text) == []


def test_a_section_that_fits_stays_whole_and_small_neighbours_share_a_chunk():
    text = f"# A\n\n{sentences(6)}\n\n# B\n\n{sentences(8)}\n\n# C\n\nSmall.\n\n# D\n\nSmall too.\n"
    first, second = chunks_of(text, 50)
    assert first == f"# A\n\n{sentences(6)}"
    assert second == f"# B\n\n{sentences(8)}\n\n# C\n\nSmall.\n\n# D\n\nSmall too."


def test_a_chunk_from_inside_of_a_section_begins_with_the_headings_above_it():
    text = f"# Birds\n\n## Diet\n\n{sentences(3)}\n\n{sentences(3, 'seed')}\n\n## Voice\n\nSing.\n"
    first, second = chunks_of(text, 22)
    assert first == f"# Birds\n\n## Diet\n\n{sentences(3)}"
    assert second == f"# Birds\n\n## Diet\n\n{sentences(3, 'seed')}\n\n## Voice\n\nSing."


def test_a_heading_never_ends_a_chunk():
    text = "\n\n".join(f"## Heading {n}\n\n{sentences(n % 5 + 1)}" for n in range(30))
    for words in range(12, 60):
        for chunk in chunks_of(f"# Top\n\n{text}", words):
            assert not chunk.splitlines()[-1].startswith("#")


def test_a_table_is_cut_between_rows_and_each_part_has_the_header():
    rows = [f"| bird {n} | seeds {n} |" for n in range(23)]
    header = ["| name | food |", "|------|------|"]
    chunks = chunks_of("\n".join(["# Food", "", *header, *rows]), 60)
    assert len(chunks) > 1
    found = []
    for chunk in chunks:
        top, blank, *table = chunk.splitlines()
        assert (top, blank, table[:2]) == ("# Food", "", header)
        found += table[2:]
    assert found == rows


def test_a_table_that_fits_is_never_cut():
    table = "| name | food |\n|---|---|\n" + "\n".join(f"| bird {n} | seeds |" for n in range(5))
    chunks = chunks_of(f"# A\n\n{sentences(8)}\n\n{table}\n\n{sentences(8)}\n", 50)
    assert [table in chunk for chunk in chunks].count(True) == 1


def test_code_is_cut_between_lines_and_each_part_has_its_fence():
    lines = [f"x_{n} = {n}  # number {n}" for n in range(20)]
    chunks = chunks_of("~~~python\n" + "\n".join(lines) + "\n~~~\n", 40)
    assert len(chunks) > 1
    found = []
    for chunk in chunks:
        opening, *inside, closing = chunk.splitlines()
        assert (opening, closing) == ("~~~python", "~~~")
        found += inside
    assert found == lines


def test_a_comment_in_code_is_code_and_a_heading_in_code_is_none():
    text = "# A\n\n```\n# not a heading\n<!-- kept -->\n```\n\nAnd `<!-- this -->`.\n"
    assert chunk_document(text) == [text.strip()]


def test_a_list_is_cut_between_items_and_keeps_its_numbers():
    items = [f"{n}. item {n} is about birds" for n in range(1, 21)]
    chunks = chunks_of("\n".join(items), 30)
    assert len(chunks) == 4
    assert "\n".join(chunks).splitlines() == items


def test_paragraphs_of_a_list_item_stay_apart():
    text = f"- first\n\n  {sentences(3)}\n\n  {sentences(3)}\n\n- second\n\n  {sentences(3)}\n"
    first, *_ = chunks_of(text, 45)
    assert f"first\n\n  {sentences(3)}\n\n  {sentences(3)}" in first


def test_a_long_paragraph_is_cut_between_sentences():
    for chunk in chunks_of(sentences(40), 23):
        assert chunk.endswith("about birds.")
        assert chunk.startswith("word")


def test_a_sentence_that_is_too_long_is_cut_between_words():
    text = " ".join(f"w{n}" for n in range(100))
    chunks = chunks_of(text, 30)
    assert " ".join(chunks) == text
    assert max(len(chunk.split()) for chunk in chunks) == 30


@pytest.mark.parametrize("paragraphs", [True, False], ids=["paragraphs", "one paragraph"])
def test_no_crumb_is_left_at_the_end(paragraphs):
    text = sentences(101)
    if paragraphs:
        text = text.replace(". ", ".\n\n")
    sizes = [len(chunk.split()) for chunk in chunks_of(f"# A\n\n{text}", 102)]
    assert sum(sizes) == 505 + 2 * len(sizes)
    assert min(sizes) > 40


def test_a_word_that_is_longer_than_the_context_is_cut():
    chunks = chunk_document("x" * 100_000)
    assert "".join(chunks) == "x" * 100_000
    assert len(chunks) > 1


def test_chinese_is_counted_by_characters_and_cut_between_sentences():
    sentence = "山雀在冬天吃种子，也吃昆虫。"
    chunks = chunks_of(sentence * 200, 100)
    assert "".join(chunks) == sentence * 200
    assert all(chunk.endswith("。") and len(chunk) <= 100 for chunk in chunks)


def test_dense_text_is_held_to_the_context_and_not_only_to_the_number_of_words():
    text = " ".join(f"https://example.org/{'x' * 80}/{n}" for n in range(900))
    for chunk in chunk_document(text):
        assert measure(chunk).tokens <= 4096 - 1024


def test_comments_and_front_matter_are_left_out_and_the_rest_is_not():
    text = """\
        ---
        title: Birds
        ---
        <!-- image -->
        # Birds <!-- inside -->

        <!-- over
        two lines -->
        Text with a lone ` backtick.

        - item <!-- inside a list -->
        - ` <!-- not in code --> <!-- never closed
        """
    [chunk] = chunks_of(text, 100)
    assert [" ".join(line.split()) for line in chunk.splitlines() if line.strip()] == [
        "# Birds",
        "Text with a lone ` backtick.",
        "- item",
        "- ` <!-- never closed",
    ]


def test_a_text_between_two_rules_is_no_front_matter():
    text = "---\nJust a sentence.\n---\n\nMore.\n"
    assert "Just a sentence." in chunk_document(text)[0]


def test_what_links_refer_to_is_kept():
    assert "[food]: https://example.org/food" in "\n".join(
        chunks_of(f"See [food].\n\n[food]: https://example.org/food\n\n{sentences(9)}", 20)
    )


@pytest.mark.parametrize(
    ("words", "context", "expected"),
    [
        (5000, 4096, "a chunk_word_count of at most 2363, or a server_ctx_size of at least 7524"),
        (1000, 1024, "at least 2324"),
        (1000, 0, "at least 2324"),
        (0, 4096, "at least 1"),
        (-3, 4096, "at least 1"),
    ],
)
def test_limits_that_leave_no_room_are_refused_with_what_would_do(words, context, expected):
    with pytest.raises(SpecError) as raised:
        chunk_document("Text.", chunk_word_count=words, server_ctx_size=context)
    assert f"expected {expected}" in str(raised.value)


def test_what_the_refusal_names_would_do():
    assert chunk_document("Text.", chunk_word_count=2363, server_ctx_size=4096) == ["Text."]
    assert chunk_document("Text.", chunk_word_count=5000, server_ctx_size=7524) == ["Text."]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing():
    text = "# A\n\nText of\ntwo lines.\n\n| a |\n|---|\n| 1 |\n"
    assert chunk_document("\ufeff" + text.replace("\n", "\r\n")) == chunk_document(text)


def test_500_pages_keep_every_section_whole_and_every_word():
    pages = [
        f"## Section {n}\n\n" + "\n\n".join(sentences(25, f"page{n}x{part}") for part in range(4))
        for n in range(500)
    ]
    text = "# Birds\n\n" + "\n\n".join(pages)
    assert len(text.split()) > 250_000
    chunks = chunk_document(text)
    assert "\n\n".join(chunks).replace("# Birds\n\n", "") == "\n\n".join(pages)
    assert all(chunk.startswith("# Birds\n\n## Section") for chunk in chunks)
    assert max(len(chunk.split()) for chunk in chunks) <= 1000


@pytest.mark.parametrize(
    "text",
    [
        "<!--" * 50_000,
        "." * 500_000,
        "`a" * 50_000 + "`" * 50_000,
        "> " * 5_000 + "a",
        "\n".join(f"{'  ' * n}- a" for n in range(300)),
        "| a " * 5_000 + "\n" + "|---" * 5_000 + "\n" + "| b " * 5_000,
    ],
    ids=["comments", "dots", "backticks", "quotes", "lists", "cells"],
)
def test_a_text_made_to_be_slow_or_deep_is_chunked_all_the_same(text):
    chunks = chunk_document(text)
    assert sum(chunk.count("a") for chunk in chunks) >= text.count("a")


# Any Markdown ------------------------------------------------------------------------------------

WORDS = st.text("abcdefgäß中山。.!?`*_<>|#-[]()~$\\'\"1", min_size=1, max_size=12)
LINE = st.lists(WORDS, min_size=1, max_size=14).map(" ".join)
PARAGRAPH = st.lists(LINE, min_size=1, max_size=5).map("\n".join)
HEADING = st.tuples(st.integers(1, 6), LINE).map(lambda given: f"{'#' * given[0]} {given[1]}")
ROW = st.lists(st.text("abc ", max_size=8), min_size=2, max_size=2).map(
    lambda cells: f"| {' | '.join(cells)} |"
)
TABLE = st.lists(ROW, min_size=1, max_size=12).map(
    lambda rows: "\n".join([rows[0], "|---|---|", *rows[1:]])
)
FENCE = st.tuples(st.sampled_from(["```", "~~~~"]), st.lists(LINE, max_size=8), st.booleans()).map(
    lambda given: "\n".join([f"{given[0]}py", *given[1], *([given[0]] if given[2] else [])])
)
ITEMS = st.lists(
    st.tuples(st.sampled_from(["- ", "  - ", "1. ", "    "]), LINE).map("".join), max_size=10
).map("\n".join)
QUOTE = st.lists(LINE.map("> {}".format), max_size=5).map("\n".join)
INDENTED = st.lists(LINE.map("    {}".format), max_size=5).map("\n".join)
BLOCK = st.one_of(PARAGRAPH, HEADING, TABLE, FENCE, ITEMS, QUOTE, INDENTED, st.just("---"))
DOCUMENT = st.lists(st.tuples(BLOCK, st.sampled_from(["\n", "\n\n", "\n\n\n"])), max_size=12).map(
    lambda given: "".join(part for pair in given for part in pair)
)
LIMITS = st.one_of(st.integers(1, 12), st.integers(12, 60), st.integers(60, 400))


def letters(text: str) -> list[str]:
    return re.findall(r"\w", text)


@settings(max_examples=300, deadline=None)
@given(DOCUMENT.filter(lambda text: "<!--" not in text), LIMITS, st.integers(0, 600))
def test_every_chunk_of_any_document_keeps_to_both_limits_and_no_word_is_lost(text, words, more):
    context = 1024 + int(words * 1.3) + 1 + more
    chunks = chunk_document(text, chunk_word_count=words, server_ctx_size=context)
    assert chunks == chunk_document(text, chunk_word_count=words, server_ctx_size=context)
    for chunk in chunks:
        assert chunk == chunk.strip("\n").rstrip()
        size = measure(chunk)
        assert 0 < size.words <= words
        assert size.tokens <= context - 1024
    if text.startswith("---"):
        return  # front matter, which is left out
    # headings, table headers and fences may come again; all else comes once, and in order
    kept = letters("\n".join(chunks))
    rest = iter(kept)
    assert all(letter in rest for letter in letters(text))
    if len(chunks) <= 1:
        assert kept == letters(text)
