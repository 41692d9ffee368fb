"""kfp-sdg images list --check: nothing names an image that the list does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfp_sdg.cluster.images import check_images, parse_reference, read_lock, shipped_places
from kfp_sdg.cluster.images.find import find_images
from kfp_sdg.images import LOCK_FILE

LOCK = read_lock(LOCK_FILE)
RUNTIME = "ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0"
VLLM = "docker.io/vllm/vllm-openai"
(VLLM_DIGEST,) = (image.reference.digest for image in LOCK if image.name == "vllm-cuda")
OTHER_DIGEST = "sha256:" + "0" * 64


def findings(
    tmp_path: Path, text: str, name: str = "x.yaml", registry: str | None = None
) -> list[str]:
    """Return what is wrong with a file, without its folder."""
    file = tmp_path / name
    file.write_text(text)
    checked = check_images([file], LOCK, registry=registry)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in checked.findings]


def images_in(tmp_path: Path, text: str, name: str = "x.yaml") -> int:
    file = tmp_path / name
    file.write_text(text)
    return check_images([file], LOCK).images


def pod(image: str) -> str:
    return f"kind: Pod\nspec:\n  containers:\n    - name: main\n      image: {image}\n"


def test_what_we_ship_names_only_listed_images():
    checked = check_images(shipped_places(), LOCK)
    assert [str(problem) for problem in checked.findings] == []
    assert checked.files >= 16
    assert checked.images >= 115


def test_every_listed_image_is_named_by_something_that_ships():
    named = {
        parse_reference(named.text).repository
        for place in shipped_places()
        for file in place.rglob("*")
        if file.suffix == ".yaml" or file.name == "Containerfile"
        for named in find_images(file.read_text(), str(file))
    }
    assert {image.reference.repository for image in LOCK} - named == set()


def test_an_image_that_is_not_listed_is_found_with_its_line(tmp_path):
    assert findings(tmp_path, pod("quay.io/somebody/thing:v1")) == [
        "x.yaml:5:14: the image quay.io/somebody/thing is not in images.lock "
        f"(add it to {LOCK_FILE}, so that mirrors have it)"
    ]


def test_a_misspelt_image_is_told_with_the_one_that_was_meant(tmp_path):
    (finding,) = findings(tmp_path, pod("ghcr.io/kfp-sdg/kfp-sdg-runtine:v0.1.0"))
    assert finding.endswith("(did you mean 'ghcr.io/kfp-sdg/kfp-sdg-runtime'?)")


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (f"{VLLM}:v0.22.0", "tag"),
        (f"{VLLM}:latest", "tag"),
        (VLLM, "tag"),
        (f"{VLLM}@{OTHER_DIGEST}", "digest"),
        (f"{VLLM}:v0.23.0@{OTHER_DIGEST}", "digest"),
        (f"ghcr.io/kfp-sdg/kfp-sdg-runtime@{OTHER_DIGEST}", "digest"),
    ],
)
def test_another_tag_or_digest_is_found(tmp_path, image, what):
    (finding,) = findings(tmp_path, pod(image))
    assert f"is in images.lock under another {what}; expected " in finding


@pytest.mark.parametrize(
    "image",
    [
        RUNTIME,
        f"{VLLM}:v0.23.0",
        "vllm/vllm-openai:v0.23.0",
        f"{VLLM}@{VLLM_DIGEST}",
        f'"{VLLM}:v0.23.0@{VLLM_DIGEST}"',
    ],
)
def test_a_listed_image_may_be_named_by_tag_by_digest_or_both(tmp_path, image):
    assert findings(tmp_path, pod(image)) == []
    assert images_in(tmp_path, pod(image)) == 1


def test_the_executors_of_a_compiled_pipeline_are_looked_at(tmp_path):
    text = (
        "kind: PipelineVersion\nspec:\n  pipelineSpec:\n    deploymentSpec:\n      executors:\n"
        "        exec-a:\n          container:\n            image: quay.io/a/b:1\n"
    )
    assert [finding.split(" is ")[0] for finding in findings(tmp_path, text)] == [
        "x.yaml:8:20: the image quay.io/a/b"
    ]


def test_every_document_of_a_file_is_looked_at_with_its_own_lines(tmp_path):
    text = f"# first\n{pod('quay.io/a/b:1')}---\n# second\n--- {{image: quay.io/c/d}}\n---\n"
    assert [finding.split(": ")[0] for finding in findings(tmp_path, text)] == [
        "x.yaml:6:14",
        "x.yaml:9:13",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "apiServer: {managedPipelines: {image: quay.io/a/b:1}}",
        "volumes: [{name: model, image: {reference: quay.io/a/b:1, pullPolicy: Always}}]",
        "env: [{name: RELATED_IMAGE_A, value: quay.io/a/b:1}]",
        "- {op: replace, path: /spec/containers/0/image, value: quay.io/a/b:1}",
        "kind: ImageSetConfiguration\nmirror: {additionalImages: [{name: quay.io/a/b:1}]}",
        "kind: Kustomization\npatches:\n  - patch: |\n      spec:\n        image: quay.io/a/b:1\n",
        "predictor: {model: {storageUri: 'oci://quay.io/a/b:1'}}",
        "model: {uri: 'oci+native://quay.io/a/b:1'}",
        "- {op: add, path: /spec/predictor/model/storageUri, value: 'oci://quay.io/a/b:1'}",
        "%YAML 1.2\n# a comment\n---\nimage: quay.io/a/b:1\n",
        '{"image": "quay.io/a/b:1"}',
    ],
)
def test_every_place_that_can_name_an_image_is_known(tmp_path, text):
    (finding,) = findings(tmp_path, text)
    assert "quay.io/a/b is not in images.lock" in finding


def test_a_line_inside_a_kustomization_s_patch_is_found(tmp_path):
    text = (
        "kind: Kustomization\npatches:\n  - patch: |\n      spec:\n        image: quay.io/a/b:1\n"
    )
    (finding,) = findings(tmp_path, text)
    assert finding.startswith("x.yaml:5: ")


def test_what_is_no_image_is_passed_over(tmp_path):
    text = (
        "schema: {properties: {image: {type: string}}}\nimage: ''\n"
        "storageUri: hf://Qwen/Qwen2.5-0.5B-Instruct\nuri: s3://bucket/model\n"
        "env: [{name: IMAGE, value: quay.io/a/b:1}]\n"
    )
    assert images_in(tmp_path, text) == 0


def test_kustomize_may_name_a_listed_image_without_its_tag(tmp_path):
    text = f"images:\n  - name: {VLLM}\n    digest: {VLLM_DIGEST}\n  - name: {VLLM}\n"
    assert findings(tmp_path, text, "kustomization.yaml") == []


def test_kustomize_may_send_an_image_to_a_mirror(tmp_path):
    text = (
        f"images:\n  - name: {VLLM}\n    newName: registry.example.com/vllm\n    newTag: v0.23.0\n"
    )
    assert findings(tmp_path, text, "kustomization.yaml") == []


@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        (f"{{name: {VLLM}, newTag: v0.22.0}}", "1:17: docker.io/vllm/vllm-openai:v0.22.0 is in"),
        (
            f"{{name: {VLLM}, newName: quay.io/a/b, newTag: v0.23.0}}",
            "1:54: the image quay.io/a/b is",
        ),
        (
            f"{{name: {VLLM}, newName: a.example/b, newTag: v1}}",
            "1:54: a.example/b:v1 is in images",
        ),
        ("{name: ghcr.io/kfp-sdg/kfp-sdg-x}", "1:17: the image ghcr.io/kfp-sdg/kfp-sdg-x is not"),
    ],
)
def test_kustomize_may_not_bring_in_another_image(tmp_path, entry, finding):
    (found,) = findings(tmp_path, f"images: [{entry}]\n", "kustomization.yaml")
    assert found.startswith(f"kustomization.yaml:{finding}")


def test_a_copy_at_a_placeholder_or_at_the_mirror_is_the_listed_image(tmp_path):
    path = "kfp-sdg/kfp-sdg-runtime"
    assert findings(tmp_path, pod(f"registry.example.com/{path}:v0.1.0")) == []
    assert (
        findings(tmp_path, pod(f"mirror.lan:5000/ai/{path}:v0.1.0"), registry="mirror.lan:5000/ai")
        == []
    )
    assert len(findings(tmp_path, pod(f"mirror.lan:5000/ai/{path}:v0.1.0"))) == 1
    assert len(findings(tmp_path, pod(f"registry.example.com/{path}:v9"))) == 1
    assert len(findings(tmp_path, pod("registry.example.com/kfp-sdg/other:v0.1.0"))) == 1


def test_a_model_at_a_placeholder_is_the_user_s_own(tmp_path):
    assert findings(tmp_path, "storageUri: oci://registry.example.com/models/mixtral:1\n") == []


def test_what_is_no_name_is_told(tmp_path):
    (finding,) = findings(tmp_path, pod("'{{$.inputs.parameters[''image'']}}'"))
    assert finding.startswith(
        "x.yaml:5:14: \"{{$.inputs.parameters['image']}}\" is not the name of"
    )


def test_the_bases_of_containerfiles_are_looked_at(tmp_path):
    text = (
        "ARG BASE_IMAGE=quay.io/a/base:1\nFROM ${BASE_IMAGE} AS build\nFROM build\n"
        "FROM --platform=linux/amd64 quay.io/a/other AS last\nFROM scratch\n"
        "COPY --from=build /a /a\nCOPY --chmod=755 --from=quay.io/a/tool:1 /b /b\n"
    )
    assert [f.split(" is ")[0] for f in findings(tmp_path, text, "Containerfile")] == [
        "Containerfile:1:16: the image quay.io/a/base",
        "Containerfile:4:29: the image quay.io/a/other",
        "Containerfile:7:25: the image quay.io/a/tool",
    ]


def test_a_file_that_is_not_yaml_cannot_be_checked_and_is_a_finding(tmp_path):
    (finding,) = findings(tmp_path, "a: [\n")
    assert "not valid YAML" in finding


def test_folders_are_searched_and_hidden_ones_are_not(tmp_path):
    for name in ("b/x.yaml", "a/y.json", ".git/z.yaml", "a/Containerfile", "a/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("FROM q/a" if "Container" in name else '{"image": "q/a"}')
    checked = check_images([tmp_path], LOCK)
    assert checked.files == 3
    assert [Path(p.where.file).name for p in checked.findings] == [
        "Containerfile",
        "y.json",
        "x.yaml",
    ]
