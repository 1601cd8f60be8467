#include "autograd/inspect.hpp"

#include "autograd/tape.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {

TEST_CASE("to_string: one line per value, inputs first, shared values once") {
  const Var x = Var::leaf(numbers({2, 3}), "weight");
  const Var y = times(x, numbers({1, 1}));
  y.set_name("scores");
  const Var loss = total(plus(y, y));
  CHECK(to_string(loss) ==
        "%0 = weight() : float64[2]\n"
        "%1 = constant() : float64[2] constant\n"
        "%2 = times scores(%0, %1) : float64[2]\n"
        "%3 = plus(%2, %2) : float64[2]\n"
        "%4 = total(%3) : float64[]\n");
  loss.backward();
  CHECK(to_string(loss) == "%0 = computed() : float64[]\n");
  CHECK(to_string(Var()) == "");
}

TEST_CASE("dot: a Graphviz drawing with ranges and gradient norms") {
  const Var x = Var::leaf(numbers({3, -4}), "a|b");
  const Var y = times(x, x);
  total(x).backward();
  const std::string text = dot(y);
  CHECK(text ==
        "digraph tape {\n  rankdir=LR;\n  node [shape=record, fontname=\"sans-serif\"];\n"
        "  n0 [label=\"{a\\|b|float64[2]|-4 .. 3|gradient norm 1.414}\"];\n"
        "  n1 [label=\"{times|float64[2]|9 .. 16}\", style=rounded];\n"
        "  n0 -> n1;\n  n0 -> n1;\n}\n");
  CHECK(dot(Var(Tensor::zeros({0, 2}))).find("empty") != std::string::npos);
}

}  // namespace atto::test
