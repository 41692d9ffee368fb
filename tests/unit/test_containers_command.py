"""The command lines of containers: OpenShift's rules, and no secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.compiler.containers import ContainerTool, find_tool
from kfp_sdg.compiler.containers.command import gateway_command, signal_arguments, task_command
from kfp_sdg.compiler.containers.needs import TaskNeeds, needs_of
from kfp_sdg.compiler.containers.plugins import PluginMount
from kfp_sdg.compiler.containers.routes import Route, hosts_file, routes_to
from kfp_sdg.compiler.containers.setup import ContainerRun

if TYPE_CHECKING:
    from pathlib import Path

PODMAN = ContainerTool("/usr/bin/podman", "podman")
DOCKER = ContainerTool("/usr/bin/docker", "docker")
RUN = ContainerRun(PODMAN, "kfp-sdg-1", "1000650000:0", "/scratch")
COMMAND = ["sh", "-ec", "the script", "the code", "--executor_input", "{}"]


def command(run: ContainerRun = RUN, needs: TaskNeeds | None = None, **environ: str) -> list[str]:
    return task_command(
        run,
        "kfp-sdg-1-1",
        "img:v1",
        COMMAND,
        needs=needs or TaskNeeds(),
        pipeline_root="/scratch/artifacts",
        environment={"SET": "by the pipeline"},
        environ=environ,
    )


@pytest.mark.parametrize("tool", [PODMAN, DOCKER], ids=lambda tool: tool.kind)
def test_every_task_obeys_the_rules_of_a_restricted_pod(tool: ContainerTool) -> None:
    line = command(replace(RUN, tool=tool))
    assert line[:2] == [tool.path, "run"]
    for option in (
        "--rm",
        "--pull=never",
        "--name=kfp-sdg-1-1",
        "--user=1000650000:0",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--network=none",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "--mount=type=bind,source=/scratch/artifacts,target=/scratch/artifacts",
        "--env=SET=by the pipeline",
    ):
        assert option in line
    assert line[-7:] == ["--entrypoint=sh", "img:v1", *COMMAND[1:]]


def test_podman_makes_no_folder_or_user_of_its_own_and_docker_is_not_asked_to() -> None:
    own = {"--read-only-tmpfs=false", "--passwd=false", "--umask=0002"}
    assert own <= set(command())
    assert not own & set(command(replace(RUN, tool=DOCKER)))


def test_an_ordinary_users_tasks_are_that_user() -> None:
    line = command(replace(RUN, user="1234:0"))
    assert {"--user=1234:0", "--userns=keep-id"} <= set(line)
    assert "--userns=keep-id" not in command(replace(RUN, user="1234:0", tool=DOCKER))
    assert "--userns=keep-id" not in command()


def test_the_key_is_mounted_as_a_secret_is_and_only_for_tasks_that_ask() -> None:
    run = replace(RUN, key="/scratch/key")
    mounted = "--mount=type=bind,source=/scratch/key,target=/var/run/secrets/kfp-sdg/teacher"
    asking = command(run, TaskNeeds(asks=True), KFP_SDG_API_KEY="sesame")
    assert f"{mounted},readonly" in asking
    assert "--network=container:kfp-sdg-1-gateway" in asking
    other = command(run, KFP_SDG_API_KEY="sesame")
    assert not any("/scratch/key" in option for option in other)
    assert "KFP_SDG_API_KEY" not in " ".join(asking + other)


def test_only_what_a_task_needs_is_mounted_and_rows_cannot_be_changed() -> None:
    needs = TaskNeeds(asks=True, rows="/data/a,b.jsonl", checkpoint="/data/kept")
    line = command(needs=needs)
    assert '--mount=type=bind,"source=/data/a,b.jsonl","target=/data/a,b.jsonl",readonly' in line
    assert "--mount=type=bind,source=/data/kept,target=/data/kept" in line
    assert sum(option.startswith("--mount=") for option in command()) == 1


def test_a_task_that_fetches_rows_has_the_hosts_network_and_what_storages_ask_for() -> None:
    line = command(needs=TaskNeeds(fetches=True), AWS_PROFILE="p", https_proxy="q", HOME="/root")
    assert "--network=host" in line
    assert {"--env=AWS_PROFILE", "--env=https_proxy"} <= set(line)
    assert "--env=HOME" not in line
    assert not {"--env=AWS_PROFILE", "--env=https_proxy"} & set(command(AWS_PROFILE="p"))


def test_certificates_reach_tasks_that_ask(tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    bundle.touch()
    run = replace(RUN, certificates={"SSL_CERT_FILE": str(bundle)})
    mounted = f"--mount=type=bind,source={bundle},target={bundle},readonly"
    line = command(run, TaskNeeds(asks=True))
    assert {mounted, "--env=SSL_CERT_FILE"} <= set(line)
    assert mounted not in command(run)


def test_plugins_are_read_only_and_found() -> None:
    plugins = (
        PluginMount("/src/mine.py", "/src", "/plugins/0", "/plugins/0"),
        PluginMount("/site/theirs", "/site/theirs", "/plugins/1/theirs", "/plugins/1"),
    )
    line = command(replace(RUN, plugins=plugins))
    assert "--mount=type=bind,source=/src,target=/plugins/0,readonly" in line
    assert "--mount=type=bind,source=/site/theirs,target=/plugins/1/theirs,readonly" in line
    assert f"--env=PYTHONPATH=/plugins/0{os.pathsep}/plugins/1" in line


def test_the_users_own_options_are_for_tasks_and_come_last() -> None:
    line = command(replace(RUN, options=("--memory=2g",)))
    assert line[line.index("img:v1") - 2] == "--memory=2g"


def test_a_gateway_has_no_network_and_no_more_rights_than_a_task() -> None:
    routes = routes_to(["http://localhost:8000/v1", "https://teacher.example/v1"])
    line = gateway_command(RUN, "img:v1", routes, "the order")
    assert {"--network=none", "--detach", "--name=kfp-sdg-1-gateway", "--cap-drop=all"} <= set(line)
    assert "--cap-add=NET_ADMIN" not in line
    assert line[-5:] == [
        "--entrypoint=python3",
        "img:v1",
        "-m",
        "kfp_sdg.runtime.gateway",
        "the order",
    ]


def test_only_another_machines_address_costs_the_gateway_a_capability() -> None:
    line = gateway_command(RUN, "img:v1", routes_to(["http://10.0.0.5:8000/v1"]), "")
    assert "--cap-add=NET_ADMIN" in line
    assert line.index("--user=0:0") > line.index("--user=1000650000:0")


def test_each_server_has_one_way_and_each_name_an_address() -> None:
    urls = [
        "http://a:8000/v1",
        "http://b:8000/v1",
        "http://A:8000/other/v1",
        "https://a/v1",
        "http://[::1]:9000/v1",
        "http://10.0.0.5/v1",
        "http://localhost:8000/v1",
    ]
    assert routes_to(urls) == (
        Route("a", 8000, "127.77.0.1"),
        Route("b", 8000, "127.77.0.2"),
        Route("a", 443, "127.77.0.1"),
        Route("::1", 9000, "::1"),
        Route("10.0.0.5", 80, "10.0.0.5"),
        Route("localhost", 8000, "127.0.0.1"),
    )


def test_tasks_that_ask_know_their_teachers_names_and_no_others() -> None:
    routes = routes_to(["https://teacher.example/v1", "http://10.0.0.5/v1", "http://localhost/v1"])
    assert hosts_file(routes) == (
        "127.0.0.1 localhost\n127.77.0.1 teacher.example\n::1 localhost\n"
    )
    mounted = "--mount=type=bind,source=/scratch/doors/hosts,target=/etc/hosts,readonly"
    assert mounted in command(needs=TaskNeeds(asks=True))
    assert mounted not in command()


def test_a_signal_goes_to_the_first_process_and_to_all_others() -> None:
    *before, script = signal_arguments("kfp-sdg-1-1", 15)
    assert before == ["exec", "kfp-sdg-1-1", "sh", "-c"]
    assert "kill -15 1;" in script
    assert "kill -15 -1;" in script


@pytest.mark.parametrize(
    ("inputs", "needs"),
    [
        ({}, TaskNeeds()),
        ({"teacher_url": "", "teacher_endpoints": "{}"}, TaskNeeds()),
        ({"teacher_url": "http://t/v1"}, TaskNeeds(asks=True)),
        ({"teacher_url": "", "teacher_endpoints": '{"m": "http://t/v1"}'}, TaskNeeds(asks=True)),
        (
            {"teacher_url": "http://t/v1", "checkpoint_uri": "/kept"},
            TaskNeeds(asks=True, checkpoint="/kept"),
        ),
        ({"input_uri": "/data/rows.jsonl"}, TaskNeeds(rows="/data/rows.jsonl")),
        ({"input_uri": "file:///data/rows.jsonl"}, TaskNeeds(rows="/data/rows.jsonl")),
        ({"input_uri": "https://h/rows.jsonl"}, TaskNeeds(fetches=True)),
        ({"input_uri": "", "seed_samples": "[]"}, TaskNeeds()),
    ],
)
def test_a_tasks_inputs_say_what_it_needs(inputs: dict[str, str], needs: TaskNeeds) -> None:
    given = json.dumps({"inputs": {"parameterValues": inputs}, "outputs": {}})
    assert needs_of([*COMMAND[:-1], given]) == needs


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker command")
@pytest.mark.parametrize("foreign", [False, True])
def test_dockers_own_client_understands_every_option(foreign: bool, tmp_path: Path) -> None:
    tool = find_tool("docker")
    run = replace(RUN, tool=tool, options=("--memory=2g",))
    needs = TaskNeeds(asks=True, rows="/data/a,b.jsonl", checkpoint="/data/kept")
    address = "10.0.0.5" if foreign else "teacher.example"
    lines = [
        command(replace(run, key="/scratch/key"), needs),
        gateway_command(run, "img:v1", routes_to([f"http://{address}/v1"]), "{}"),
        [tool.path, *signal_arguments("kfp-sdg-1-1", 15)],
        [tool.path, *tool.removal(["kfp-sdg-1-1"])],
    ]
    nobody = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    for line in lines:
        done = subprocess.run(line, env=nobody, capture_output=True, text=True, check=False)
        assert "nobody.sock" in done.stderr, done.stderr  # it has come as far as the engine
