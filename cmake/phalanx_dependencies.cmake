# Every library that Phalanx builds on, as targets phalanx_dependency::NAME. scripts/setup.sh installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(GTest REQUIRED)

# gRPC and Protobuf are linked statically: a `phalanx` with the shared ones starts in 9 ms, with these in 3.
# CMake's imported targets would pick the shared libraries, so the archives are named by pkg-config.
function(phalanx_static_dependency name)
  pkg_check_modules(${name} REQUIRED ${ARGN})
  set(flags)
  foreach(flag ${${name}_STATIC_LDFLAGS})
    if(NOT flag MATCHES "^(-lssl|-lcrypto|-ldl|-lpthread|-pthread|-lrt|-lz|-latomic|-Wl,.*|-L.*)$")
      list(APPEND flags ${flag})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES flags)
  string(JOIN " " archives ${flags})
  add_library(phalanx_dependency_${name} INTERFACE)
  add_library(phalanx_dependency::${name} ALIAS phalanx_dependency_${name})
  target_include_directories(phalanx_dependency_${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
  # What the archives need follows in one piece with them: --as-needed forgets a library that came before, and CMake
  # drops a repeated one.
  target_link_libraries(phalanx_dependency_${name} INTERFACE
    "-Wl,-Bstatic,--start-group ${archives} -Wl,--end-group,-Bdynamic,--push-state,--as-needed -lssl -lcrypto -lz -Wl,--pop-state"
    OpenSSL::SSL OpenSSL::Crypto ${CMAKE_DL_LIBS} Threads::Threads)
endfunction()

function(phalanx_dependency name)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(phalanx_dependency::${name} ALIAS PkgConfig::${name})
endfunction()

if(PHALANX_SANITIZE STREQUAL thread)
  # The thread sanitizer does not see what gRPC's locks order, and can look away only from shared libraries.
  phalanx_dependency(protobuf protobuf)
  phalanx_dependency(grpc grpc++ protobuf)
else()
  phalanx_static_dependency(protobuf protobuf)
  phalanx_static_dependency(grpc grpc++ protobuf)
endif()
phalanx_dependency(yaml yaml-cpp)
phalanx_dependency(spdlog spdlog)
phalanx_dependency(xxhash libxxhash)
phalanx_dependency(hdf5 hdf5)
phalanx_dependency(isal libisal)
phalanx_dependency(mpi ompi-c)

find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  # Without this leave it caches nothing that has a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

# LibTorch: of the wheel that scripts/setup.sh brings, or the one named here. phalanx_cuda.cmake must know it too: what it
# loads on a GPU is looked for beside it.
set(PHALANX_LIBTORCH ${PROJECT_SOURCE_DIR}/.deps/python/torch CACHE PATH "LibTorch: a folder with include/ and lib/")
if(DEFINED ENV{PHALANX_LIBTORCH})
  set(PHALANX_LIBTORCH $ENV{PHALANX_LIBTORCH})
endif()
