"""``kfp-sdg images``: every image, for mirrors, and whether the list of them is complete."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption

if TYPE_CHECKING:
    from kfp_sdg.cluster.images import ImageLock

images_app = typer.Typer(
    help="The images that a cluster needs: list them, mirror them, pin them by digest.",
    no_args_is_help=True,
)


class ListFormat(StrEnum):
    """Who reads the list."""

    PLAIN = "plain"
    JSON = "json"
    IMAGESET = "imageset"
    SKOPEO = "skopeo"


OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME|ROLE",
        help="An image, or all of a role: task, bundle, teacher, base. May be repeated.",
        show_default=False,
    ),
]
LockOption = Annotated[
    Path | None,
    typer.Option(
        "--lock", metavar="FILE", help="Another list than the one of kfp-sdg.", show_default=False
    ),
]


@images_app.command("list")
def list_command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH…",
            help="With --check: manifests, compiled pipelines, rendered overlays; files or "
            "folders. What kfp-sdg ships where none is given.",
            exists=True,
            show_default=False,
        ),
    ] = None,
    list_format: Annotated[
        ListFormat,
        typer.Option(
            "--format",
            help="A table; JSON; an ImageSetConfiguration for oc-mirror v2; a shell script that "
            "copies them with skopeo to the registry --to.",
        ),
    ] = ListFormat.PLAIN,
    only: OnlyOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REGISTRY",
            help="The mirror, with or without a path: registry.example.com:5000/ai. With --check: "
            "images may be named there too.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Fail when something names an image that is not in the list, or is there under "
            "another tag or digest.",
        ),
    ] = False,
    lock: LockOption = None,
    debug: DebugOption = False,
) -> None:
    """List every image that kfp-sdg builds or names, or check that nothing names another one.

    Example: `kfp-sdg images list --only task --format imageset > imageset.yaml`

    For skopeo: `kfp-sdg images list --format skopeo --to registry.example.com:5000 > mirror.sh`

    For an overlay: `kubectl kustomize DIR > out.yaml && kfp-sdg images list --check out.yaml`

    --check understands compiled pipelines, Pipeline and PipelineVersion objects, whatever has
    containers, InferenceServices and ServingRuntimes, kustomizations, ImageSetConfigurations and
    Containerfiles. A placeholder such as registry.example.com stands for your mirror; a model in an
    image there is your own. Exits 1 and tells each finding's line; with --format json standard
    output has one object: ok, files, images, findings.
    """
    _check_options(list_format, to=to, paths=paths, check=check, only=only)
    listed = _read(lock)
    if check:
        _check(listed, paths, to, as_json=list_format is ListFormat.JSON)
        return
    _print(_chosen(listed, only), list_format, to)


@images_app.command("lock")
def lock_command(
    only: OnlyOption = None,
    lock: LockOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Ask the registries for the images' digests, and write them into the list.

    Example: `kfp-sdg images lock --only vllm-cuda`

    Needs skopeo, and a login (`skopeo login`) where a registry wants one. An image with a tag gets
    the digest that its tag has now; the digest of one without a tag has to be there still. Comments
    and order of the file stay. Exits 1 when a registry does not give one of them; the others are
    written.
    """
    from kfp_sdg.cluster.images import resolve_digests, write_digests
    from kfp_sdg.errors import ClusterError

    listed = _chosen(_read(lock), only)
    digests: dict[str, str] = {}
    failures: list[str] = []
    for answer in resolve_digests(listed):
        image = answer.image
        if answer.digest is None:
            failures.append(f"{image.name} ({image.reference}): {answer.failure}")
        elif answer.digest == image.reference.digest:
            typer.echo(f"{image.name}: {answer.digest}, as before")
        else:
            was = f", was {image.reference.digest}" if image.reference.digest else ""
            typer.echo(f"{image.name}: {answer.digest}{was}")
            digests[image.name] = answer.digest
    if digests and not dry_run:
        write_digests(Path(listed.file), digests)
    if failures:
        raise ClusterError(
            f"no digest for {len(failures)} of {len(listed.images)} images: " + "; ".join(failures)
        )


def _check_options(
    list_format: ListFormat,
    *,
    to: str | None,
    paths: list[Path] | None,
    check: bool,
    only: list[str] | None,
) -> None:
    """Refuse options that do not go together.

    Raises:
        typer.BadParameter: Two options that exclude each other, or one that another one needs.
    """
    from kfp_sdg.cluster.images.reference import is_registry

    if paths and not check:
        raise typer.BadParameter("only --check reads files; add it", param_hint="PATH…")
    if check and only:
        raise typer.BadParameter("--check goes by the whole list", param_hint="--only")
    if check and list_format in (ListFormat.IMAGESET, ListFormat.SKOPEO):
        raise typer.BadParameter("with --check it is plain or json", param_hint="--format")
    if to is not None and not is_registry(to):
        raise typer.BadParameter(
            f"{to!r} is not a registry; expected a host, with or without a port and a path, such "
            "as registry.example.com:5000/ai",
            param_hint="--to",
        )
    if list_format is ListFormat.SKOPEO and to is None:
        raise typer.BadParameter("--format skopeo needs the registry to copy to", param_hint="--to")
    if to is not None and not check and list_format is not ListFormat.SKOPEO:
        raise typer.BadParameter(
            "it is for --format skopeo and for --check; oc-mirror is told its registry itself",
            param_hint="--to",
        )


def _read(lock: Path | None) -> ImageLock:
    """Return the list."""
    from kfp_sdg.cluster.images import read_lock
    from kfp_sdg.images import LOCK_FILE

    return read_lock(lock or LOCK_FILE)


def _chosen(listed: ImageLock, only: list[str] | None) -> ImageLock:
    """Return the images that were asked for.

    Raises:
        typer.BadParameter: One of them is neither an image nor a role.
    """
    from kfp_sdg.cluster.images import ImageRole
    from kfp_sdg.spec.problems import did_you_mean

    try:
        return listed.only(only or ())
    except KeyError as error:
        words = [*(image.name for image in listed), *(role.value for role in ImageRole)]
        word = str(error.args[0])
        hint = did_you_mean(word, words) or f"there are {', '.join(words)}"
        raise typer.BadParameter(
            f"no image and no role is called {word!r}; {hint}", param_hint="--only"
        ) from None


def _print(listed: ImageLock, list_format: ListFormat, to: str | None) -> None:
    """Print the list."""
    from kfp_sdg.cluster.images import as_json, image_set, skopeo_script

    if list_format is ListFormat.JSON:
        typer.echo(as_json(listed))
    elif list_format is ListFormat.IMAGESET:
        typer.echo(image_set(listed), nl=False)
    elif list_format is ListFormat.SKOPEO:
        typer.echo(skopeo_script(listed, to or ""), nl=False)
    else:
        _print_table(listed)


_SHOWN_DIGITS = 12
"""How much of a digest is shown to people; as much as podman shows."""


def _print_table(listed: ImageLock) -> None:
    """Print the list for people."""
    from rich.table import Table
    from rich.text import Text

    from kfp_sdg.cli.console import output_console

    table = Table.grid(padding=(0, 2))
    for image in listed:
        reference = image.reference
        tag = f":{reference.tag}" if reference.tag else ""
        digest = (reference.digest or "").removeprefix("sha256:")[:_SHOWN_DIGITS]
        table.add_row(
            Text(image.name, style="bold"),
            Text(image.role.value),
            Text(f"{reference.repository}{tag}", overflow="fold"),
            Text(digest or "no digest yet", style="" if digest else "dim"),
        )
    output_console().print(table)


def _check(listed: ImageLock, paths: list[Path] | None, to: str | None, *, as_json: bool) -> None:
    """Check files, and say what is wrong.

    Raises:
        typer.Exit: Something is.
    """
    from kfp_sdg.cli.problems import show_problems
    from kfp_sdg.cluster.images import check_images, shipped_places
    from kfp_sdg.spec.problems import problem_as_dict

    checked = check_images(paths or shipped_places(), listed, registry=to)
    if as_json:
        report = {
            "ok": not checked.findings,
            "files": checked.files,
            "images": checked.images,
            "findings": [problem_as_dict(finding) for finding in checked.findings],
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        show_problems(checked.findings)
    if checked.findings:
        raise typer.Exit(1)
    if not as_json:
        files = "1 file" if checked.files == 1 else f"{checked.files} files"
        times = "once" if checked.images == 1 else f"{checked.images} times"
        typer.echo(f"{files} checked: an image is named {times}, always one of {listed.file}")
