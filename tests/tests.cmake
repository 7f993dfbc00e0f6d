# Tests that are more than one folder's unit tests. Labels: unit, golden, sim, e2e, fuzz, doc, slow (see tools/test_driver.py).
if(NOT WEIR_TESTS)
  return()
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME tidy COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/tidy.py ${CMAKE_SOURCE_DIR})
add_test(NAME tidy_self COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/tidy_test.py)
set_tests_properties(tidy tidy_self PROPERTIES LABELS tidy)
