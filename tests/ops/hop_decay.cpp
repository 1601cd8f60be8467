#include "ops/hop_decay/hop_decay.hpp"

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

OpCase decay_case(const char* name, const Tensor& hop, const HopDecayOptions& o, const Tensor& gammas = {}) {
  const auto gamma = [](std::span<const Var> in) { return in.size() > 1 ? in[1] : Var(); };
  return {.op = "hop_decay",
          .name = name,
          .inputs = gammas.defined() ? std::vector<Tensor>{hop, gammas} : std::vector<Tensor>{hop},
          .run = [=](std::span<const Var> in) { return hop_decay(in[0], o, gamma(in)); },
          .expected =
              [o](std::span<const Tensor> in) {
                return tabulate(Shape{in[0].numel(), o.buckets}, [&](std::int64_t i) {
                  const std::int64_t head = i / o.buckets;
                  const double x = static_cast<double>(i % o.buckets) - in[0].data<double>()[head];
                  const double base = in.size() > 1 ? in[1].data<double>()[in[1].numel() == 1 ? 0 : head] : o.gamma;
                  const double value =
                      i % o.buckets == o.buckets - 1 ? o.unreachable : std::pow(base, x > 0 ? x : o.slope * x);
                  return o.logarithm ? std::log(value) : value;
                });
              },
          .k = 64,  // the exponent reaches 250 ln gamma, and its rounding is relative to that
          .reference = [=](std::span<const Var> in) { return hop_decay_reference(in[0], o, gamma(in)); }};
}

const RegisterCases cases([] {
  const Tensor hop = Tensor::from({0.25, 1.5, -0.625}, Shape{3});
  const Tensor one = Tensor::from({0.75}, Shape{1}), each = Tensor::from({0.75, 0.5, 0.875}, Shape{3});
  return std::vector<OpCase>{
      decay_case("flat inside", hop, {.gamma = 0.6}),
      decay_case("slope", hop, {.gamma = 0.5, .slope = 0.2}),
      decay_case("few buckets", hop, {.gamma = 0.9, .slope = 0.1, .buckets = 5}),
      decay_case("one bucket", hop, {.gamma = 0.9, .buckets = 1, .unreachable = 1}),
      decay_case("unreachable pairs", hop, {.gamma = 0.9, .buckets = 8, .unreachable = 0.25}),
      decay_case("logarithm", hop, {.gamma = 0.5, .slope = 0.2, .logarithm = true, .buckets = 8, .unreachable = 0.25}),
      decay_case("one gamma", hop, {.slope = 0.2, .buckets = 9}, one),
      decay_case("a gamma for each head", hop, {.slope = 0.2}, each),
      decay_case("gamma, logarithm", hop, {.slope = 0.2, .logarithm = true, .buckets = 9, .unreachable = 1}, each),
      decay_case("no heads", Tensor::zeros(Shape{0}, DType::float64), {.gamma = 0.9})};
});
const RegisterErrors errors([] {
  const Tensor hop = Tensor::zeros(Shape{2});
  return std::vector<OpError>{
      {.op = "hop_decay", .name = "gamma", .call = [hop] { hop_decay(hop, {.gamma = 1.5}); }, .text = "0 < gamma <= 1"},
      {.op = "hop_decay", .name = "slope", .call = [hop] { hop_decay(hop, {.slope = -0.1}); }, .text = "slope"},
      {.op = "hop_decay",
       .name = "unreachable",
       .call = [hop] { hop_decay(hop, {.unreachable = -1}); },
       .text = "unreachable"},
      {.op = "hop_decay",
       .name = "gammas",
       .call = [hop] { hop_decay(hop, {}, Tensor::full(Shape{3}, 0.5)); },
       .text = "expected [1] or [2]"},
      {.op = "hop_decay",
       .name = "a gamma",
       .call = [hop] { hop_decay(hop, {}, Tensor::full(Shape{2}, 0)); },
       .text = "0 < gamma <= 1"},
      {.op = "hop_decay",
       .name = "rank",
       .call =
           [] {
             hop_decay(Tensor::zeros(Shape{2, 2}));
           },
       .text = "hop"}};
});

std::vector<double> row(const HopDecayOptions& options, double hop, std::size_t count) {
  const Tensor table = hop_decay(Tensor::from({hop}, Shape{1}), options).value();
  return {table.data<double>(), table.data<double>() + count};
}

void check(const std::vector<double>& got, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(1e-10));
}

}  // namespace

TEST_CASE("hop_decay: the masks of the path of four nodes") {
  check(row({.gamma = 0.5}, 0, 4), {1, .5, .25, .125});
  check(row({.gamma = 0.5}, 1, 4), {1, 1, .5, .25});
  check(row({.gamma = 0.5, .slope = 0.1}, 2, 4), {1.148698355, 1.0717734625, 1, .5});
  check(row({.gamma = 0.6}, 5, 4), {1, 1, 1, 1});
}

TEST_CASE("hop_decay: pairs without a path get exactly nothing, for any gamma") {
  const Tensor table = hop_decay(Tensor::from({0.0}, Shape{1}), {.gamma = 0.99}).value();
  CHECK(table.data<double>()[255] == 0);
  CHECK(table.data<double>()[254] > 0);
  CHECK(std::isinf(
      hop_decay(Tensor::from({0.0}, Shape{1}), {.gamma = 0.99, .logarithm = true}).value().data<double>()[255]));
}

TEST_CASE("hop_decay: a float32 table is the float64 table rounded once: the option gamma is not rounded first") {
  for (const double gamma : {0.9, 0.7}) {
    const Tensor table = hop_decay(Tensor::zeros(Shape{1}), {.gamma = gamma}).value();
    REQUIRE(table.dtype() == DType::float32);
    for (std::int64_t t = 0; t < 255; ++t)
      CHECK(table.data<float>()[t] == static_cast<float>(std::exp(static_cast<double>(t) * std::log(gamma))));
  }
}

TEST_CASE("hop_decay: gamma = 1 decays nothing, and still parts what no path joins") {
  const Tensor table = hop_decay(Tensor::zeros(Shape{1}), {.gamma = 1, .buckets = 4}).value();
  CHECK(std::vector<float>(table.data<float>(), table.data<float>() + 4) == std::vector<float>{1, 1, 1, 0});
  const Tensor logarithm = hop_decay(Tensor::zeros(Shape{1}), {.gamma = 1, .logarithm = true, .buckets = 3}).value();
  CHECK(logarithm.data<float>()[1] == 0);
  CHECK(logarithm.data<float>()[2] == -std::numeric_limits<float>::infinity());
}

TEST_CASE("hop_decay: anomaly mode lets the logarithm's mask through attention, fused and composed") {
  const Var hop = Var::leaf(Tensor::from({0.5, 1.5}, Shape{2})), q = Var::leaf(uniform({4, 2, 3})),
            k = Var::leaf(uniform({4, 2, 3}, -1, 1, 2));
  const Ragged nodes({0, 4});
  BucketPlane plane;  // two components of two nodes
  plane.values = Tensor::from<std::uint8_t>({0, 1, 3, 3, 1, 0, 3, 3, 3, 3, 0, 1, 3, 3, 1, 0}, Shape{16});
  plane.offsets = {0, 16};
  const AnomalyMode anomaly;
  const HopDecayOptions decay{.gamma = 0.5, .logarithm = true, .buckets = 4};
  for (const auto attention : {ragged_attention, ragged_attention_reference}) {
    const auto run = [&](const Var& table) { return attention(q, k, k, nodes, nodes, plane, {.add = table}, {}, {}); };
    const Var y = run(hop_decay(hop, decay));
    CHECK_NOTHROW(backward(y, uniform(y.shape())));
    CHECK(hop.grad().defined());
    CHECK_THROWS_AS(run(hop_decay(hop, decay) +
                        Tensor::full(Shape{2, 4}, std::numeric_limits<double>::quiet_NaN(), DType::float64)),
                    NumericError);
  }
}

TEST_CASE("hop_decay: at the kink the derivative is that of the inner branch") {
  const auto gradient = [](double hop, double slope, std::int64_t bucket) {
    const Var leaf = Var::leaf(Tensor::from({hop}, Shape{1}));
    Tensor seed = Tensor::zeros(Shape{1, 256}, DType::float64);
    seed.data<double>()[bucket] = 1;
    backward(hop_decay(leaf, {.gamma = 0.5, .slope = slope}), seed);
    return leaf.grad().item();
  };
  CHECK(gradient(2, 0, 2) == 0);
  CHECK(gradient(2, 0.2, 2) == Approx(0.2 * std::log(2.0)));
  CHECK(gradient(2, 0, 3) == Approx(0.5 * std::log(2.0)));
  CHECK(gradient(2, 0.2, 255) == 0);
}
