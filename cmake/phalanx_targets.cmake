# How a folder becomes a target, a .proto code, and a test a ctest entry.
option(PHALANX_WERROR "Warnings are errors" OFF)
set(PHALANX_SANITIZE "" CACHE STRING "Sanitizers for everything built: address,undefined or thread")

add_library(phalanx_options INTERFACE)
target_include_directories(phalanx_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(phalanx_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  $<$<BOOL:${PHALANX_WERROR}>:-Werror>)
if(PHALANX_SANITIZE)
  # g++ 12 warns of uninitialized members of std::variant where sanitizers change its inlining.
  target_compile_options(phalanx_options INTERFACE -fsanitize=${PHALANX_SANITIZE} -fno-omit-frame-pointer -g1
    -Wno-maybe-uninitialized)
  target_link_options(phalanx_options INTERFACE -fsanitize=${PHALANX_SANITIZE})
endif()

# phalanx_library(NAME [FOR_PLUGINS] [LINKS target...]): all .cc files of the current folder and of the sub-folders named
# in FOLDERS as the library phalanx_NAME, which plug-ins link too if it is FOR_PLUGINS. Programs' mains are in files
# called main.cc or *_main.cc and stay out.
function(phalanx_library name)
  cmake_parse_arguments(arg "FOR_PLUGINS" "" "LINKS;FOLDERS" ${ARGN})
  set(globs ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(folder ${arg_FOLDERS})
    list(APPEND globs ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${globs})
  list(FILTER sources EXCLUDE REGEX "main\\.cc$")
  add_library(phalanx_${name} STATIC ${sources})
  target_link_libraries(phalanx_${name} PUBLIC phalanx_options ${arg_LINKS})
  if(arg_FOR_PLUGINS)
    set_target_properties(phalanx_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endfunction()

# phalanx_plugin(NAME SOURCES file... LINKS target...): the backend NAME as a shared library that exports its entry and
# nothing else, because the program has the same code of ours (comm/plugin.h). ../lib is where programs look for it.
set(PHALANX_PLUGINS ${PROJECT_BINARY_DIR}/lib)
function(phalanx_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(phalanx-${name} MODULE ${arg_SOURCES})
  target_link_libraries(phalanx-${name} PRIVATE ${arg_LINKS})
  target_link_options(phalanx-${name} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/plugin_exports.txt)
  set_target_properties(phalanx-${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PHALANX_PLUGINS})
endfunction()

# phalanx_proto(TARGET FILE.proto [GRPC]): the C++ of a .proto file, included as "folder/FILE.pb.h".
function(phalanx_proto target file)
  cmake_parse_arguments(arg "GRPC" "" "" ${ARGN})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  get_filename_component(stem ${file} NAME_WE)
  set(out ${PROJECT_BINARY_DIR}/generated)
  set(products ${out}/${folder}/${stem}.pb.cc ${out}/${folder}/${stem}.pb.h)
  set(plugin)
  if(arg_GRPC)
    list(APPEND products ${out}/${folder}/${stem}.grpc.pb.cc ${out}/${folder}/${stem}.grpc.pb.h)
    set(plugin --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
  endif()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(OUTPUT ${products}
    COMMAND ${PROTOC} -I ${PROJECT_SOURCE_DIR} --cpp_out=${out} ${plugin} ${folder}/${file}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} VERBATIM)
  target_sources(${target} PRIVATE ${products})
  set_source_files_properties(${products} PROPERTIES COMPILE_OPTIONS -w)
  target_link_libraries(${target} PUBLIC phalanx_dependency::protobuf)
  if(arg_GRPC)
    target_link_libraries(${target} PUBLIC phalanx_dependency::grpc)
  endif()
endfunction()

# Half of a clean build is tests, and most of a test's compilation is these headers and its optimization.
set(phalanx_test_headers <gtest/gtest.h> <gmock/gmock.h>)
set(phalanx_test_optimization -O0)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cc CONTENT "")
add_library(phalanx_test_headers STATIC ${PROJECT_BINARY_DIR}/test_headers.cc)
target_compile_options(phalanx_test_headers PRIVATE ${phalanx_test_optimization})
target_link_libraries(phalanx_test_headers PRIVATE phalanx_options GTest::gtest GTest::gmock)
target_precompile_headers(phalanx_test_headers PRIVATE ${phalanx_test_headers})

# phalanx_test(NAME LABEL SOURCES file... LINKS target... [TIMEOUT seconds] [HEADERS header...] [PREFIX text]): a
# GoogleTest program; every TEST is a ctest entry of its own, its name after the prefix, with the label `quick` or
# `full`. HEADERS are precompiled for it.
function(phalanx_test name label)
  cmake_parse_arguments(arg "" "TIMEOUT;PREFIX" "SOURCES;LINKS;HEADERS;PROPERTIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${phalanx_test_optimization})
  if(arg_HEADERS)
    target_precompile_headers(${name} PRIVATE ${phalanx_test_headers} ${arg_HEADERS})
  else()
    target_precompile_headers(${name} REUSE_FROM phalanx_test_headers)
  endif()
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_PREFIX "${arg_PREFIX}"
    PROPERTIES LABELS ${label} TIMEOUT ${arg_TIMEOUT} ${arg_PROPERTIES})
endfunction()
