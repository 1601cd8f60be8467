#include "ops/norm/norm.hpp"

#include <cmath>

#include "autograd/tape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

struct Moments {
  double mean = 0, variance = 0;
};

// Of `count` numbers that lie `stride` apart; without `centre` the mean counts as 0.
Moments moments(const double* x, std::int64_t count, std::int64_t stride, bool centre) {
  Moments m;
  if (count == 0) return m;
  for (std::int64_t i = 0; centre && i < count; ++i) m.mean += x[i * stride] / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i)
    m.variance += std::pow(x[i * stride] - m.mean, 2) / static_cast<double>(count);
  return m;
}

// gamma (x - mean) / sqrt(var + epsilon) + beta, or the sum of the absolute terms, of the moments of rows or columns.
Tensor normalised(std::span<const Tensor> in, bool rows, bool centre, double epsilon, bool sizes) {
  const Tensor& x = in[0];
  const std::int64_t columns = x.size(-1), count = columns > 0 ? x.numel() / columns : 0;
  return tabulate(x.shape(), [&](std::int64_t i) {
    const std::int64_t n = i / columns, d = i % columns;
    const double* values = x.data<double>();
    const Moments m =
        rows ? moments(values + n * columns, columns, 1, centre) : moments(values + d, count, columns, centre);
    const double factor = in[1].data<double>()[d] / std::sqrt(m.variance + epsilon);
    const double bias = in.size() > 2 ? in[2].data<double>()[d] : 0;
    if (sizes) return std::abs(factor) * (std::abs(values[i]) + std::abs(m.mean)) + std::abs(bias);
    return factor * (values[i] - m.mean) + bias;
  });
}

OpCase norm_case(const std::string& op, const std::string& name, const Shape& x, bool bias = true, double low = -2,
                 double high = 3) {
  const std::int64_t columns = x[-1];
  const double epsilon = op == "rms_norm" ? 1e-6 : 1e-5;
  const bool rows = op != "batch_norm", centre = op != "rms_norm";
  OpCase c{.op = op,
           .name = name,
           .inputs = {uniform(x, low, high, 1), uniform({columns}, 0.5, 2, 2)},
           .expected = [=](std::span<const Tensor> in) { return normalised(in, rows, centre, epsilon, false); },
           .magnitude = [=](std::span<const Tensor> in) { return normalised(in, rows, centre, epsilon, true); },
           .k = 4};
  if (bias && centre) c.inputs.push_back(uniform({columns}, -1, 1, 3));
  const auto bias_of = [](std::span<const Var> in) { return in.size() > 2 ? in[2] : Var(); };
  if (op == "layer_norm") {
    c.run = [=](std::span<const Var> in) { return layer_norm(in[0], in[1], bias_of(in)); };
    c.reference = [=](std::span<const Var> in) { return layer_norm_reference(in[0], in[1], bias_of(in)); };
  } else if (op == "rms_norm") {
    c.run = [](std::span<const Var> in) { return rms_norm(in[0], in[1]); };
    c.reference = [](std::span<const Var> in) { return rms_norm_reference(in[0], in[1]); };
  } else {
    c.run = [=](std::span<const Var> in) { return batch_norm(in[0], in[1], in[2], epsilon, nullptr); };
    c.reference = [=](std::span<const Var> in) { return batch_norm_reference(in[0], in[1], in[2], epsilon); };
  }
  return c;
}

// The same with residuals on the way in and out.
OpCase residual_case(const std::string& name, const Shape& x, bool before, bool after) {
  OpCase c = norm_case("batch_norm", name, x);
  const auto plain_expected = c.expected, plain_magnitude = c.magnitude;
  const std::size_t last = c.inputs.size() + (before ? 1 : 0);
  if (before) c.inputs.push_back(uniform(x, -1, 2, 6));
  if (after) c.inputs.push_back(uniform(x, -2, 1, 7));
  const auto around = [=](std::span<const Var> in) {
    return Residuals{.before = before ? in[3] : Var(), .after = after ? in[last] : Var()};
  };
  c.run = [=](std::span<const Var> in) { return batch_norm(in[0], in[1], in[2], 1e-5, nullptr, around(in)); };
  c.reference = [=](std::span<const Var> in) { return batch_norm_reference(in[0], in[1], in[2], 1e-5, around(in)); };
  const auto value = [=](std::span<const Tensor> in, bool sizes) {
    std::vector<Tensor> inner(in.begin(), in.begin() + 3);
    if (before)
      inner[0] = tabulate(x, [&](std::int64_t i) { return in[0].data<double>()[i] + in[3].data<double>()[i]; });
    const Tensor y = sizes ? plain_magnitude(inner) : plain_expected(inner);
    return tabulate(x, [&](std::int64_t i) {
      const double more = after ? in[last].data<double>()[i] : 0;
      return y.data<double>()[i] + (sizes ? std::abs(more) : more);
    });
  };
  c.expected = [=](std::span<const Tensor> in) { return value(in, false); };
  c.magnitude = [=](std::span<const Tensor> in) { return value(in, true); };
  return c;
}

OpCase inference_case(const std::string& name, const Shape& x) {
  const Tensor mean = uniform({x[1]}, -1, 1, 4), variance = uniform({x[1]}, 0.2, 2, 5);
  const auto value = [=](std::span<const Tensor> in, bool sizes) {
    return tabulate(x, [&](std::int64_t i) {
      const std::int64_t d = i % x[1];
      const double factor = in[1].data<double>()[d] / std::sqrt(variance.data<double>()[d] + 1e-5);
      const double v = in[0].data<double>()[i], middle = mean.data<double>()[d], bias = in[2].data<double>()[d];
      return sizes ? std::abs(factor) * (std::abs(v) + std::abs(middle)) + std::abs(bias)
                   : factor * (v - middle) + bias;
    });
  };
  return {.op = "batch_norm_inference",
          .name = name,
          .inputs = {uniform(x, -2, 3, 1), uniform({x[1]}, 0.5, 2, 2), uniform({x[1]}, -1, 1, 3)},
          .run =
              [=](std::span<const Var> in) {
                return batch_norm_inference(in[0], in[1], in[2], mean.to(in[0].dtype()), variance.to(in[0].dtype()),
                                            1e-5);
              },
          .expected = [=](std::span<const Tensor> in) { return value(in, false); },
          .magnitude = [=](std::span<const Tensor> in) { return value(in, true); },
          .k = 4};
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const std::string op : {"layer_norm", "rms_norm", "batch_norm"}) {
    for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{{"3x4", {3, 4}},
                                                                                {"one row", {1, 5}},
                                                                                {"one column", {5, 1}},
                                                                                {"no rows", {0, 4}},
                                                                                {"no columns", {3, 0}},
                                                                                {"odd width", {9, 37}},
                                                                                {"wide", {6, 300}},
                                                                                {"several threads", {1300, 67}}})
      list.push_back(norm_case(op, name, shape));
    list.push_back(
        norm_case(op, "far from 0", {40, 24}, true, 99, 102));  // where E[x^2] - E[x]^2 would lose all digits
  }
  list.push_back(norm_case("layer_norm", "rank 3", {2, 3, 4}));
  list.push_back(norm_case("layer_norm", "a vector", {7}));
  list.push_back(norm_case("layer_norm", "no bias", {5, 6}, false));
  list.push_back(norm_case("rms_norm", "rank 3", {2, 3, 4}));
  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
           {"3x4", {3, 4}}, {"one row", {1, 5}}, {"no rows", {0, 4}}, {"several threads", {1300, 67}}})
    list.push_back(inference_case(name, shape));
  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
           {"3x4", {3, 4}}, {"one row", {1, 5}}, {"no rows", {0, 4}}, {"several threads", {1300, 67}}}) {
    list.push_back(residual_case("before, " + name, shape, true, false));
    list.push_back(residual_case("after, " + name, shape, false, true));
    list.push_back(residual_case("before and after, " + name, shape, true, true));
  }
  return list;
});

const RegisterErrors errors([] {
  const Var x = uniform({3, 4}), w = uniform({4}), wrong = uniform({3});
  return std::vector<OpError>{
      {.op = "layer_norm",
       .name = "weight",
       .call = [=] { layer_norm(x, wrong, w); },
       .text = "layer_norm: weight: got [3], expected [D] with D = 4"},
      {.op = "rms_norm",
       .name = "weight",
       .call = [=] { rms_norm(x, wrong); },
       .text = "rms_norm: weight: got [3], expected [D] with D = 4"},
      {.op = "batch_norm",
       .name = "rank",
       .call =
           [=] {
             batch_norm(uniform({2, 3, 4}), w, w, 1e-5, nullptr);
           },
       .text = "batch_norm: x: got [2,3,4], expected [N,D]"},
      {.op = "batch_norm_inference",
       .name = "statistics",
       .call = [=] { batch_norm_inference(x, w, w, uniform({3}), uniform({3}), 1e-5); },
       .text = "batch_norm_inference: x: got [3,4], expected [N,D] with N = 3, D = 3"},
      {.op = "batch_norm_inference",
       .name = "shapes of the statistics",
       .call = [=] { batch_norm_inference(x, w, w, uniform({4}), uniform({3}), 1e-5); },
       .text = "mean, variance: got float64[4], float64[3]"},
  };
});

}  // namespace

// Gradformer specification, oracle 27: batch norm on (1, 2, 3, 4).
TEST_CASE("batch norm: published values, and the statistics that a module keeps") {
  BatchStatistics statistics;
  const Var one = Tensor::full({1}, 1, DType::float64), zero = Tensor::zeros({1}, DType::float64);
  const Var y = batch_norm(Tensor::from({1.0, 2.0, 3.0, 4.0}, {4, 1}), one, zero, 1e-5, &statistics);
  const std::vector<double> expected{-1.341635419969, -0.447211806656, 0.447211806656, 1.341635419969};
  for (std::size_t i = 0; i < 4; ++i) CHECK(y.value().data<double>()[i] == Approx(expected[i]).epsilon(1e-11));
  CHECK(statistics.rows == 4);
  CHECK(statistics.mean.data<double>()[0] == 2.5);
  CHECK(statistics.variance.data<double>()[0] == 1.25);
  // One step with momentum 0.1 from (0, 1), the running variance unbiased.
  CHECK(0.9 * 0 + 0.1 * statistics.mean.data<double>()[0] == Approx(0.25));
  CHECK(0.9 * 1 + 0.1 * statistics.variance.data<double>()[0] * 4 / 3 == Approx(1.0666667));

  const BatchStatistics before = statistics;
  batch_norm(Tensor::zeros({0, 1}, DType::float64), one, zero, 1e-5, &statistics);
  CHECK(statistics.rows == 0);
  CHECK(statistics.mean.data<double>()[0] == 0);
  CHECK(before.rows == 4);
}

TEST_CASE("norms do not notice a shift of what they centre") {
  const Tensor x = uniform({50, 16}, -1, 1).to(DType::float32);
  const Tensor shifted = x.clone();
  for (float& value : shifted.values<float>()) value += 1024;  // exact up to 2^-13
  const Var w = Tensor::full({16}, 1), b = Tensor::zeros({16});
  const auto close = [](const Var& p, const Var& q) {
    CHECK(mismatch(p.value(), q.value().to(DType::float64), Tensor::full(p.shape(), 1, DType::float64), 1e-3) == "");
  };
  close(layer_norm(shifted, w, b), layer_norm(x, w, b));
  close(batch_norm(shifted, w, b, 1e-5, nullptr), batch_norm(x, w, b, 1e-5, nullptr));
}

}  // namespace atto::test
