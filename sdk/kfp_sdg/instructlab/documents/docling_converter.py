"""PDF, DOCX and HTML as Markdown, by docling."""

from __future__ import annotations

import logging
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.documents.convert import ending_of
from kfp_sdg.instructlab.documents.pdf_lines import PdfLine, lines_to_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docling.document_converter import DocumentConverter, FormatOption

logger = logging.getLogger(__name__)

_INSTALL = "pip install 'kfp-sdg[documents]'"
_INSTALL_LAYOUT = "pip install 'kfp-sdg[documents-layout]'"


class DoclingConverter:
    """Converts through docling, which is installed with the extra ``documents``.

    With a folder of docling's models the layout and the tables of a PDF are recognised, which needs
    the extra ``documents-layout``; with tesserocr installed scanned pages are read too. Without the
    models a PDF is read line by line, and paragraphs and headings are guessed. Nothing is ever
    downloaded.

    Args:
        models: The folder of docling's models, as ``docling-tools models download`` makes it. Where
            not given, the one that InstructLab's ``models/config.yaml`` in the XDG data folders
            names, if there is one.
    """

    def __init__(self, models: Path | str | None = None) -> None:
        self._given = None if models is None else Path(models)
        self._warned = False

    def to_markdown(self, path: Path, name: str) -> str:
        """Return a document as Markdown.

        Args:
            path: The file.
            name: Its name for messages.

        Raises:
            SpecError: docling is not installed, the models' folder is not there, or the document is
                damaged or protected by a password.
        """
        ending = ending_of(path.name) or path.suffix
        if find_spec("docling") is None:
            message = f"reading {ending} needs docling, which is not installed"
            raise _problem(message, name, _INSTALL, "no-docling")
        if ending == ".pdf" and not self._models:
            self._warn_of_guesses()
        try:
            if ending == ".pdf" and not self._models:
                return lines_to_markdown(_lines(path))
            return self._converted(path, ending, name)
        except ImportError as error:
            message = f"reading {ending} needs {error.name or error}, which is not installed"
            install = _INSTALL_LAYOUT if ending == ".pdf" and self._models else _INSTALL
            raise _problem(message, name, install, "no-docling") from None
        except Exception as error:  # docling's backends each raise what their libraries raise
            message = f"docling cannot read it: {_first_cause(error)}"
            raise _problem(message, name, None, "damaged-document") from error

    def _converted(self, path: Path, ending: str, name: str) -> str:
        from docling.datamodel.base_models import DocumentStream

        stream = DocumentStream(name=f"document{ending}", stream=BytesIO(path.read_bytes()))
        converter = self._pdf_converter if ending == ".pdf" else self._converter
        result = converter.convert(stream)
        for trouble in result.errors:
            logger.warning("%s: docling could not read all of it: %s", name, trouble.error_message)
        return result.document.export_to_markdown(
            escape_html=False, escape_underscores=False, compact_tables=True
        )

    def _warn_of_guesses(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "PDF files are read without docling's layout models: headings are guessed, and "
                "tables are lines; docling-tools models download gets the models"
            )

    @cached_property
    def _models(self) -> Path | None:
        """The models' folder; None where there is none."""
        if self._given is None:
            return models_of_instructlab()
        if not self._given.is_dir():
            message = "the folder of docling's models is not there"
            raise _problem(message, str(self._given), None, "no-models")
        return self._given

    @cached_property
    def _converter(self) -> DocumentConverter:
        from docling.datamodel.base_models import InputFormat
        from docling.document_converter import (
            DocumentConverter,
            HTMLFormatOption,
            WordFormatOption,
        )

        options: dict[InputFormat, FormatOption] = {
            InputFormat.DOCX: WordFormatOption(),
            InputFormat.HTML: HTMLFormatOption(),
        }
        return DocumentConverter(allowed_formats=list(options), format_options=options)

    @cached_property
    def _pdf_converter(self) -> DocumentConverter:
        from docling.datamodel.base_models import InputFormat
        from docling.datamodel.pipeline_options import PdfPipelineOptions, TesseractOcrOptions
        from docling.document_converter import DocumentConverter, PdfFormatOption

        # docling downloads no models where their place is given
        options = PdfPipelineOptions(
            artifacts_path=self._models, do_ocr=find_spec("tesserocr") is not None
        )
        if options.do_ocr:
            options.ocr_options = TesseractOcrOptions()
        return DocumentConverter(
            allowed_formats=[InputFormat.PDF],
            format_options={InputFormat.PDF: PdfFormatOption(pipeline_options=options)},
        )


def models_of_instructlab() -> Path | None:
    """Return the folder that InstructLab's own configuration names for docling's models.

    That is ``models[0].path`` of ``instructlab/sdg/models/config.yaml`` in the first of the XDG
    data folders that has one.

    Raises:
        SpecError: The file is there and names no folder.
    """
    from xdg_base_dirs import xdg_data_dirs, xdg_data_home

    for folder in (xdg_data_home(), *xdg_data_dirs()):
        file = folder / "instructlab" / "sdg" / "models" / "config.yaml"
        if file.is_file():
            return _named_in(file)
    return None


def _named_in(file: Path) -> Path:
    import yaml

    try:
        models = Path(yaml.safe_load(file.read_text())["models"][0]["path"])
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        message = "does not say where docling's models are"
        raise _problem(message, str(file), "models: [{path: /a/folder}]", "no-models") from None
    if not models.is_dir():
        message = f"docling's models are to be in {models}, which is not there"
        raise _problem(message, str(file), None, "no-models")
    return models


def _lines(path: Path) -> Iterator[PdfLine]:
    """Return the lines of a PDF, page by page."""
    from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
    from docling.datamodel.base_models import InputFormat
    from docling.datamodel.document import InputDocument

    # docling's own pipeline without models takes seven times as long for them, and gigabytes
    stream = BytesIO(path.read_bytes())
    source = InputDocument(stream, InputFormat.PDF, PyPdfiumDocumentBackend, filename=path.name)
    document = PyPdfiumDocumentBackend(source, stream)
    for number in range(document.page_count()):
        page = document.load_page(number)
        height = page.get_size().height
        for cell in page.get_text_cells():
            box = cell.rect.to_bounding_box().to_bottom_left_origin(height)
            yield PdfLine(number + 1, box.l, box.b, box.t, cell.text)
        page.unload()
    document.unload()


def _first_cause(error: BaseException) -> str:
    """Return what a library said that docling could not read a document with."""
    while error.__cause__:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__


def _problem(message: str, where: str, suggestion: str | None, code: str) -> SpecError:
    return SpecError(Problem(message, Position(where), None, None, suggestion, code))
