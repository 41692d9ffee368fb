from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading

import pytest

from certificates import self_signed
from document_repositories import BIRDS, git, leaf, repository
from git_server import GitServer, all_files_say
from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.instructlab.documents import GitAccess, GitSecret, load_documents

TOKEN = "s3cret-t0ken/+="
LOGIN = ("somebody", TOKEN)
BIG = "Not wanted. " * 20_000

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without any configuration of git, and an environment without secrets."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def repo(tmp_path):
    """A repository to be served, with one document that is wanted and a large file that is not."""
    folder = tmp_path / "served" / "docs"
    commit = repository(folder, {"birds.md": BIRDS, "other/big.md": BIG, "README.txt": "Hello."})
    repository(folder, {"birds.md": "# Later\n"})
    git(folder, "config", "uploadpack.allowFilter", "true")
    return folder, commit


@pytest.fixture
def load(tmp_path, home):
    def load(a_leaf, **options):
        options = {"taxonomy_folder": tmp_path, "cache": tmp_path / "cache"} | options
        return load_documents([a_leaf], **options)[a_leaf.name]

    return load


def test_a_private_repository_behind_an_own_authority_is_read_with_a_token(
    load, repo, tmp_path, monkeypatch, home
):
    folder, commit = repo
    certificate, tls = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (home / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    with GitServer(folder.parent, tls, login=LOGIN) as server:
        access = GitAccess((GitSecret(server.url, TOKEN, "somebody"),))
        found = load(leaf(f"{server.url}/docs", commit), access=access)
    assert found.chunks == (BIRDS.strip(),)
    assert set(server.logins) == {f"somebody:{TOKEN}"}
    assert all_files_say(tmp_path, TOKEN) == []
    assert TOKEN not in repr(access)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "GIT_SSL_CAINFO"])
def test_an_own_authority_is_taken_from_the_environment(
    load, repo, tmp_path, monkeypatch, variable
):
    folder, commit = repo
    certificate, tls = self_signed(tmp_path)
    with GitServer(folder.parent, tls) as server:
        a_leaf = leaf(f"{server.url}/docs", commit)
        with pytest.raises(StorageError, match=r"certificate .*\(set SSL_CERT_FILE or GIT_SSL"):
            load(a_leaf)
        monkeypatch.setenv(variable, str(certificate))
        assert load(a_leaf).chunks == (BIRDS.strip(),)


@pytest.mark.parametrize("secrets", [(), ("wrong",)], ids=["none", "wrong"])
def test_without_the_right_token_the_error_says_which_variable_to_set(load, repo, secrets):
    folder, commit = repo
    with GitServer(folder.parent, login=LOGIN) as server:
        access = GitAccess(tuple(GitSecret(server.url, token) for token in secrets))
        with pytest.raises(StorageError) as raised:
            load(leaf(f"{server.url}/docs", commit), access=access)
    text = str(raised.value)
    assert text.startswith(f"knowledge/birds/qna.yaml: the documents' repository {server.url}/docs")
    assert "KFP_SDG_GIT_TOKEN" in text
    assert "wrong" not in text


def test_a_token_is_sent_to_no_other_server(load, repo):
    folder, commit = repo
    with GitServer(folder.parent, login=LOGIN) as other:
        access = GitAccess((GitSecret("http://127.0.0.1:9", TOKEN),))
        with pytest.raises(StorageError):
            load(leaf(f"{other.url}/docs", commit), access=access)
        with GitServer(folder.parent, redirect=other.url) as first:
            access = GitAccess((GitSecret(first.url, TOKEN),))
            with pytest.raises(StorageError):
                load(leaf(f"{first.url}/docs", commit), access=access)
    assert other.requests
    assert other.logins == []


def test_a_token_may_be_for_a_part_of_a_server_only(load, repo):
    folder, commit = repo
    with GitServer(folder.parent, login=LOGIN) as server:
        for part, allowed in (("/docs", True), ("/elsewhere", False), ("/do", False)):
            access = GitAccess((GitSecret(server.url + part, TOKEN, "somebody"),))
            a_leaf = leaf(f"{server.url}/docs", commit)
            server.logins.clear()
            if allowed:
                assert load(a_leaf, access=access).chunks
                shutil.rmtree(folder.parents[1] / "cache")
            else:
                with pytest.raises(StorageError):
                    load(a_leaf, access=access)
                assert server.logins == []


def test_a_password_in_a_leafs_url_is_used_and_neither_shown_nor_stored(load, repo, tmp_path):
    folder, commit = repo
    with GitServer(folder.parent, login=("me", "p:w d")) as server:
        url = server.url.replace("://", "://me:p%3Aw%20d@")
        assert load(leaf(f"{url}/docs", commit)).chunks == (BIRDS.strip(),)
        assert all_files_say(tmp_path / "cache", "p%3Aw") == []
        assert all_files_say(tmp_path / "cache", "p:w d") == []
        with pytest.raises(SpecError) as raised:
            load(leaf(f"{url}/docs", "no-such-branch"))
    assert f"{server.url}/docs has no commit" in str(raised.value)


def test_only_the_wanted_documents_of_one_commit_are_fetched(load, repo, tmp_path):
    folder, commit = repo
    with GitServer(folder.parent) as server:
        load(leaf(f"{server.url}/docs", commit))
        [kept] = (tmp_path / "cache").iterdir()
        here = git(kept / "repository", "rev-list", "--all", "--objects", "--missing=print", commit)
        assert git(kept / "repository", "rev-list", "--count", commit) == "1"
        missing = [line for line in here.splitlines() if line.startswith("?")]
        assert len(missing) == 2
        assert git(folder, "rev-parse", f"{commit}:other/big.md") in "".join(missing)


@pytest.mark.parametrize("name", ["{commit}", "{short}", "v1", "old"])
def test_a_server_of_the_old_protocol_is_cloned_whole(load, repo, tmp_path, name):
    folder, commit = repo
    git(folder, "config", "uploadpack.allowFilter", "false")
    git(folder, "tag", "v1", commit)
    git(folder, "branch", "old", commit)
    name = name.format(commit=commit, short=commit[:10])
    with GitServer(folder.parent, modern=False) as server:
        assert load(leaf(f"{server.url}/docs", name)).chunks == (BIRDS.strip(),)


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("commit", ["0" * 40, "no-such-branch", "0badc0de"])
def test_a_commit_that_the_server_does_not_have_is_named(load, repo, tmp_path, commit, modern):
    with GitServer(repo[0].parent, modern=modern) as server, pytest.raises(SpecError) as raised:
        load(leaf(f"{server.url}/docs", commit))
    assert f"{server.url}/docs has no commit '{commit}'" in str(raised.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_leaves_of_a_run_share_one_fetch_for_each_commit(repo, tmp_path, home):
    folder, _ = repo
    with GitServer(folder.parent) as server:
        leaves = [
            leaf(f"{server.url}/docs", name, pattern, path=f"knowledge/{number}")
            for number, (name, pattern) in enumerate(
                [("main", "*.md"), ("main", "*.txt"), ("main", "*.md"), ("gone", "*.md")]
            )
        ]
        load_documents(leaves[:3], taxonomy_folder=tmp_path, cache=tmp_path / "cache")
        # one for the commit, one for each document's content
        assert server.fetches == 3
        with pytest.raises(SpecError) as raised:
            load_documents([leaves[3]] * 5, taxonomy_folder=tmp_path, cache=tmp_path / "cache")
        assert len(raised.value.problems) == 1
        assert server.fetches == 4


def test_a_commit_that_an_earlier_run_fetched_is_not_fetched_again(load, repo, tmp_path):
    folder, commit = repo
    with GitServer(folder.parent) as server:
        a_leaf = leaf(f"{server.url}/docs", commit)
        first = load(a_leaf)
    assert load(a_leaf) == first


def test_a_branch_is_asked_for_in_every_run(load, repo):
    folder, _ = repo
    with GitServer(folder.parent) as server:
        assert load(leaf(f"{server.url}/docs", "main")).chunks == ("# Later",)
        repository(folder, {"birds.md": "# Latest\n"})
        assert load(leaf(f"{server.url}/docs", "main")).chunks == ("# Latest",)


def test_a_mirror_is_used_where_gits_own_configuration_names_one(load, repo, home):
    folder, commit = repo
    mirror = f'[url "{folder.parent}/"]\n\tinsteadOf = https://example.invalid/\n'
    (home / ".gitconfig").write_text(mirror)
    assert load(leaf("https://example.invalid/docs", commit)).chunks == (BIRDS.strip(),)


def test_a_repository_that_is_not_on_the_server_is_said_in_gits_words(load, tmp_path, repo):
    with GitServer(tmp_path / "served") as server, pytest.raises(StorageError) as raised:
        load(leaf(f"{server.url}/nowhere", "main"))
    assert f"repository '{server.url}/nowhere/' not found" in str(raised.value)


def test_a_server_that_is_not_there_is_said_in_gits_words(load):
    with pytest.raises(StorageError, match=r"^knowledge/birds/qna.yaml: .*http://127.0.0.1:9/x"):
        load(leaf("http://127.0.0.1:9/x", "main"))


def test_a_server_that_never_answers_is_given_up(load):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StorageError, match=r"took longer than 0\.5 seconds"):
            load(leaf(f"http://127.0.0.1:{port}/x", "main"), access=GitAccess(timeout=0.5))


def test_hooks_and_filters_of_the_user_are_not_run_on_documents(load, repo, tmp_path, home):
    folder, commit = repo
    mark = tmp_path / "mark"
    hooks = home / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    with GitServer(folder.parent) as server:
        assert load(leaf(f"{server.url}/docs", commit)).chunks
    assert not mark.exists()


def test_submodules_are_not_fetched(load, repo, tmp_path):
    folder, _ = repo
    repository(tmp_path / "inner", {"inner.md": "Inner."})
    git(
        folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add",
        str(tmp_path / "inner"), "sub",
    )  # fmt: skip
    commit = repository(folder, {})
    words = "sub is not looked into"
    with GitServer(folder.parent) as server, pytest.raises(SpecError, match=words):
        load(leaf(f"{server.url}/docs", commit, "sub/*.md"))


def test_git_in_a_hook_of_another_repository_reads_the_right_one(load, repo, monkeypatch, tmp_path):
    folder, commit = repo
    repository(tmp_path / "another", {"x.md": "X."})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another" / ".git"))
    assert load(leaf(folder, commit)).chunks == (BIRDS.strip(),)


def test_two_runs_at_once_share_a_cache(repo, tmp_path, home):
    folder, commit = repo
    found = []
    with GitServer(folder.parent) as server:
        a_leaf = leaf(f"{server.url}/docs", commit, "**/*.md")

        def run():
            folders = {"taxonomy_folder": tmp_path, "cache": tmp_path / "cache"}
            found.append(load_documents([a_leaf], **folders)[a_leaf.name])

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4
    assert len({documents.chunks for documents in found}) == 1
    assert [path.name[:5] for path in (tmp_path / "cache").iterdir()] == ["docs-"]


# The secret from the environment ------------------------------------------------------------------


def test_a_token_comes_from_the_environment():
    access = GitAccess.from_environment(
        {"KFP_SDG_GIT_TOKEN": f" {TOKEN}\n", "KFP_SDG_GIT_URL": "github.com https://a.example/b"}
    )
    assert access.secrets == (
        GitSecret("https://github.com", TOKEN, "x-access-token"),
        GitSecret("https://a.example/b", TOKEN, "x-access-token"),
    )


@pytest.mark.parametrize("name", ["password", "token", "api_token"])
def test_a_token_comes_from_a_mounted_secret(tmp_path, name):
    (tmp_path / name).write_text(f"{TOKEN}\n")
    (tmp_path / "username").write_text("me\n")
    environment = {"KFP_SDG_GIT_TOKEN_FILE": str(tmp_path), "KFP_SDG_GIT_URL": "https://x.example"}
    assert GitAccess.from_environment(environment).secrets == (
        GitSecret("https://x.example", TOKEN, "me"),
    )
    environment["KFP_SDG_GIT_TOKEN_FILE"] = str(tmp_path / name)
    environment["KFP_SDG_GIT_USER"] = "other"
    assert GitAccess.from_environment(environment).secrets == (
        GitSecret("https://x.example", TOKEN, "other"),
    )


SSH = """#!/bin/sh
# stands for ssh: it needs a private key that it can use, and runs what it is told on this machine
echo "$@" > {folder}/arguments
while [ "$1" != -i ]; do shift; done
ssh-keygen -y -f "$2" > {folder}/public || exit 255
for last; do :; done
exec sh -c "$last"
"""


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_a_mounted_ssh_key_is_used_though_others_could_read_it(load, repo, tmp_path, monkeypatch):
    folder, commit = repo
    secret, programs = tmp_path / "secret", tmp_path / "bin"
    for place in (secret, programs):
        place.mkdir()
    key = secret / "ssh-privatekey"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    key.chmod(0o644)
    (secret / "known_hosts").write_text("example.invalid ssh-ed25519 AAAA\n")
    (programs / "ssh").write_text(SSH.format(folder=tmp_path))
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    access = GitAccess.from_environment({"KFP_SDG_GIT_TOKEN_FILE": str(secret)})
    a_leaf = leaf(f"ssh://git@example.invalid{folder}", commit)
    assert load(a_leaf, access=access).chunks == (BIRDS.strip(),)
    public = (secret / "ssh-privatekey.pub").read_text()
    assert (tmp_path / "public").read_text().split()[:2] == public.split()[:2]
    arguments = (tmp_path / "arguments").read_text()
    assert f"UserKnownHostsFile={secret}/known_hosts" in arguments
    assert "BatchMode=yes" in arguments


def test_without_git_the_error_says_so(load, repo, monkeypatch, tmp_path):
    folder, commit = repo
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError, match="the git command is not installed"):
        load(leaf(folder, commit))


def test_no_token_is_no_error(tmp_path):
    for environment in ({}, {"KFP_SDG_GIT_TOKEN_FILE": str(tmp_path / "none")}):
        assert GitAccess.from_environment(environment).secrets == ()


def test_a_token_without_its_server_is_refused_and_not_shown():
    with pytest.raises(SpecError, match="KFP_SDG_GIT_URL") as raised:
        GitAccess.from_environment({"KFP_SDG_GIT_TOKEN": TOKEN})
    assert TOKEN not in str(raised.value)


def test_a_token_of_two_lines_is_refused_and_not_shown():
    environment = {"KFP_SDG_GIT_TOKEN": "one\ntwo", "KFP_SDG_GIT_URL": "https://x.example"}
    with pytest.raises(SpecError, match="line break") as raised:
        GitAccess.from_environment(environment)
    assert "two" not in str(raised.value)
