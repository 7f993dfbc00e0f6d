# One line a folder, in the order of the layers (tools/tidy.py checks that includes agree).
weir_folder(base)
weir_folder(types DEPS base)
weir_folder(wire DEPS types)
foreach(extra src/main.cmake tests/tests.cmake bench/bench.cmake)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${extra})
    include(${CMAKE_SOURCE_DIR}/${extra})
  endif()
endforeach()
