# cmake -DBUILD=... -DSOURCE=... -DWORK=... -DCXX=... -DFLAGS=... -DGENERATOR=... -P install.cmake
# Installs BUILD below WORK, then builds and runs the project in SOURCE, which knows only the installed copy.

cmake_minimum_required(VERSION 3.22)

# What the README shows is what is built here: everything after the comment of its first line.
file(READ ${SOURCE}/main.cpp program)
string(FIND "${program}" "\n" end)
math(EXPR end "${end} + 1")
string(SUBSTRING "${program}" ${end} -1 program)
file(READ ${SOURCE}/../../README.md readme)
string(FIND "${readme}" "```cpp\n${program}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "the program in README.md is not tests/install/main.cpp")
endif()

file(REMOVE_RECURSE ${WORK})
foreach(step
    "--install;${BUILD};--prefix;${WORK}/prefix"
    "-S;${SOURCE};-B;${WORK}/build;-G;${GENERATOR};-DCMAKE_CXX_COMPILER=${CXX};-DCMAKE_CXX_FLAGS=${FLAGS};-DCMAKE_PREFIX_PATH=${WORK}/prefix"
    "--build;${WORK}/build")
  execute_process(COMMAND ${CMAKE_COMMAND} ${step} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND ${WORK}/build/consumer COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE_RECURSE ${WORK})
