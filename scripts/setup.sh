#!/usr/bin/env bash
# Installs what Phalanx builds on, and nothing that is there already:
#   Debian packages (with sudo when not root), and LibTorch from the pinned wheel into .deps/python,
#   unless PHALANX_LIBTORCH names one. Takes seconds when nothing is missing.
# Usage: scripts/setup.sh [--benchmarks] [--cuda] [--lint] [--reference]
#   --benchmarks: also what the peers in benchmarks/ need
#   --cuda: also NCCL, and where there is no toolkit under CUDA_HOME (/usr/local/cuda) or on the PATH the wheels of one;
#     and what the loader does not find of the libraries that LibTorch's libtorch_cuda.so needs
#   --lint: also what scripts/lint.sh needs
#   --reference: also Hugging Face transformers, which tests/reference compares models with (into .deps/reference)
set -euo pipefail
cd "$(dirname "$0")/.."

benchmarks=no
cuda=no
lint=no
reference=no
for argument in "$@"; do
  case $argument in
    --benchmarks) benchmarks=yes ;;
    --cuda) cuda=yes ;;
    --lint) lint=yes ;;
    --reference) reference=yes ;;
    *) printf 'error: setup: expected --benchmarks, --cuda, --lint, --reference or nothing, found %s\n' "$argument" >&2
       exit 2 ;;
  esac
done

torch_version=2.11.0
cublas_version=13.1.0.3
cccl_version=13.0.85
cudart_version=13.0.96
cupti_version=13.0.85
nvcc_version=13.0.88
nccl_version=2.30.7  # torch asks for 2.28.9; from 2.30 on several ranks may share a GPU
packages=(
  ca-certificates git g++ cmake ninja-build ccache pkg-config python3 python3-pip
  libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libgrpc++-dev libssl-dev zlib1g-dev
  libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libxxhash-dev libisal-dev libhdf5-dev
  libopenmpi-dev openmpi-bin libgtest-dev libgmock-dev
  python3-yaml python3-h5py
)
# The benchmarks: what torch.compile compiles with, and ss, which counts bytes.
[ $benchmarks = no ] || packages+=(python3-dev iproute2)
# 16 is the first that reads std::source_location of g++ 12's library.
[ $lint = no ] || packages+=(clang-format-16 clang-tidy-16)

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
    --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_25_x86_64 --platform manylinux_2_18_x86_64 --platform manylinux2014_x86_64 \
    -d .deps/download "$1"
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

# The packages that a list pins, and no others, into a folder; a copy of the list is the marker.
python_packages() {
  local list=$1 folder=$2 marker
  marker=$folder/.$(basename "$(dirname "$list")")
  cmp -s "$list" "$marker" && return
  say "installing $list into $folder"
  DS_BUILD_OPS=0 /usr/bin/python3 -m pip install -q --disable-pip-version-check --no-deps --upgrade \
    --target "$folder" -r "$list"
  cp "$list" "$marker"
}

# The CUDA libraries that LibTorch needs on a GPU and the loader does not find, each from the wheel that this version of
# torch asks for. libcaffe2_nvrtc.so is loaded by libtorch_cuda.so when it first asks which memory is pinned.
torch_cuda_wheels() {
  local libraries=(.deps/python/torch/lib/libtorch_cuda.so .deps/python/torch/lib/libcaffe2_nvrtc.so) library
  local -A wheels=(
    [libcublas.so.13]=nvidia-cublas==$cublas_version [libcublasLt.so.13]=nvidia-cublas==$cublas_version
    [libcudart.so.13]=nvidia-cuda-runtime==$cudart_version [libcupti.so.13]=nvidia-cuda-cupti==$cupti_version
    [libcufft.so.12]=nvidia-cufft==12.0.0.61 [libcufile.so.0]=nvidia-cufile==1.15.1.6
    [libcurand.so.10]=nvidia-curand==10.4.0.35 [libcusparse.so.12]=nvidia-cusparse==12.6.3.3
    [libcusparseLt.so.0]=nvidia-cusparselt-cu13==0.8.0 [libcudnn.so.9]=nvidia-cudnn-cu13==9.19.0.56
    [libnccl.so.2]=nvidia-nccl-cu13==$nccl_version [libnvJitLink.so.13]=nvidia-nvjitlink==13.0.88
    [libnvrtc.so.13]=nvidia-cuda-nvrtc==13.0.88 [libnvshmem_host.so.3]=nvidia-nvshmem-cu13==3.4.5
  )
  for _ in 1 2; do  # what a wheel brings may need another
    for library in $(ldd "${libraries[@]}" | awk '/not found/ {print $1}' | sort -u); do
      [ "$library" != libcuda.so.1 ] || continue  # the driver's
      [ -n "${wheels[$library]:-}" ] || { printf 'error: setup: %s needs %s: no wheel is known for it\n' \
        "${libraries[0]}" "$library" >&2; exit 2; }
      wheel "${wheels[$library]}"
    done
  done
}

# For `import torch` alone. What it imports is in one of the lists of packages, whose folder is given.
importable_torch() {
  torch_cuda_wheels
  PYTHONPATH=$1:.deps/python /usr/bin/python3 -c 'import torch, torch.distributed.run'
}

# What cmake/phalanx_cuda.cmake looks for.
cuda_wheels() {
  local toolkit=${CUDA_HOME:-/usr/local/cuda}
  if [ ! -x "$toolkit/bin/nvcc" ] && command -v nvcc >/dev/null; then
    toolkit=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
  fi
  if [ ! -x "$toolkit/bin/nvcc" ]; then
    for part in nvcc crt; do wheel "nvidia-cuda-$part==$nvcc_version"; done
    wheel "nvidia-nvvm==$nvcc_version"
    wheel "nvidia-cuda-cccl==$cccl_version"
    wheel "nvidia-cuda-runtime==$cudart_version"
    chmod +x .deps/python/nvidia/cu13/bin/* .deps/python/nvidia/cu13/nvvm/bin/*  # what unpacking loses
  fi
  [ -e "$toolkit/include/cublas_v2.h" ] || wheel "nvidia-cublas==$cublas_version"
  wheel "nvidia-nccl-cu13==$nccl_version"  # a toolkit's may be older
}

if [ $cuda = yes ]; then
  cuda_wheels
  # Another LibTorch brings its own, or its owner does.
  [ -n "${PHALANX_LIBTORCH:-}" ] || torch_cuda_wheels
fi
# The torch of .deps/python also where PHALANX_LIBTORCH names another: Python programs run on this one.
if [ $benchmarks = yes ]; then
  wheel "torch==$torch_version"
  python_packages benchmarks/requirements.txt .deps/python
  importable_torch .deps/python
fi
if [ $reference = yes ]; then
  wheel "torch==$torch_version"
  python_packages tests/reference/requirements.txt .deps/reference
  importable_torch .deps/reference
fi
say "everything is there"
