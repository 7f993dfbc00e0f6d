# The load rig (README.md). Built only with -DWEIR_BENCH=ON; bench/run does that in build/bench.
if(WEIR_BENCH)
  find_package(OpenSSL REQUIRED)
  add_executable(fake_worker EXCLUDE_FROM_ALL bench/fake_worker.cc bench/fake_answers.cc)
  add_executable(raw_epoll EXCLUDE_FROM_ALL bench/raw_epoll.cc)
  add_executable(load_generator EXCLUDE_FROM_ALL bench/load_generator.cc bench/load_settings.cc bench/reply.cc
                 bench/process_usage.cc)
  target_link_libraries(load_generator PRIVATE OpenSSL::SSL OpenSSL::Crypto)
  foreach(program fake_worker raw_epoll load_generator)
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${program} PRIVATE weir_flags)
  endforeach()
  add_custom_target(weir_bench DEPENDS fake_worker raw_epoll load_generator)
endif()
