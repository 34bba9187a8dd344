#!/usr/bin/env bash
# Installs what Phalanx builds on, and nothing that is there already:
#   Debian packages (with sudo when not root), and LibTorch from the pinned wheel into .deps/python,
#   unless PHALANX_LIBTORCH names one. Takes seconds when nothing is missing.
# Usage: scripts/setup.sh [--benchmarks]    --benchmarks: also what the peers in benchmarks/ need in Python
set -euo pipefail
cd "$(dirname "$0")/.."

torch_version=2.11.0
cudart_version=13.0.96
cupti_version=13.0.85
packages=(
  ca-certificates git g++ cmake ninja-build ccache pkg-config python3 python3-pip
  libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libgrpc++-dev libssl-dev zlib1g-dev
  libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libxxhash-dev libhdf5-dev
  libgtest-dev libgmock-dev
  python3-yaml python3-h5py
)

say() { printf 'setup: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    printf 'error: setup: %s needs root\nhelp: run as root, or install sudo\n' "$1" >&2; exit 2; fi
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# A wheel's files, without what it depends on. A marker is written last: an interrupted download is repeated.
wheel() {
  local marker=".deps/python/.$1"
  [ -f "$marker" ] && return
  say "fetching the wheel $1 into .deps/python"
  rm -rf .deps/download
  # --python-version: the libraries inside are the same for every Python; the one here need not have a wheel.
  /usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux2014_x86_64 -d .deps/download "$1"
  mkdir -p .deps/python
  /usr/bin/python3 -m zipfile -e .deps/download/*.whl .deps/python
  rm -rf .deps/download
  : > "$marker"
}

if [ -n "${PHALANX_LIBTORCH:-}" ]; then
  say "LibTorch: $PHALANX_LIBTORCH (PHALANX_LIBTORCH)"
else
  wheel "torch==$torch_version"
  if [ ! -e /usr/local/cuda/lib64/libcupti.so.13 ]; then
    wheel "nvidia-cuda-runtime==$cudart_version"
    wheel "nvidia-cuda-cupti==$cupti_version"
  fi
fi
say "everything is there"
