#include "ops/rotary/rotary.hpp"

#include <cmath>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

constexpr double kTheta = 10000;

Tensor positions_of(std::int64_t rows, std::int64_t count) {
  Tensor positions = Tensor::empty(Shape{rows}, DType::int64);
  for (std::int64_t n = 0; n < rows; ++n) positions.data<std::int64_t>()[n] = (5 * n + 3) % count;
  return positions;
}

OpCase rotary_case(const std::string& name, const Shape& shape, RotaryPairs pairs, std::int64_t count = 7) {
  const Tensor positions = positions_of(shape[0], count), frequencies = rotary_frequencies(shape[2], kTheta);
  const auto table = [=](const Var& x) { return rotary_table(count, frequencies, x.dtype()); };
  // The definition, with `add` for the sum of the absolute terms.
  const auto turned = [=](std::span<const Tensor> in, bool magnitude) {
    return tabulate(shape, [&](std::int64_t i) {
      const std::int64_t width = shape[2], half = width / 2, d = i % width, row = i - d, n = i / (shape[1] * width);
      const bool split = pairs == RotaryPairs::half_split;
      const std::int64_t k = split ? d % half : d / 2;
      const bool first = split ? d < half : d % 2 == 0;
      const std::int64_t a = split ? k : 2 * k, b = split ? k + half : 2 * k + 1;
      const double angle = static_cast<double>(positions.data<std::int64_t>()[n]) *
                           std::pow(kTheta, -2.0 * static_cast<double>(k) / static_cast<double>(width));
      const double* x = in[0].data<double>() + row;
      const double own = (first ? x[a] : x[b]) * std::cos(angle), other = (first ? -x[b] : x[a]) * std::sin(angle);
      return magnitude ? std::abs(own) + std::abs(other) + 1e-3 : own + other;
    });
  };
  return {
      .op = "rotary",
      .name = name,
      .inputs = {uniform(shape)},
      .run = [=](std::span<const Var> in) { return rotary(in[0], positions, table(in[0]), pairs); },
      .expected = [=](std::span<const Tensor> in) { return turned(in, false); },
      .magnitude = [=](std::span<const Tensor> in) { return turned(in, true); },
      .k = 4,
      .reference = [=](std::span<const Var> in) { return rotary_reference(in[0], positions, table(in[0]), pairs); }};
}

const RegisterCases cases([] {
  std::vector<OpCase> all;
  for (const RotaryPairs pairs : {RotaryPairs::half_split, RotaryPairs::interleaved}) {
    const std::string name = pairs == RotaryPairs::half_split ? "halves, " : "neighbours, ";
    all.push_back(rotary_case(name + "3x2x8", {3, 2, 8}, pairs));
    all.push_back(rotary_case(name + "one pair", {4, 1, 2}, pairs));
    all.push_back(rotary_case(name + "width of no vector", {5, 3, 22}, pairs));
    all.push_back(rotary_case(name + "no rows", {0, 2, 4}, pairs));
    all.push_back(rotary_case(name + "no heads", {2, 0, 4}, pairs));
    all.push_back(rotary_case(name + "no channels", {2, 2, 0}, pairs));
    all.push_back(rotary_case(name + "several threads", {300, 4, 32}, pairs, 41));
  }
  return all;
});

const RegisterErrors errors([] {
  const Tensor x = uniform({3, 2, 4}), places = positions_of(3, 5);
  const Tensor table = rotary_table(5, rotary_frequencies(4, kTheta), DType::float64);
  const auto call = [](const Tensor& a, const Tensor& p, const Tensor& t) { return [=] { rotary(a, p, t); }; };
  return std::vector<OpError>{
      {.op = "rotary", .name = "rank", .call = call(uniform({3, 8}), places, table), .text = "[N,H,D]"},
      {.op = "rotary", .name = "odd width", .call = call(uniform({3, 2, 3}), places, table), .text = "even D"},
      {.op = "rotary", .name = "table", .call = call(uniform({3, 2, 6}), places, table), .text = "[P,2,3]"},
      {.op = "rotary", .name = "no table", .call = call(x, places, {}), .text = "table"},
      {.op = "rotary", .name = "type", .call = call(x, places, table.to(DType::float32)), .text = "float64"},
      {.op = "rotary", .name = "positions", .call = call(x, positions_of(4, 5), table), .text = "integers [3]"},
      {.op = "rotary", .name = "real positions", .call = call(x, uniform({3}), table), .text = "integers [3]"},
      {.op = "rotary", .name = "far", .call = call(x, places, table.rows(0, 3)), .text = "3 in row 0, expected 0 to 2"},
      {.op = "rotary",
       .name = "negative",
       .call = call(x, Tensor::from<std::int32_t>({0, -1, 1}, {3}), table),
       .text = "-1 in row 1"}};
});

}  // namespace

TEST_CASE("rotary: the published example in both conventions") {
  const Tensor x = Tensor::from({1., 2., 3., 4.}, {1, 1, 4}), place = Tensor::from<std::int32_t>({3}, {1});
  const Tensor table = rotary_table(4, rotary_frequencies(4, kTheta), DType::float64);
  const auto check = [&](RotaryPairs pairs, const std::vector<double>& expected) {
    const Tensor y = rotary(x, place, table, pairs).value();
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(y.values<double>()[i] - expected[i]) < 1e-12);
  };
  check(RotaryPairs::half_split, {-1.413352520780, 1.879118066688, -2.828857481741, 4.058191135401});
  check(RotaryPairs::interleaved, {-1.272232512720, -1.838864985141, 2.878668100437, 4.088186635603});
}

TEST_CASE("rotary: frequencies of long contexts, llama3 and linear") {
  const Tensor plain = rotary_frequencies(128, 5e5);
  const Tensor scaled = rotary_frequencies(
      128, 5e5, {.kind = RotaryScaling::Kind::llama3, .factor = 32, .low = 1, .high = 4, .original_length = 8192});
  const std::vector<double> blended{.809757884534, .605572754534, .439240028739,
                                    .303742523752, .193363921045, .103447609030};
  for (std::size_t k = 0; k < 64; ++k) {
    const double ratio = scaled.values<double>()[k] / plain.values<double>()[k];
    const double expected = k <= 28 ? 1 : k >= 35 ? 1.0 / 32 : blended[k - 29];
    CHECK(std::abs(ratio - expected) < 1e-12);
  }
  const Tensor linear = rotary_frequencies(128, 5e5, {.kind = RotaryScaling::Kind::linear, .factor = 4});
  for (std::size_t k = 0; k < 64; ++k) CHECK(linear.values<double>()[k] == plain.values<double>()[k] / 4);
  CHECK(plain.values<double>()[1] == Approx(std::pow(5e5, -2.0 / 128)).epsilon(1e-14));
  CHECK_THROWS_AS(rotary_frequencies(3, kTheta), ValueError);
  CHECK_THROWS_AS(rotary_frequencies(4, 0), ValueError);
  CHECK_THROWS_AS(rotary_frequencies(4, kTheta, {.kind = RotaryScaling::Kind::linear, .factor = 0}), ValueError);
  CHECK_THROWS_AS(rotary_frequencies(4, kTheta, {.kind = RotaryScaling::Kind::llama3, .low = 4, .high = 4}),
                  ValueError);
}

TEST_CASE("rotary: products depend on how far apart two rows are, and lengths stay") {
  const Tensor table = rotary_table(600, rotary_frequencies(8, kTheta), DType::float64);
  const Tensor q = uniform({1, 1, 8}, -1, 1, 1), k = uniform({1, 1, 8}, -1, 1, 2);
  const auto at = [&](const Tensor& x, std::int64_t p) {
    return rotary(x, Tensor::from<std::int64_t>({p}, {1}), table).value();
  };
  const auto dot = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::size_t i = 0; i < 8; ++i) sum += a.values<double>()[i] * b.values<double>()[i];
    return sum;
  };
  for (const std::int64_t far : {0, 3, 90})
    CHECK(dot(at(q, far + 5), at(k, 5)) == Approx(dot(at(q, far + 505), at(k, 505))).epsilon(1e-12));
  CHECK(dot(at(q, 77), at(q, 77)) == Approx(dot(q, q)).epsilon(1e-13));
  CHECK(bit_equal(at(q, 0), q));
}

}  // namespace atto::test
