#include "ops/dropout/dropout.hpp"

#include <cmath>

#include "autograd/tape.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

constexpr RandomStream kStream{.seed = 5, .stream = 11};

OpCase dropout_case(const std::string& name, const Shape& shape, double rate) {
  return {.op = "dropout",
          .name = name,
          .inputs = {uniform(shape, 0.5, 2)},
          .run = [=](std::span<const Var> in) { return dropout(in[0], rate, kStream); },
          .expected =
              [=](std::span<const Tensor> in) {
                return tabulate(shape, [&](std::int64_t i) {
                  const bool dropped = kStream.bits(static_cast<std::uint64_t>(i)) < rate * 4294967296.0;
                  return dropped ? 0 : in[0].data<double>()[i] / (1 - rate);
                });
              },
          .k = 1,
          .reference = [=](std::span<const Var> in) { return dropout_reference(in[0], rate, kStream); }};
}

const RegisterCases cases([] {
  return std::vector<OpCase>{
      dropout_case("a tenth of 5x7", {5, 7}, 0.1),
      dropout_case("nothing", {4, 3}, 0),
      dropout_case("one", {1}, 0.5),
      dropout_case("no elements", {0, 3}, 0.5),
      dropout_case("nearly all", {200}, 0.999),
      dropout_case("hardly any", {200}, 1e-12),
      dropout_case("several threads", {301, 257}, 0.3),
  };
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "dropout",
       .name = "negative",
       .call = [] { dropout(uniform({3}), -0.1, kStream); },
       .text = "dropout: rate: got -0.1"},
      {.op = "dropout",
       .name = "all",
       .call = [] { dropout(uniform({3}), 1, kStream); },
       .text = "dropout: rate: got 1.0"},
      {.op = "dropout",
       .name = "not a number",
       .call = [] { dropout(uniform({3}), std::nan(""), kStream); },
       .text = "dropout: rate"},
  };
});

}  // namespace

TEST_CASE("dropout drops at its rate, keeps the mean, and draws anew from another stream") {
  const Tensor x = Tensor::full({1'000'000}, 1);
  for (const double rate : {0.1, 0.5, 0.9}) {
    const Tensor y = dropout(x, rate, kStream).value();
    double sum = 0, zeros = 0;
    for (const float value : y.values<float>()) sum += value, zeros += value == 0;
    const double deviation = std::sqrt(rate * (1 - rate) / 1e6);
    CHECK(std::abs(zeros / 1e6 - rate) < 4 * deviation);
    CHECK(std::abs(sum / 1e6 - 1) < 4 * deviation / (1 - rate));
  }
  const auto draw = [&](std::uint64_t seed, std::uint64_t stream) {
    return dropout(x.rows(0, 100), 0.5, {.seed = seed, .stream = stream}).value();
  };
  CHECK(bit_equal(draw(1, 1), draw(1, 1)));
  CHECK_FALSE(bit_equal(draw(1, 1), draw(1, 2)));
  CHECK_FALSE(bit_equal(draw(1, 1), draw(2, 1)));
  const Var leaf = Var::leaf(x);
  CHECK(dropout(leaf, 0, kStream).node() == leaf.node());
}

// The counter of a block has 64 bits, and the seed and the stream have high halves too.
TEST_CASE("dropout draws the numbers of its stream with every instruction set, wherever a chunk begins") {
  const Isa best = isa();
  const RandomStream stream{.seed = 0x123456789ABCDEF0u, .stream = 0xFEDCBA9876543210u};
  for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (set > best) continue;
    set_isa(set);
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{7}, (std::uint64_t{1} << 32) - 5}) {
      for (const std::int64_t size : {1, 63, 64, 65, 200}) {
        const Tensor x = Tensor::full({size}, 1.0), y = Tensor::full({size}, -1.0);
        with_isa([&]<class Tag>() {
          kernels::dropout_chunk<Tag>(size, first, x.data<float>(), 0x40000000u, 2.0f, stream.seed, stream.stream,
                                      y.data<float>());
        });
        for (std::int64_t i = 0; i < size; ++i)
          if (y.data<float>()[i] != (stream.bits(4 * first + static_cast<std::uint64_t>(i)) < 0x40000000u ? 0 : 2))
            FAIL_CHECK(name_of(set) << ", block " << first << ", value " << i << " of " << size);
      }
    }
    set_isa(best);
  }
}

TEST_CASE("dropout: backward drops what forward dropped, whatever the threads do in between") {
  const int before = threads();
  const Var x = Var::leaf(Tensor::full({1003, 67}, 3.0));
  const Var y = dropout(x, 0.4, kStream);
  set_threads(before + 5);
  backward(y, Tensor::full({1003, 67}, 3.0));
  set_threads(before);
  CHECK(bit_equal(x.grad(), y.value()));
}

}  // namespace atto::test
