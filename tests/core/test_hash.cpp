#include <set>
#include <vector>

#include "core/hash.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

TEST_CASE("The hash is the published one", "[core]") {
  const std::string_view fox = "The quick brown fox jumps over the lazy dog";
  CHECK(hex(murmur3(fox.data(), fox.size())) == "e34bbc7bbc071b6c7a433ca9c49a9347");
  CHECK(hex(murmur3(nullptr, 0)) == "00000000000000000000000000000000");
}

TEST_CASE("Every bit and every border of a piece counts", "[core]") {
  std::set<std::string> seen;
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::vector<unsigned char> zeros(size, 0);
    CHECK(seen.insert(hex(murmur3(zeros.data(), size, {1, 0}))).second);
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      std::vector<unsigned char> changed = zeros;
      changed[bit / 8] = static_cast<unsigned char>(1 << bit % 8);
      CHECK(seen.insert(hex(murmur3(changed.data(), size, {1, 0}))).second);
    }
  }
  const auto of = [](auto... pieces) {
    Hasher hasher;
    (hasher.add(pieces), ...);
    return hasher.hash();
  };
  using std::string_view;
  CHECK(of(string_view("ab"), string_view("c")) != of(string_view("a"), string_view("bc")));
  CHECK(of(string_view("ab")) != of(string_view("ab"), string_view("")));
  CHECK(of() != of(string_view("")));
  CHECK(of(1) == of(1));
  CHECK(of(1) != of(std::int64_t{1}));
  const std::vector<int> values{1, 2};
  CHECK(of(std::span<const int>(values)) != of(1, 2));
}
