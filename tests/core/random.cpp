#include "core/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {

using Four = std::array<std::uint32_t, 4>;

// The known-answer vectors that come with Random123 (philox4x32, 10 rounds).
TEST_CASE("philox: known answers") {
  CHECK(philox({0, 0, 0, 0}, 0) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffff) ==
        Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
        Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random streams: number i is a function of seed, stream and i") {
  const RandomStream a{.seed = 1, .stream = 2};
  for (const std::uint64_t i : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 40}) {
    CHECK(a.bits(i) == a.block(i / 4)[i % 4]);
    CHECK(a.uniform(i) == RandomStream{1, 2}.uniform(i));
    CHECK(a.bits(i) != RandomStream{1, 3}.bits(i));
    CHECK(a.bits(i) != RandomStream{2, 2}.bits(i));
  }
  CHECK(a.uniform(0) != a.uniform(1));  // two from one block
  // The halves of stream and index lie in places of their own.
  CHECK(RandomStream{0, std::uint64_t{1} << 32}.bits(0) != RandomStream{0, 1}.bits(0));
  CHECK(RandomStream{0, 0}.block(std::uint64_t{1} << 32) != RandomStream{0, 1}.block(0));
}

TEST_CASE("random numbers have the moments of their distributions") {
  Generator generator(42);
  constexpr int n = 200'000;
  double sum = 0, squares = 0, normal = 0, normal_squares = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double u = generator.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u, squares += u * u;
    const double z = generator.normal();
    normal += z, normal_squares += z * z, fourth += z * z * z * z;
  }
  CHECK(sum / n == Approx(0.5).margin(4 * std::sqrt(1.0 / 12 / n)));
  CHECK(squares / n == Approx(1.0 / 3).margin(4 * std::sqrt(4.0 / 45 / n)));
  CHECK(normal / n == Approx(0).margin(4 / std::sqrt(n)));
  CHECK(normal_squares / n == Approx(1).margin(4 * std::sqrt(2.0 / n)));
  CHECK(fourth / n == Approx(3).margin(4 * std::sqrt(96.0 / n)));
  const double v = generator.uniform(-2, 6);
  CHECK((v >= -2 && v < 6));
}

TEST_CASE("generator: whole numbers below a bound are uniform, and the state can be saved") {
  Generator generator(7);
  std::array<int, 6> count{};
  for (int i = 0; i < 60'000; ++i) ++count[static_cast<std::size_t>(generator.below(6))];
  double chi = 0;
  for (const int c : count) chi += (c - 10'000.0) * (c - 10'000.0) / 10'000;
  CHECK(chi < 20.5);  // 0.1 % of 5 degrees of freedom
  CHECK(generator.below(1) == 0);
  CHECK_THROWS_AS(generator.below(0), ValueError);

  const Generator::State state = generator.state();
  Generator copy(state);
  CHECK(copy.uniform() == generator.uniform());
  CHECK(copy.normal() == generator.normal());
  const RandomStream stream = generator.stream();
  CHECK(stream == copy.stream());
  CHECK_FALSE(stream == copy.stream());
}

TEST_CASE("generator: a permutation holds everything once, and every order is as likely") {
  Generator generator(3);
  auto order = generator.permutation(1000);
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  CHECK(generator.permutation(0).empty());

  std::array<int, 6> count{};
  for (int i = 0; i < 60'000; ++i) {
    const auto p = generator.permutation(3);
    ++count[static_cast<std::size_t>(p[0] * 2 + (p[1] > p[2]))];
  }
  double chi = 0;
  for (const int c : count) chi += (c - 10'000.0) * (c - 10'000.0) / 10'000;
  CHECK(chi < 20.5);
}

}  // namespace atto::test
