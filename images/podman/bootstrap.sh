#!/usr/bin/env bash
# Prepares a bare Debian machine, as root, to build and run the images of this repository where no
# registry and no container engine is to be had: a CI worker, a sandbox. A machine whose podman or
# docker works needs none of this.
#
#   images/podman/bootstrap.sh             install, configure, make the base image, try it
#   images/podman/bootstrap.sh if-needed   the same, unless podman or docker runs the images' base as it is
#   images/podman/bootstrap.sh clean       remove the images and the folder again (packages stay)
#
# All of it is in ${KFP_SDG_CONTAINERS:-build/containers}; nothing in /etc is touched. Run podman with it
# as images/podman/podman. Packages come from whatever mirror this machine's apt uses.
#
# Exit status: 0 containers run; 3 they cannot run here, for the reason that is printed; 2 wrong usage.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
folder="$(realpath -m "${KFP_SDG_CONTAINERS:-$root/build/containers}")"
podman="$root/images/podman/podman"
base_image=localhost/kfp-sdg/debian-python:3.11

tell() { printf 'containers: %s\n' "$*" >&2; }
cannot() { tell "cannot run here: $*"; exit 3; }

install_packages() {
  local missing=()
  command -v podman >/dev/null || missing+=(podman)
  command -v runc >/dev/null || missing+=(runc)
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v skopeo >/dev/null || missing+=(skopeo)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || cannot "${missing[*]} is not installed, and there is no apt-get"
  tell "installing ${missing[*]}"
  local log="$folder/apt.log" apt=(apt-get -qq -o DPkg::Lock::Timeout=120)
  { DEBIAN_FRONTEND=noninteractive "${apt[@]}" update \
      && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 || { tail -n 5 "$log" >&2; cannot "apt-get could not install ${missing[*]} ($log)"; }
}

# A registry, for the tests of mirroring. Its program alone, since the package would start a service; where
# it cannot be had those tests are skipped.
fetch_registry() {
  if command -v docker-registry >/dev/null || [ -x "$folder/bin/docker-registry" ]; then return; fi
  local log="$folder/registry.log" unpacked="$folder/tmp/registry"
  rm -rf "$unpacked" && mkdir -p "$unpacked" "$folder/bin"
  { cd "$unpacked" && apt-get -qq download docker-registry && dpkg-deb -x docker-registry_*.deb . \
      && mv usr/bin/docker-registry "$folder/bin/"; } >"$log" 2>&1 \
    || tell "no registry for the tests of mirroring ($log)"
  cd "$root" && rm -rf "$unpacked"
}

# The ulimits and runc are cures for machines without CAP_SYS_RESOURCE and with mixed cgroups: podman
# asks for more open files than the hard limit, then for more processes than it has left itself, and
# crun refuses hybrid cgroups. A CA of this machine is mounted, so that it never becomes part of an image.
write_configuration() {
  local files volumes=""
  files="$(ulimit -Hn)"
  [ "$files" = unlimited ] && files=1048576
  if [ -n "${SSL_CERT_FILE:-}" ] && [ -f "$SSL_CERT_FILE" ]; then
    volumes="volumes = [\"$SSL_CERT_FILE:/etc/ssl/certs/ca-certificates.crt:ro\"]"
  fi
  mkdir -p "$folder/storage" "$folder/run" "$folder/tmp"
  cat >"$folder/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=32768:32768"]
netns = "host"
log_driver = "k8s-file"
$volumes

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$folder/tmp"
CONF
  cat >"$folder/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$folder/storage"
runroot = "$folder/run"
CONF
}

# Before the minutes that the base takes.
check_start() {
  local told
  told="$("$podman" info 2>&1 >/dev/null)" || cannot "podman does not start: $told"
}

# Debian with Python, as small as it goes: what python:3.11-slim is where a registry is reachable.
# usr-is-merged stands in for usrmerge, whose perl would be a quarter of the image. mmdebstrap copies this
# machine's name and name servers, which no image is to have.
make_base_image() {
  local recipe tar="$folder/base.tar" log="$folder/mmdebstrap.log"
  recipe="$(declare -f make_base_image | sha256sum | cut -c1-16)"
  [ "$("$podman" image inspect --format '{{index .Labels "kfp-sdg.recipe"}}' "$base_image" 2>/dev/null)" \
    = "$recipe" ] && return
  tell "making $base_image out of Debian packages (one or two minutes, once)"
  # shellcheck disable=SC2016 # $1 is for the hook's own shell
  mmdebstrap --variant=minbase --include=ca-certificates,python3,python3-venv,usr-is-merged \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='chroot "$1" apt-get purge -y -qq --autoremove usrmerge perl-modules-5.36 libgdbm6' \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
    bookworm "$tar" >"$log" 2>&1 \
    || { tail -n 5 "$log" >&2; cannot "mmdebstrap could not make a Debian ($log)"; }
  "$podman" import --change 'CMD ["python3"]' --change "LABEL kfp-sdg.recipe=$recipe" \
    "$tar" "$base_image" >"$folder/import.log" 2>&1 \
    || { tail -n 5 "$folder/import.log" >&2; cannot "podman could not import the base image"; }
  rm -f "$tar"
}

check_run() {
  local told
  told="$("$podman" run --rm --pull=never --network=none --user 1000650000:0 --read-only --cap-drop=all \
    --security-opt=no-new-privileges "$base_image" python3 -c 'print("it runs")' 2>&1)" \
    || cannot "podman run failed: $told"
  [[ "$told" == *"it runs"* ]] || cannot "podman run printed nothing of what it ran: $told"
}

clean() {
  if [ -f "$folder/storage.conf" ]; then
    "$podman" system reset --force >/dev/null 2>&1 || tell "podman system reset failed; going on"
    umount "$folder/storage/overlay" 2>/dev/null || true
  fi
  rm -rf "$folder"
}

# Whether a tool of this machine can do without us: it has to get the base from a registry and run it.
works_already() {
  local tool base
  tool="$("$root/images/tool.sh" 2>/dev/null)" || return 1
  [ "$tool" != "$podman" ] || return 1
  base="${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/images/runtime/Containerfile")}"
  timeout 300 "$tool" run --rm --entrypoint python3 "$base" -c '' >/dev/null 2>&1 || return 1
  tell "$tool works as it is"
}

case "${1:-}" in
  "") ;;
  if-needed) if works_already; then exit 0; fi ;;
  clean) clean; exit 0 ;;
  *) tell "unknown argument '$1' (none, if-needed or clean)"; exit 2 ;;
esac
[ "$(uname -s)" = Linux ] || cannot "this is $(uname -s); install podman or docker, 'make images' uses it as it is"
[ "$(id -u)" = 0 ] || cannot "this needs root (id is $(id -u)); install podman or docker, 'make images' uses it as it is"
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
install_packages
write_configuration
check_start
make_base_image
check_run
fetch_registry
tell "podman works, with $base_image ($folder)"
