// The template to copy for the tests of a new operation.

#include "ops/skeleton/row_scale.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

OpCase row_scale_case(const std::string& name, std::int64_t rows, std::int64_t columns) {
  return {
      .op = "row_scale",
      .name = name,
      .inputs = {uniform({rows, columns}), uniform({rows}, -2, 2, 2)},
      .run = [](std::span<const Var> in) { return row_scale(in[0], in[1]); },
      .expected =
          [](std::span<const Tensor> in) {
            return tabulate(in[0].shape(), [&](std::int64_t i) {
              return in[0].data<double>()[i] * in[1].data<double>()[i / in[0].size(1)];
            });
          },
      .k = 1,
      .reference = [](std::span<const Var> in) { return row_scale_reference(in[0], in[1]); },
  };
}

const RegisterCases cases([] {
  return std::vector<OpCase>{
      row_scale_case("3x4", 3, 4),
      row_scale_case("no rows", 0, 4),
      row_scale_case("no columns", 3, 0),
      row_scale_case("1x1", 1, 1),
      row_scale_case("several threads", 700, 129),
  };
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "row_scale",
       .name = "sizes differ",
       .call =
           [] {
             row_scale(uniform({3, 4}), uniform({4}));
           },
       .text = "row_scale: s: got [4], expected [N] with N = 3"},
      {.op = "row_scale",
       .name = "types differ",
       .call =
           [] {
             row_scale(uniform({3, 4}), uniform({3}).to(DType::float32));
           },
       .text = "row_scale: s: got float32, expected float64"},
  };
});

}  // namespace
}  // namespace atto::test
