"""Options of ``kfp-sdg submit``, each described once, and what those about the server come to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kfp_sdg.cluster.submit import Target
    from kfp_sdg.cluster.submit.credentials import Token

SERVER = "Server"
RUN = "Run"
FOLLOWING = "Following and fetching"
RECURRING = "Recurring runs"
"""The parts of the command's help."""

TOKEN_VARIABLE = "KFP_SDG_TOKEN"  # noqa: S105 - the name of a variable
COOKIES_VARIABLE = "KFP_SDG_COOKIES"

HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="URL",
        envvar=["KFP_SDG_HOST", "KF_PIPELINES_ENDPOINT"],
        help="The server of a plain KFP (http://localhost:8080, a forwarded port) or of Kubeflow "
        "(https://kubeflow.example.com/pipeline).",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
DspaOption = Annotated[
    str | None,
    typer.Option(
        "--dspa",
        metavar="NAME",
        help="The pipeline server of OpenShift AI (DataSciencePipelinesApplication) in the project "
        "of -n, with the login of the kubeconfig (`oc login`). Not given, and no --host either: "
        "the project's only one.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="The project of OpenShift AI, or the namespace of a Kubeflow profile.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=f"A file with a bearer token, read anew for each request; or ${TOKEN_VARIABLE} has "
        "it. In a pod of Kubeflow its projected token is found by itself.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
CookiesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file with the session cookie that a browser has after the login of Kubeflow: "
        "`authservice_session=…` or `oauth2_proxy_kubeflow=…`, or an export cookies.txt; or "
        f"${COOKIES_VARIABLE} has the cookie.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
UiHostOption = Annotated[
    str,
    typer.Option(
        "--ui-host",
        metavar="URL",
        envvar="KF_PIPELINES_UI_ENDPOINT",
        help="Where people see the dashboard, if it is elsewhere; only for the links.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
CaOption = Annotated[
    str,
    typer.Option(
        "--ca",
        metavar="FILE",
        help="The certificate authorities that the server's certificate is of. Not given: the file "
        "that SSL_CERT_FILE names, else the public ones.",
        rich_help_panel=SERVER,
        show_default=False,
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Do not check the server's certificate: whoever is in between can read the token.",
        rich_help_panel=SERVER,
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="ROWS",
        help="The rows to start from: a URL that the tasks can read (s3://bucket/rows.jsonl), or a "
        "small file here, which travels as a parameter.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
ParamsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PARAMS.yaml",
        help="A YAML mapping from the run form's parameters to values; kfp-sdg migrate writes one.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter, over the file's. May be repeated. Never a credential: KFP shows them.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
ExperimentOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The experiment that the run is put into; made where there is none.",
        rich_help_panel=RUN,
    ),
]
RunNameOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The run's name; that of the pipeline and the time where not given.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
PipelineRootOption = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="Where the run's artifacts are put, such as s3://bucket/kfp; the server's own place "
        "where not given.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
ServiceAccountOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The service account of the run's pods; the server's choice where not given.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
WaitOption = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Follow the run to its end, or leave as soon as it is there.",
        rich_help_panel=FOLLOWING,
    ),
]
FollowOption = Annotated[
    str | None,
    typer.Option(
        "--follow",
        metavar="RUN_ID",
        help="Follow a run that is there already, and fetch what came of it, instead of starting "
        "one.",
        rich_help_panel=FOLLOWING,
        show_default=False,
    ),
]
TerminateOption = Annotated[
    bool,
    typer.Option(
        "--terminate-on-interrupt",
        help="Let Ctrl-C end the run too. Without it the run goes on.",
        rich_help_panel=FOLLOWING,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Where to put what a run that succeeded has made: DIR/dataset and DIR/rejected, or "
        "the training data of a workflow. Through the dashboard's server, else from the object "
        "store with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL.",
        rich_help_panel=FOLLOWING,
        show_default=False,
    ),
]
RecurringOption = Annotated[
    str | None,
    typer.Option(
        metavar="CRON",
        help="Make a recurring run instead, in six fields with the seconds first, such as "
        "'0 0 2 * * *' for two o'clock (UTC, unless the server has another zone), or @daily. "
        "Starts that were missed are not made up for.",
        rich_help_panel=RECURRING,
        show_default=False,
    ),
]
MaxConcurrencyOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=10,  # of KFP itself (validateJob in backend/src/apiserver/server/job_server.go)
        metavar="N",
        help="The most runs of it at once.",
        rich_help_panel=RECURRING,
    ),
]
DisabledOption = Annotated[
    bool,
    typer.Option(
        "--disabled",
        help="Make it, and let somebody enable it in the dashboard.",
        rich_help_panel=RECURRING,
    ),
]
ReplaceOption = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Take the recurring run of the same name away. Without it there may be none.",
        rich_help_panel=RECURRING,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The options about the server as they were typed; see each option's help."""

    host: str
    dspa: str | None
    namespace: str
    token_file: Path | None
    cookies: Path | None
    ui_host: str
    ca: str
    insecure: bool

    def target(self) -> Target:
        """Return the server that is meant.

        Raises:
            typer.BadParameter: Two options contradict each other.
            ClusterError: There is no such server, or its credentials cannot be read.
        """
        from kfp_sdg.cluster.submit import kubeflow
        from kfp_sdg.cluster.submit.target import projected_token

        if self.host and self.dspa:
            raise typer.BadParameter(
                "--host names a server too; give one of them", param_hint="--dspa"
            )
        by_project = self.namespace and not self.host and projected_token() is None
        if self.dspa or by_project:
            return self._openshift_ai()
        return kubeflow(
            self.host,
            namespace=self.namespace,
            dashboard=self.ui_host,
            token=self._token(),
            cookies=self._cookies(),
            ca=self.ca,
            verify=not self.insecure,
        )

    def words(self) -> list[str]:
        """Return the options that name the server again, as words of a command line."""
        words = []
        for option, value in (
            ("--host", self.host),
            ("--dspa", self.dspa),
            ("-n", self.namespace),
            ("--token-file", self.token_file),
            ("--cookies", self.cookies),
            ("--ui-host", self.ui_host),
            ("--ca", self.ca),
        ):
            words += [option, str(value)] if value else []
        return [*words, *(["--insecure"] if self.insecure else [])]

    def _openshift_ai(self) -> Target:
        from kfp_sdg.cluster.submit import pipeline_server
        from kfp_sdg.kube import Patience, Requests

        if self.cookies:
            raise typer.BadParameter(
                "a pipeline server of OpenShift AI takes a token, no cookies",
                param_hint="--cookies",
            )
        return pipeline_server(
            Requests(Patience(patience=30)),
            self.dspa or "",
            self.namespace,
            token=self._token(),
            dashboard=self.ui_host,
            ca=self.ca,
            verify=not self.insecure,
        )

    def _token(self) -> Token | None:
        from kfp_sdg.cluster.submit.credentials import FileToken, FixedToken

        if self.token_file:
            return FileToken(self.token_file)
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        return FixedToken(token, f"set {TOKEN_VARIABLE} to a fresh one") if token else None

    def _cookies(self) -> str:
        from kfp_sdg.cluster.submit.credentials import cookies_of, read_cookies

        if self.cookies:
            return read_cookies(self.cookies)
        return cookies_of(os.environ.get(COOKIES_VARIABLE, ""))
