"""``make verify-cluster KUBECONFIG=…``: would a real API server take what we ship?

Every object of every overlay goes through a strict server-side dry run, one by one, so that the
answer to each can be read. Nothing is changed on the cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster_manifests import MANIFESTS, kustomizations
from kubectl import KubectlUnavailable, RenderError, kubectl, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

AT_ONCE = 6
"""Dry runs that are asked for side by side."""

_PRODUCTS = {
    "serving.kserve.io": "KServe",
    "pipelines.kubeflow.org": "Kubeflow Pipelines 2.14 or newer, with its Kubernetes store",
    "datasciencepipelinesapplications.opendatahub.io": "OpenShift AI or Open Data Hub",
    "infrastructure.opendatahub.io": "OpenShift AI or Open Data Hub",
    "template.openshift.io": "OpenShift",
    "config.openshift.io": "OpenShift",
    "argoproj.io": "Argo CD",
    "monitoring.coreos.com": "the Prometheus operator",
    "security.istio.io": "Istio",
    "keda.sh": "KEDA",
}
"""What brings the kinds of an API group."""


class Outcome(StrEnum):
    """What a dry run says about an object."""

    ACCEPTED = "accepted"
    REFUSED = "REFUSED"
    NOT_INSTALLED = "not installed"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one object.

    Attributes:
        where: "PipelineVersion/instructlab-… in kubeflow".
        outcome: Whether the server takes it.
        reason: Why not, in a sentence; "" where it does.
    """

    where: str
    outcome: Outcome
    reason: str = ""


class Unreachable(Exception):
    """The API server does not answer, or the kubeconfig is of no use; the text says which."""


class Cluster:
    """An API server, asked through kubectl."""

    def __init__(self, kubeconfig: str = "") -> None:
        """Keep how to ask.

        Args:
            kubeconfig: A file, or several as in the variable KUBECONFIG, which make hands on;
                "~" is the home folder. "": kubectl's usual place.

        Raises:
            Unreachable: None of them is there.
        """
        self._command = [str(kubectl()), "--request-timeout=60s"]
        self._environment = dict(os.environ)
        if kubeconfig:
            files = [Path(name).expanduser() for name in kubeconfig.split(os.pathsep) if name]
            if not any(file.is_file() for file in files):
                raise Unreachable(f"there is no kubeconfig {kubeconfig}")
            self._environment["KUBECONFIG"] = os.pathsep.join(map(str, files))

    def version(self) -> str:
        """Return the server's version.

        Raises:
            Unreachable: It does not answer.
        """
        done = self._run(["version", "--output=json", "--request-timeout=10s"])
        try:
            return str(json.loads(done.stdout)["serverVersion"]["gitVersion"])
        except (ValueError, KeyError):
            told = done.stderr.strip() or "kubectl names no server"
            raise Unreachable(f"no API server answers: {told.splitlines()[-1]}") from None

    def verdict(self, manifest: dict[str, Any]) -> Verdict:
        """Ask what the server would do with an object."""
        namespace = manifest["metadata"].get("namespace")
        where = f"{manifest['kind']}/{manifest['metadata']['name']}"
        where += f" in {namespace}" if namespace else ""
        arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]
        done = self._run(arguments, stdin=json.dumps(manifest))
        if done.returncode == 0:
            return Verdict(where, Outcome.ACCEPTED)
        return Verdict(where, *_reading_of(done.stderr.strip(), manifest))

    def _run(self, arguments: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )


def _reading_of(error: str, manifest: dict[str, Any]) -> tuple[Outcome, str]:
    """Return what an error of kubectl means for an object."""
    group = manifest["apiVersion"].rpartition("/")[0]
    if "no matches for kind" in error:
        product = _PRODUCTS.get(group, "its operator")
        return Outcome.NOT_INSTALLED, f"the cluster has no {manifest['apiVersion']}; {product} has"
    missing = re.search(r'namespaces "([^"]+)" not found', error)
    if missing:
        return Outcome.UNKNOWN, f"there is no namespace {missing[1]}; make it, or give NAMESPACE"
    if "doesn't map to an existing Pipeline" in error:
        return Outcome.UNKNOWN, "its Pipeline is not there, and a dry run does not make it"
    if "Apply failed with" in error and "conflict" in error:
        return Outcome.UNKNOWN, f"it is there and others hold fields of it: {_one_line(error)}"
    if "is forbidden" in error and "cannot patch resource" in error:
        return Outcome.UNKNOWN, f"you may not apply it: {_one_line(error)}"
    return Outcome.REFUSED, _one_line(error)


def _one_line(error: str) -> str:
    text = " ".join(error.split()).removeprefix("Error from server ")
    return text if len(text) <= 600 else f"{text[:600]} …"


def in_namespace(
    manifests: Iterable[dict[str, Any]], namespace: str | None
) -> Iterator[dict[str, Any]]:
    """Yield objects, those of namespaces in another one where it is given."""
    for manifest in manifests:
        metadata = manifest["metadata"]
        if namespace is not None and "namespace" in metadata:
            yield {**manifest, "metadata": {**metadata, "namespace": namespace}}
        else:
            yield manifest


def main(arguments: Sequence[str] | None = None, root: Path = MANIFESTS) -> int:
    """Print a verdict on every object; return 1 where one is refused or none is accepted.

    Args:
        arguments: The command line's; None for this process's.
        root: The folder whose kustomizations are verified.
    """
    parser = argparse.ArgumentParser(prog="make verify-cluster")
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--namespace", type=lambda text: text or None)
    parser.add_argument("--only", default="", help="only folders with this in their path")
    given = parser.parse_args(arguments)
    try:
        cluster = Cluster(given.kubeconfig)
        print(f"API server {cluster.version()}")
    except (Unreachable, KubectlUnavailable) as error:
        print(f"verify-cluster: {error}", file=sys.stderr)
        return 1
    folders = [f for f in kustomizations(root) if given.only in str(f.relative_to(root))]
    if not folders:
        print(f"verify-cluster: no folder has {given.only!r} in its path", file=sys.stderr)
        return 2
    asked: dict[str, Verdict] = {}
    for folder in folders:
        print(f"\n{folder.relative_to(root)}")
        try:
            manifests = list(in_namespace(render(folder), given.namespace))
        except RenderError as error:
            print(f"verify-cluster: {folder}: {error}", file=sys.stderr)
            return 1
        keys = [json.dumps(manifest, sort_keys=True) for manifest in manifests]
        new = {k: m for k, m in zip(keys, manifests, strict=True) if k not in asked}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked |= zip(new, pool.map(cluster.verdict, new.values()), strict=True)
        for verdict in (asked[key] for key in keys):
            reason = f": {verdict.reason}" if verdict.reason else ""
            print(f"  {verdict.outcome:<13}  {verdict.where}{reason}")
    counts = Counter(verdict.outcome for verdict in asked.values())
    print("\n" + ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome))
    return 1 if counts[Outcome.REFUSED] or not counts[Outcome.ACCEPTED] else 0


if __name__ == "__main__":
    sys.exit(main())
