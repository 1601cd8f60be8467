# cmake -DINCLUDES=... -DCXX=... -DWORK=... -P misuse.cmake
# Misuse that types can catch does not compile. Each wrong line has a right one beside it that does, and the complaint about it
# must name what was meant to stop it: a line that fails for another reason, a misspelt name say, proves nothing. All right lines
# are one program and all wrong lines another, so that headers are read twice and not thirty times.

cmake_minimum_required(VERSION 3.22)
string(REPLACE "," ";" INCLUDES "${INCLUDES}")
list(TRANSFORM INCLUDES PREPEND -I)

set(begin [[
#include "nn/attention/graph_attention.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"
using namespace atto;
void take(const Parameter&);
void take_var(const Var&);
void take_module(const Linear&);
]])
set(right_program "${begin}")
set(wrong_program "${begin}")
set(count 0)

# Each line is the body of a function.
macro(misuse name right wrong complaint)
  math(EXPR count "${count} + 1")
  set(name_${count} "${name}")
  set(complaint_${count} "${complaint}")
  set(head "(Model& model, Linear& layer, Linear& other, const Parameter& weight, Tensor& tensor, Var& value, Scope& scope, std::unique_ptr<Op>& op)")
  string(APPEND right_program "#line ${count}000\nvoid f${count}${head} { ${right} }\n")
  string(APPEND wrong_program "#line ${count}000\nvoid f${count}${head} { ${wrong} }\n")
endmacro()

misuse("a parameter is copied" "take(weight);" "const Parameter copy = weight;" deleted)
misuse("a parameter is assigned to" "take(scope.parameter(\"q\", {2}, init::zeros()));"
  "layer.weight() = scope.parameter(\"q\", {2}, init::zeros());" "deleted|no viable")
misuse("a buffer is copied" "const Buffer b(scope, \"b\", tensor);" "const Buffer b(scope, \"b\", tensor); Buffer c = b;" deleted)
misuse("a module is copied" "take_module(layer);" "Linear copy = layer;" deleted)
misuse("a module is assigned to" "take_module(other);" "layer = other;" deleted)
misuse("a model is copied" "Model& same = model; same.train();" "Model copy = model;" deleted)
misuse("a number alone is no value" "take_var(Tensor::full({2}, 1.0));" "take_var(1.0);" "invalid initialization|no matching|convert|no viable")
misuse("a value is no tensor to write to" "tensor = value.value();" "tensor = value;" "no match|no viable|convert")
misuse("a gradient is not added to with an operator" "value.grad().fill(0);" "value.grad() += tensor;" "no match|invalid operands|no viable")
misuse("a module needs a place" "Linear(scope, 2, 3);" "Linear(2, 3);" "no matching|convert")
misuse("an option is spelt as it is declared" "Linear(scope, 2, 3, {.bias = false});" "Linear(scope, 2, 3, LinearOptions{.biass = false});" biass)
misuse("an operation has one owner" "apply_op(std::move(op), {});" "apply_op(op, {});" "deleted")
misuse("a mode is not copied out of its block" "AnomalyMode mode;" "AnomalyMode mode; AnomalyMode copy = mode;" deleted)

foreach(program right wrong)
  file(WRITE ${WORK}/misuse_${program}.cpp "${${program}_program}")
  execute_process(COMMAND ${CXX} -std=c++20 ${INCLUDES} -fsyntax-only ${WORK}/misuse_${program}.cpp
    RESULT_VARIABLE error_${program} OUTPUT_QUIET ERROR_VARIABLE text_${program})
endforeach()
if(error_right)
  message(SEND_ERROR "the right lines do not compile:\n${text_right}")
endif()
foreach(number RANGE 1 ${count})
  if(text_wrong MATCHES "misuse_wrong.cpp:${number}000:[0-9]+: error: [^\n]*(${complaint_${number}})")
    message(STATUS "refused: ${name_${number}}")
  else()
    message(SEND_ERROR "not refused, or for another reason than '${complaint_${number}}': ${name_${number}}")
    set(shown TRUE)
  endif()
endforeach()
if(shown)
  message("${text_wrong}")
endif()
