"""Pipelines, versions, experiments and runs on a server: found where they are there, else made.

A version is named by its content, so that the same pipeline is uploaded once, whoever sends it. No
switch of KFP's cache is offered for a run: the server takes a version's own settings, whatever the
SDK's ``run_pipeline(enable_caching=…)`` is told (kubeflow/pipelines#8891).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.submit.package import package_of_version
from kfp_sdg.cluster.submit.server import ExistsError, MissingError, RefusedError
from kfp_sdg.cluster.submit.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfp_server_api import V2beta1Run

    from kfp_sdg.cluster.submit.package import Package
    from kfp_sdg.cluster.submit.server import Server

_EQUALS = 1
"""KFP's number of the operation "equals" in a filter (backend/api/v2beta1/filter.proto)."""

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A version of a pipeline that is on a server.

    Attributes:
        pipeline_id: The pipeline.
        version_id: The version.
        is_new: Whether it was uploaded now.
    """

    pipeline_id: str
    version_id: str
    is_new: bool


def upload(server: Server, package: Package) -> Uploaded:
    """See to it that a server has a pipeline's version.

    Args:
        server: The server.
        package: The pipeline.

    Raises:
        ClusterError: The server refuses.
    """
    pipeline_id = _pipeline(server, package)
    version_id = _find_version(server, pipeline_id, package.version_name)
    if version_id:
        return Uploaded(pipeline_id, version_id, is_new=False)
    try:
        return Uploaded(pipeline_id, _upload_version(server, pipeline_id, package), is_new=True)
    except ExistsError:
        version_id = _find_version(server, pipeline_id, package.version_name)
        if not version_id:
            raise
        return Uploaded(pipeline_id, version_id, is_new=False)


def experiment(server: Server, name: str) -> str:
    """Return the id of an experiment, which is made where there is none of its name.

    Args:
        server: The server.
        name: The experiment's name.

    Raises:
        ClusterError: The server refuses.
    """
    from kfp_server_api import ExperimentServiceApi, V2beta1Experiment

    service = ExperimentServiceApi(server.api)
    what = f"the experiment {name!r}"

    def find() -> Any:
        return service.experiment_service_list_experiments(
            namespace=server.namespace,
            filter=named(name),
            page_size=_PAGE,
            _request_timeout=server.timeout,
        )

    def make() -> Any:
        body = V2beta1Experiment(display_name=name, namespace=server.namespace)
        return service.experiment_service_create_experiment(body, _request_timeout=server.timeout)

    def first() -> str:
        found = server.read(find, what).experiments or ()
        return next((str(e.experiment_id) for e in found if e.display_name == name), "")

    known = first()
    if known:
        return known
    try:
        return str(server.write(make, what).experiment_id)
    except ExistsError:
        known = first()
        if not known:
            raise
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """A run to start.

    Attributes:
        name: Its name.
        experiment_id: The experiment it is put into.
        version: The pipeline.
        parameters: Its parameters.
        pipeline_root: Where its artifacts are put; "" for the server's own place.
        service_account: The service account of its pods; "" for the server's choice.
    """

    name: str
    experiment_id: str
    version: Uploaded
    parameters: Mapping[str, Any]
    pipeline_root: str = ""
    service_account: str = ""

    def common(self) -> dict[str, Any]:
        """Return what a run and a recurring run have in common, as the SDK takes it."""
        from kfp_server_api import V2beta1PipelineVersionReference, V2beta1RuntimeConfig

        return {
            "display_name": self.name,
            "experiment_id": self.experiment_id,
            "pipeline_version_reference": V2beta1PipelineVersionReference(
                pipeline_id=self.version.pipeline_id,
                pipeline_version_id=self.version.version_id,
            ),
            "runtime_config": V2beta1RuntimeConfig(
                parameters=dict(self.parameters), pipeline_root=self.pipeline_root or None
            ),
            "service_account": self.service_account or None,
        }


def start_run(server: Server, order: RunOrder) -> str:
    """Start a run; return its id.

    Args:
        server: The server.
        order: The run.

    Raises:
        ClusterError: The server refuses.
    """
    from kfp_server_api import RunServiceApi, V2beta1Run

    body = V2beta1Run(**order.common())

    def ask() -> Any:
        service = RunServiceApi(server.api)
        return service.run_service_create_run(body, _request_timeout=server.timeout)

    return str(server.write(ask, f"the run {order.name!r}").run_id)


def get_run(server: Server, run_id: str, patience: float | None = None) -> V2beta1Run:
    """Return a run as it is now.

    Args:
        server: The server.
        run_id: The run.
        patience: Seconds to try; None for the usual.

    Raises:
        MissingError: There is no such run.
        ClusterError: The server refuses, or is away for too long.
    """
    from kfp_server_api import RunServiceApi

    service = RunServiceApi(server.api)
    ask: Callable[[], Any] = lambda: service.run_service_get_run(  # noqa: E731
        run_id, _request_timeout=server.timeout
    )
    return server.read(ask, f"the run {run_id}", patience)


def terminate(server: Server, run_id: str) -> None:
    """End a run; one that has ended, or is ending, is left as it is.

    The server refuses to end a run twice (``TerminateRun`` in KFP's storage/run_store.go), also
    where only the answer to the first time was lost.

    Args:
        server: The server.
        run_id: The run.

    Raises:
        ClusterError: The server refuses, or is away for too long.
    """
    from kfp_server_api import RunServiceApi

    service = RunServiceApi(server.api)

    def ask() -> Any:
        return service.run_service_terminate_run(run_id, _request_timeout=server.timeout)

    try:
        server.read(ask, f"the end of run {run_id}")
    except RefusedError:
        state = RunState.of(get_run(server, run_id).state)
        if not (state.is_final or state is RunState.CANCELING):
            raise


def package_of_run(server: Server, run: V2beta1Run) -> Package:
    """Return the pipeline of a run that somebody started.

    Args:
        server: The server.
        run: The run.

    Returns:
        The pipeline; one without tasks where somebody has deleted it meanwhile.

    Raises:
        ClusterError: The server refuses.
    """
    from kfp_server_api import PipelineServiceApi

    reference = run.pipeline_version_reference
    if reference is None:
        return package_of_version(str(run.display_name), run.pipeline_spec or {})

    def ask() -> Any:
        return PipelineServiceApi(server.api).pipeline_service_get_pipeline_version(
            reference.pipeline_id,
            reference.pipeline_version_id,
            _request_timeout=server.timeout,
        )

    try:
        version = server.read(ask, "the pipeline of the run")
    except MissingError:
        return package_of_version(str(run.display_name), {})
    return package_of_version(str(version.display_name), version.pipeline_spec or {})


def _pipeline(server: Server, package: Package) -> str:
    """Return the id of a pipeline, which is made where there is none of its name."""
    from kfp_server_api import PipelineServiceApi, V2beta1Pipeline

    service = PipelineServiceApi(server.api)
    namespace = server.namespace
    what = f"the pipeline {package.name!r}"

    def find() -> Any:
        return service.pipeline_service_get_pipeline_by_name(
            package.name,
            **({"namespace": namespace} if namespace else {}),
            _request_timeout=server.timeout,
        )

    def make() -> Any:
        body = V2beta1Pipeline(
            name=package.name, display_name=package.display_name, namespace=namespace
        )
        return service.pipeline_service_create_pipeline(body, _request_timeout=server.timeout)

    try:
        return str(server.read(find, what).pipeline_id)
    except MissingError:
        pass
    try:
        return str(server.write(make, what).pipeline_id)
    except ExistsError:
        return str(server.read(find, what).pipeline_id)


def _find_version(server: Server, pipeline_id: str, name: str) -> str:
    """Return the id of a pipeline's version of a name, or ""."""
    from kfp_server_api import PipelineServiceApi

    service = PipelineServiceApi(server.api)

    def ask() -> Any:
        return service.pipeline_service_list_pipeline_versions(
            pipeline_id, filter=named(name), page_size=_PAGE, _request_timeout=server.timeout
        )

    found = server.read(ask, "the pipeline's versions").pipeline_versions or ()
    ids = (str(v.pipeline_version_id) for v in found if name in (v.display_name, v.name))
    return next(ids, "")


def _upload_version(server: Server, pipeline_id: str, package: Package) -> str:
    from kfp_server_api import PipelineUploadServiceApi

    service = PipelineUploadServiceApi(server.api)
    with tempfile.TemporaryDirectory(prefix="kfp-sdg-submit-") as folder:
        file = Path(folder, f"{package.version_name}.yaml")
        file.write_text(package.text, encoding="utf-8")

        def ask() -> Any:
            return service.upload_pipeline_version(
                str(file),
                name=package.version_name,
                pipelineid=pipeline_id,
                _request_timeout=server.timeout,
            )

        version = server.write(ask, f"the version {package.version_name!r}")
    return str(version.pipeline_version_id)


def named(name: str) -> str:
    """Return the API's filter for things of a name."""
    predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})
