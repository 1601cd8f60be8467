#include "ops/softmax/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "core/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct RowOf {
  double largest = -kInfinity, sum = 0;  // sum of exp(x - largest)
  explicit RowOf(const double* x, std::int64_t columns) {
    for (std::int64_t d = 0; d < columns; ++d) largest = std::max(largest, x[d]);
    for (std::int64_t d = 0; d < columns && largest > -kInfinity; ++d) sum += std::exp(x[d] - largest);
  }
};

// f(row, x) for every value; a row of nothing gives zeros.
Tensor each_value(const Tensor& x, const std::function<double(const RowOf&, double)>& f) {
  const std::int64_t columns = x.size(-1);
  return tabulate(x.shape(), [&](std::int64_t i) {
    const RowOf row(x.data<double>() + i / columns * columns, columns);
    return row.sum == 0 ? 0.0 : f(row, x.data<double>()[i]);
  });
}

Tensor each_row(const Tensor& x, const std::function<double(const RowOf&)>& f) {
  const std::int64_t columns = x.size(-1);
  const Shape rows(std::span<const std::int64_t>(x.shape().begin(), static_cast<std::size_t>(x.rank() - 1)));
  return tabulate(rows, [&](std::int64_t n) {
    const RowOf row(x.data<double>() + n * columns, columns);
    return row.sum == 0 ? 0.0 : f(row);
  });
}

// The rounding of x - largest counts once more for each unit of it.
OpCase softmax_case(const std::string& name, const Tensor& x) {
  return {.op = "softmax",
          .name = name,
          .inputs = {x},
          .run = [](std::span<const Var> in) { return softmax(in[0]); },
          .expected =
              [](std::span<const Tensor> in) {
                return each_value(in[0],
                                  [](const RowOf& row, double v) { return std::exp(v - row.largest) / row.sum; });
              },
          .magnitude =
              [](std::span<const Tensor> in) {
                return each_value(in[0], [](const RowOf& row, double v) {
                  return v == -kInfinity ? 0 : std::exp(v - row.largest) / row.sum * (1 + row.largest - v);
                });
              },
          .k = 3};
}

OpCase log_softmax_case(const std::string& name, const Tensor& x) {
  return {.op = "log_softmax",
          .name = name,
          .inputs = {x},
          .run = [](std::span<const Var> in) { return log_softmax(in[0]); },
          .expected =
              [](std::span<const Tensor> in) {
                return each_value(in[0],
                                  [](const RowOf& row, double v) { return v - row.largest - std::log(row.sum); });
              },
          .magnitude =
              [](std::span<const Tensor> in) {
                return each_value(in[0],
                                  [](const RowOf& row, double v) { return 1 + row.largest - v + std::log(row.sum); });
              },
          .k = 3};
}

OpCase log_sum_exp_case(const std::string& name, const Tensor& x) {
  return {.op = "log_sum_exp",
          .name = name,
          .inputs = {x},
          .run = [](std::span<const Var> in) { return log_sum_exp(in[0]); },
          .expected =
              [](std::span<const Tensor> in) {
                return each_row(in[0], [](const RowOf& row) { return row.largest + std::log(row.sum); });
              },
          .magnitude =
              [](std::span<const Tensor> in) {
                return each_row(in[0], [](const RowOf& row) { return 1 + std::abs(row.largest) + std::log(row.sum); });
              },
          .k = 2};
}

// Uniform values where every `step`-th is -infinity, and the last row nothing else.
Tensor masked(const Shape& shape, std::int64_t step) {
  Tensor x = uniform(shape, -3, 3, 5);
  const std::int64_t columns = shape[-1];
  for (std::int64_t i = 0; i < x.numel(); ++i)
    if (i % step == 0 || i >= x.numel() - columns) x.data<double>()[i] = -kInfinity;
  return x;
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  const std::vector<std::pair<std::string, Tensor>> inputs{
      {"3x4", uniform({3, 4}, -3, 3)},
      {"one row without sizes around it", uniform({5}, -3, 3)},
      {"2x3x9", uniform({2, 3, 9}, -3, 3)},
      {"vectors and a rest", uniform({5, 39}, -3, 3)},
      {"whole vectors", uniform({4, 32}, -3, 3)},
      {"one column", uniform({4, 1}, -3, 3)},
      {"two columns", uniform({9, 2}, -3, 3)},
      {"no rows", uniform({0, 4})},
      {"no columns", uniform({3, 0})},
      {"equal values", Tensor::full({2, 5}, 0.5, DType::float64)},
      {"values near 10000",
       tabulate({3, 21}, [](std::int64_t i) { return 10000 - static_cast<double>(i * i % 17) / 4; })},
      {"values near -10000",
       tabulate({3, 6}, [](std::int64_t i) { return -10000 + static_cast<double>(i * i % 7) / 2; })},
      {"far apart",
       tabulate({3, 5}, [](std::int64_t i) { return i % 5 == i / 5 ? 1e4 : -1e4 * static_cast<double>(i % 3); })},
      {"masked values, and a row of them", masked({4, 7}, 3)},
      {"masked values in vectors", masked({3, 37}, 4)},
      {"several threads", uniform({900, 50}, -5, 5)},
  };
  const auto from = [](Var (*reference)(const Var&)) {
    return [=](std::span<const Var> in) { return reference(in[0]); };
  };
  const std::function<Var(std::span<const Var>)> references[] = {from(softmax_reference), from(log_softmax_reference),
                                                                 from(log_sum_exp_reference)};
  for (const auto& [name, x] : inputs) {
    list.push_back(softmax_case(name, x));
    list.push_back(log_softmax_case(name, x));
    list.push_back(log_sum_exp_case(name, x));
    if (x.size(-1) == 0 || name.starts_with("masked")) continue;  // the references say what they make of these
    for (std::size_t k = 0; k < 3; ++k) list[list.size() - 3 + k].reference = references[k];
  }
  // A loss that sees -infinity is one itself: these rows are checked for zeros below.
  std::erase_if(list, [](const OpCase& c) { return c.op == "log_softmax" && c.name.starts_with("masked"); });
  return list;
});

const RegisterErrors errors([] {
  std::vector<OpError> list;
  const std::vector<std::pair<std::string, Var (*)(const Var&)>> functions{
      {"softmax", softmax}, {"log_softmax", log_softmax}, {"log_sum_exp", log_sum_exp}};
  for (const auto& [op, run] : functions) {
    list.push_back(
        {.op = op, .name = "a number", .call = [run = run] { run(uniform({})); }, .text = op + ": x: got []"});
    list.push_back({.op = op,
                    .name = "no floating type",
                    .call = [run = run] { run(Tensor::zeros({2}, DType::int32)); },
                    .text = op + ": x: got int32"});
  }
  return list;
});

}  // namespace

TEST_CASE("log_softmax of masked values: -infinity, a row of them zeros without a gradient") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const std::int64_t columns : {3, 7, 21}) {
      const Var x = Var::leaf(masked({3, columns}, 3).to(dtype));
      const Var y = log_softmax(x);
      backward(y, uniform({3, columns}, 0.5, 1).to(dtype));
      const Tensor value = y.value().to(DType::float64), gradient = x.grad().to(DType::float64),
                   input = x.value().to(DType::float64);
      for (std::int64_t i = 0; i < value.numel(); ++i) {
        const double v = value.data<double>()[i], g = gradient.data<double>()[i];
        const bool row_of_nothing = i >= 2 * columns, hidden = input.data<double>()[i] == -kInfinity;
        if (row_of_nothing ? v != 0 || g != 0
            : hidden       ? v != -kInfinity || !std::isfinite(g)
                           : !std::isfinite(v) || !std::isfinite(g))
          FAIL_CHECK(name_of(dtype) << ", " << columns << " columns, element " << i << ": value " << v << ", gradient "
                                    << g);
      }
    }
  }
}

TEST_CASE("a NaN makes its row of a softmax NaN and no other, masked or not") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const std::int64_t columns : {1, 4, 9, 40}) {
      for (const std::int64_t place : {std::int64_t{0}, columns - 1}) {
        for (const double others : {0.25, -kInfinity}) {
          Tensor x = Tensor::full({2, columns}, others, DType::float64);
          x.data<double>()[place] = kNaN;
          const Var in = x.to(dtype);
          for (const Var& y : {softmax(in), log_softmax(in), log_sum_exp(in)}) {
            const Tensor value = y.value().to(DType::float64);
            for (std::int64_t i = 0; i < value.numel(); ++i)
              CHECK(std::isnan(value.data<double>()[i]) == (i < value.numel() / 2));
          }
        }
      }
    }
  }
}

TEST_CASE("the probabilities of a float32 softmax add up to 1") {
  const Tensor y = softmax(uniform({50, 333}, -9, 9).to(DType::float32)).value();
  for (std::int64_t n = 0; n < 50; ++n) {
    double sum = 0;
    for (std::int64_t d = 0; d < 333; ++d) sum += y.data<float>()[n * 333 + d];
    CHECK(sum == Approx(1).epsilon(3e-7));
  }
}

TEST_CASE("a softmax has the bits that its row has alone") {
  for (const std::int64_t columns : {2, 6, 17, 64}) {
    const Tensor x = uniform({9, columns}, -3, 3).to(DType::float32);
    const Tensor y = softmax(x).value();
    for (std::int64_t n = 0; n < 9; ++n) CHECK(bit_equal(softmax(x.rows(n, n + 1)).value(), y.rows(n, n + 1)));
  }
}

}  // namespace atto::test
