# The one binary.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} rev-parse --short HEAD OUTPUT_VARIABLE WEIR_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT WEIR_REVISION)
  set(WEIR_REVISION unknown)
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/gateway/build.cc ${CMAKE_SOURCE_DIR}/src/main.cc PROPERTIES
  COMPILE_DEFINITIONS "WEIR_VERSION=\"${PROJECT_VERSION}\";WEIR_REVISION=\"${WEIR_REVISION}\"")
add_executable(weir ${CMAKE_SOURCE_DIR}/src/main.cc)
target_link_libraries(weir PRIVATE weir_gateway weir_command)
