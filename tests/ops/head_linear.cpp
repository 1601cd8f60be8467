#include "ops/head_linear/head_linear.hpp"

#include <cmath>

#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

// y_nho = sum_i x_nhi W_hoi + b_ho, or with `sizes` the sum of the absolute terms.
Tensor affine(std::span<const Tensor> in, bool sizes) {
  const std::int64_t heads = in[0].size(1), outputs = in[1].size(1), inputs = in[0].size(2);
  const auto term = [&](double value) { return sizes ? std::abs(value) : value; };
  return tabulate(in[0].shape().with(2, outputs), [&](std::int64_t at) {
    const std::int64_t o = at % outputs, nh = at / outputs, h = nh % heads;
    double y = in.size() > 2 ? term(in[2].data<double>()[h * outputs + o]) : 0;
    for (std::int64_t i = 0; i < inputs; ++i)
      y += term(in[0].data<double>()[nh * inputs + i] * in[1].data<double>()[(h * outputs + o) * inputs + i]);
    return y;
  });
}

OpCase head_linear_case(const std::string& name, const Shape& x, std::int64_t outputs, bool bias = true) {
  OpCase c{
      .op = "head_linear",
      .name = name,
      .inputs = {uniform(x, -2, 2, 1), uniform({x[1], outputs, x[2]}, -1, 1, 2)},
      .run = [](std::span<const Var> in) { return head_linear(in[0], in[1], in.size() > 2 ? in[2] : Var()); },
      .expected = [](std::span<const Tensor> in) { return affine(in, false); },
      .magnitude = [](std::span<const Tensor> in) { return affine(in, true); },
      .k = 8,
      .reference =
          [](std::span<const Var> in) { return head_linear_reference(in[0], in[1], in.size() > 2 ? in[2] : Var()); },
  };
  if (bias) c.inputs.push_back(uniform({x[1], outputs}, -1, 1, 3));
  return c;
}

const RegisterCases cases([] {
  return std::vector<OpCase>{
      head_linear_case("3 rows, 2 heads", {3, 2, 4}, 5),
      head_linear_case("without bias", {3, 2, 4}, 5, false),
      head_linear_case("one of each", {1, 1, 1}, 1),
      head_linear_case("no rows", {0, 2, 4}, 5),
      head_linear_case("no heads", {3, 0, 4}, 5),
      head_linear_case("no inputs", {3, 2, 0}, 5),
      head_linear_case("no outputs", {3, 2, 4}, 0),
      head_linear_case("several threads, sums in slices", {1500, 3, 33}, 20),
      head_linear_case("many heads", {40, 17, 6}, 9),
  };
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "head_linear",
       .name = "other heads",
       .call =
           [] {
             head_linear(uniform({3, 2, 4}), uniform({3, 5, 4}), {});
           },
       .text = "head_linear: weight: got [3,5,4], expected [H,O,I] with H = 2, I = 4"},
      {.op = "head_linear",
       .name = "bias of one head",
       .call =
           [] {
             head_linear(uniform({3, 2, 4}), uniform({2, 5, 4}), uniform({5}));
           },
       .text = "head_linear: bias"},
  };
});

}  // namespace
}  // namespace atto::test
