# Tests that are more than one folder's unit tests. Labels: tidy, sim, e2e, text, fuzz, doc, slow (tools/test_driver.py picks by them).
if(NOT WEIR_TESTS)
  return()
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME tidy COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/tidy.py ${CMAKE_SOURCE_DIR})
add_test(NAME tidy_self COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/tidy_test.py)
set_tests_properties(tidy tidy_self PROPERTIES LABELS tidy)

# End to end: the real binary between clients and workers that a test scripts.
if(TARGET weir)
  file(GLOB e2e CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/*_test.py)
  foreach(file ${e2e})
    get_filename_component(name ${file} NAME_WE)
    string(REGEX REPLACE "_test$" "" name ${name})
    add_test(NAME e2e_${name} COMMAND ${Python3_EXECUTABLE} -B ${file})
    set_tests_properties(e2e_${name} PROPERTIES LABELS e2e TIMEOUT 270 SKIP_RETURN_CODE 77
                         ENVIRONMENT "WEIR_BIN=$<TARGET_FILE:weir>")
  endforeach()
  if(TEST e2e_churn)
    set_tests_properties(e2e_churn PROPERTIES LABELS "e2e;slow")
  endif()
endif()

# Text: the reference folder's recorded cases through the binary; skipped without WEIR_REFERENCE_DIR.
if(TARGET weir)
  foreach(name token_cases template_cases)
    add_test(NAME text_${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tests/text/${name}.py)
    set_tests_properties(text_${name} PROPERTIES LABELS text TIMEOUT 900 SKIP_RETURN_CODE 77 ENVIRONMENT "WEIR_BIN=$<TARGET_FILE:weir>")
  endforeach()
endif()

# Fuzzers, WEIR_FUZZ_SECONDS each (5 unless set). A plain build leaves them out: `ninja weir_fuzzers`.
get_property(fuzzers GLOBAL PROPERTY WEIR_FUZZERS)
foreach(name ${fuzzers})
  set(run "[ -x \"$1\" ] || { echo 'skipped: not built (ninja weir_fuzzers)'; exit 77; }")
  if(WEIR_FUZZ AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
    string(REPLACE "_fuzz" "" corpus ${name})
    set(run "${run}; exec \"$1\" -max_total_time=\${WEIR_FUZZ_SECONDS:-5} ${CMAKE_SOURCE_DIR}/tests/fuzz/${corpus}")
  else()
    set(run "${run}; exec \"$1\" -seconds \${WEIR_FUZZ_SECONDS:-5}")
  endif()
  add_test(NAME ${name} COMMAND sh -c "${run}" fuzz $<TARGET_FILE:${name}>)
  set_tests_properties(${name} PROPERTIES LABELS fuzz SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()

# How-to pages are followed to the letter, in a copy of the tree.
foreach(page add-a-policy)
  add_test(NAME doc_${page} COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/follow_doc.py ${CMAKE_SOURCE_DIR}/docs/${page}.md)
  set_tests_properties(doc_${page} PROPERTIES LABELS doc TIMEOUT 900)
endforeach()

# The gateway on a virtual clock and an in-memory network, and its two paths against each other.
if(TARGET weir_gateway)
  file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/sim/*.cc)
  add_executable(simulation_test ${sim_sources})
  target_include_directories(simulation_test PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(simulation_test PRIVATE weir_gateway GTest::gmock_main)
  target_compile_definitions(simulation_test PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_dependencies(weir_tests simulation_test)
  add_test(NAME simulation COMMAND simulation_test)
  set_tests_properties(simulation PROPERTIES LABELS sim TIMEOUT 600)
endif()

# A client on the gateway's own parts, for tests/interop against real Dynamo workers.
if(TARGET weir_dispatch)
  add_executable(dynamo_probe ${CMAKE_SOURCE_DIR}/tests/interop/dynamo_probe.cc)
  target_link_libraries(dynamo_probe PRIVATE weir_dispatch weir_discovery)
endif()

# Our policies line by line, for tests/interop against SMG's and Dynamo's routers.
if(TARGET weir_policy AND TARGET weir_kv)
  add_executable(policy_lines ${CMAKE_SOURCE_DIR}/tests/interop/policy_lines.cc)
  target_include_directories(policy_lines PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(policy_lines PRIVATE weir_policy weir_kv)
endif()

# What etcd's records look like to us, for tests/interop against a real etcd.
if(TARGET weir_discovery)
  add_executable(records_probe ${CMAKE_SOURCE_DIR}/tests/interop/records_probe.cc)
  target_link_libraries(records_probe PRIVATE weir_discovery)
endif()

# Our client of NATS, for tests/interop against a real server.
if(TARGET weir_planes)
  add_executable(nats_probe ${CMAKE_SOURCE_DIR}/tests/interop/nats_probe.cc)
  target_link_libraries(nats_probe PRIVATE weir_planes)
endif()
