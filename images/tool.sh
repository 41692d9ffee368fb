#!/bin/sh
# Prints the command that builds and runs containers on this machine: $CONTAINER_TOOL (or what kfp-sdg
# itself goes by, $KFP_SDG_CONTAINER_TOOL), podman as images/podman/bootstrap.sh prepared it, podman or
# docker as it is, in this order.
set -eu
root="$(cd "$(dirname "$0")/.." && pwd)"
named="${CONTAINER_TOOL:-${KFP_SDG_CONTAINER_TOOL:-}}"
if [ -n "$named" ]; then
  echo "$named"
elif [ -f "${KFP_SDG_CONTAINERS:-$root/build/containers}/containers.conf" ]; then
  echo "$root/images/podman/podman"
elif podman info >/dev/null 2>&1; then
  echo podman
elif docker info >/dev/null 2>&1; then
  echo docker
else
  echo "Neither podman nor docker works here. Install one of them; on a bare Debian, as root, run" \
    "images/podman/bootstrap.sh" >&2
  exit 3
fi
