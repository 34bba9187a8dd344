# LibTorch from the folder PHALANX_LIBTORCH (phalanx_dependencies.cmake). TorchConfig.cmake of the wheel does not work
# with CMake 3.25 and nvcc 13, so the targets are our own.
if(NOT EXISTS ${PHALANX_LIBTORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch: expected ${PHALANX_LIBTORCH}/lib/libtorch_cpu.so, found nothing.\n"
    "Run scripts/setup.sh, or set PHALANX_LIBTORCH to the folder `torch` of an installed wheel, "
    "or configure with -DPHALANX_TORCH=OFF.")
endif()

# libtorch_cpu needs these two of CUDA's even on a machine without a GPU.
set(cuda_folders /usr/local/cuda/lib64 ${PHALANX_LIBTORCH}/../nvidia/cu13/lib)
find_library(CUDART_LIBRARY NAMES libcudart.so.13 HINTS ${cuda_folders} NO_DEFAULT_PATH REQUIRED)
find_library(CUPTI_LIBRARY NAMES libcupti.so.13 HINTS ${cuda_folders} /usr/local/cuda/extras/CUPTI/lib64
  NO_DEFAULT_PATH REQUIRED)
get_filename_component(cudart_folder ${CUDART_LIBRARY} DIRECTORY)
get_filename_component(cupti_folder ${CUPTI_LIBRARY} DIRECTORY)

add_library(phalanx_torch INTERFACE)
add_library(phalanx_dependency::torch ALIAS phalanx_torch)
# -idirafter: the wheel ships other versions of Protobuf's and fmt's headers; the system's must win.
target_compile_options(phalanx_torch INTERFACE "SHELL:-idirafter ${PHALANX_LIBTORCH}/include"
  "SHELL:-idirafter ${PHALANX_LIBTORCH}/include/torch/csrc/api/include")
target_link_directories(phalanx_torch INTERFACE ${PHALANX_LIBTORCH}/lib)
target_link_libraries(phalanx_torch INTERFACE torch_cpu c10)
target_link_options(phalanx_torch INTERFACE
  -Wl,-rpath,${PHALANX_LIBTORCH}/lib -Wl,-rpath,${cudart_folder} -Wl,-rpath,${cupti_folder}
  -Wl,-rpath-link,${cudart_folder} -Wl,-rpath-link,${cupti_folder})
