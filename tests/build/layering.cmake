# cmake -DLAYER=core -DSEES=core -DLAYERS=core,ops -DINCLUDES=... -DCXX=... -DSOURCE=... -P layering.cmake
# A file of LAYER may include headers of the folders in SEES and cannot include those of any other.

cmake_minimum_required(VERSION 3.22)

foreach(list SEES LAYERS)
  string(REPLACE "," ";" ${list} "${${list}}")
endforeach()
list(TRANSFORM INCLUDES PREPEND -I)

foreach(folder IN LISTS LAYERS)
  file(GLOB_RECURSE headers RELATIVE ${SOURCE} ${SOURCE}/${folder}/*.hpp)
  if(NOT headers)
    continue()
  endif()
  list(GET headers 0 header)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "#include \"${header}\""
    COMMAND ${CXX} -std=c++20 ${INCLUDES} -E -x c++ -
    RESULT_VARIABLE error OUTPUT_QUIET ERROR_VARIABLE text)
  if(folder IN_LIST SEES)
    if(error)
      message(SEND_ERROR "${LAYER} cannot include ${header}, but should:\n${text}")
    endif()
  elseif(NOT error OR NOT text MATCHES "${header}.*(No such file|not found)")
    message(SEND_ERROR "${LAYER} must not include ${header}, but nothing stops it.\n${text}")
  else()
    message(STATUS "${LAYER} cannot include ${header}")
  endif()
endforeach()

# The way around: a path relative to the including file.
file(GLOB_RECURSE files ${SOURCE}/${LAYER}/*.?pp ${SOURCE}/${LAYER}/*.cu ${SOURCE}/${LAYER}/*.cuh)
foreach(file IN LISTS files)
  file(STRINGS ${file} lines REGEX "^ *# *include *[<\"]\\.\\.?/")
  if(lines)
    message(SEND_ERROR "${file}: includes are written from the repository root, not relative: ${lines}")
  endif()
endforeach()
