#!/usr/bin/env bash
# Builds the images of this repository under the names that compiled pipelines give them, and prints
# their sizes.
#
#   images/build.sh [NAME...]      NAME is runtime, taxonomy or bundle; all of them without one
#
# CONTAINER_TOOL  the command that builds; see images/tool.sh
# BASE_IMAGE      what they are built on, instead of UBI 9 with Python 3.12
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool="$(images/tool.sh)"
debian=localhost/kfp-sdg/debian-python:3.11
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
revision="$(git rev-parse HEAD 2>/dev/null || echo unknown)"
names=("$@")
[ $# -gt 0 ] || names=(runtime taxonomy bundle)
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
# Podman that was prepared without a registry has a Debian of its own.
if [ -z "${BASE_IMAGE:-}" ] && "$tool" image inspect "$debian" >/dev/null 2>&1; then
  BASE_IMAGE="$debian"
fi

image_of() { echo "ghcr.io/kfp-sdg/kfp-sdg-$1:v$version"; }

for name in "${names[@]}"; do
  [ -f "images/$name/Containerfile" ] \
    || { echo "There is no image '$name'; there are runtime, taxonomy and bundle" >&2; exit 2; }
done
for name in "${names[@]}"; do
  image="$(image_of "$name")"
  if [ "$name" = taxonomy ]; then
    [[ " ${names[*]} " == *" runtime "* ]] || "$tool" image inspect "$(image_of runtime)" >/dev/null 2>&1 \
      || { echo "The image 'taxonomy' is built on 'runtime', which is not here: build both" >&2; exit 2; }
    base=(--build-arg "RUNTIME_IMAGE=$(image_of runtime)")
  else
    base=(${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"})
  fi
  echo "Building $image"
  "$tool" build --quiet "${arguments[@]}" "${base[@]}" --file "images/$name/Containerfile" --tag "$image" . >/dev/null
done

printf '\n%-50s %8s\n' IMAGE MB
for name in "${names[@]}"; do
  size="$("$tool" image inspect --format '{{.Size}}' "$(image_of "$name")")"
  printf '%-50s %8d\n' "$(image_of "$name")" $((size / 1000000))
done
if [ "$tool" = "$PWD/images/podman/podman" ]; then
  printf '\nPlain podman does not see them; for kfp-sdg run --runner container:\n  export KFP_SDG_CONTAINER_TOOL=%s\n' "$tool"
fi
