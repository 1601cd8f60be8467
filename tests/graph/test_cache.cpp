#include <fstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/random.hpp"
#include "graph/cached.hpp"
#include "tests/graph/shapes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;

namespace {

const CacheKey kKey{.name = "test", .parameters = "a=1", .version = 1, .content = {1, 2}};

Tensor stored() {
  return Tensor::from({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, {2, 3});
}

Tensor get(const TensorCache& cache, const CacheKey& key = kKey) {
  return cache.get(key, {2, 3}, DType::float32, stored);
}

void overwrite(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("The cache gives back what was stored, for the same key only", "[graph]") {
  const test::TemporaryFolder folder;
  const TensorCache cache(folder / "deep" / "er");
  CHECK(bit_equal(get(cache), stored()));
  CHECK(bit_equal(get(cache), stored()));
  CHECK(cache.statistics().computed == 1);
  CHECK(cache.statistics().read == 1);
  CHECK(bit_equal(get(TensorCache(folder / "deep" / "er")), stored()));
  int others = 1;
  for (CacheKey key : {kKey, kKey, kKey, kKey, kKey}) {
    if (others == 1) key.name = "other";
    if (others == 2) key.parameters = "a=2";
    if (others == 3) key.version = 2;
    if (others == 4) key.content[0] = 3;
    if (others == 5) key.content[1] = 3;
    get(cache, key);
    CHECK(cache.statistics().computed == ++others);
  }
  // Another shape or type under the same key is another file content: not accepted.
  cache.get(kKey, {3, 2}, DType::float32, [] { return stored().reshape({3, 2}); });
  cache.get(kKey, {3, 2}, DType::int32, [] { return Tensor::zeros({3, 2}, DType::int32); });
  CHECK(cache.statistics().rejected == 2);
  CHECK_THROWS_AS(cache.get(kKey, {7}, DType::float32, stored), ShapeError);
  const CacheKey empty{.name = "empty"};
  for (int round = 0; round < 2; ++round)
    CHECK(cache.get(empty, {0, 3}, DType::uint8,
                    [] {
                      return Tensor::empty({0, 3}, DType::uint8);
                    })
              .shape() == Shape{0, 3});
  CHECK(cache.statistics().read == 2);
}

TEST_CASE("A damaged cache file is never trusted and is replaced", "[graph]") {
  const test::TemporaryFolder folder;
  const TensorCache cache(folder.path());
  get(cache);
  const std::string whole = read_file(cache.path(kKey));
  std::int64_t rejected = 0;
  const auto check_rebuilt = [&] {
    CHECK(bit_equal(get(cache), stored()));
    CHECK(cache.statistics().rejected == ++rejected);
    CHECK(read_file(cache.path(kKey)) == whole);
  };
  for (std::size_t length = 0; length < whole.size(); ++length) {
    overwrite(cache.path(kKey), whole.substr(0, length));
    check_rebuilt();
  }
  for (std::size_t place = 0; place < whole.size(); ++place) {
    std::string changed = whole;
    changed[place] = static_cast<char>(changed[place] ^ 0x40);
    overwrite(cache.path(kKey), changed);
    check_rebuilt();
  }
  overwrite(cache.path(kKey), whole + "x");
  check_rebuilt();
  CHECK(folder.entries() == 1);
}

TEST_CASE("Without a folder that can be written everything is computed", "[graph]") {
  const TensorCache none;
  get(none);
  get(none);
  CHECK(none.statistics().computed == 2);
  const test::TemporaryFolder folder;
  overwrite(folder / "file", "");
  const TensorCache blocked(folder / "file" / "below");
  CHECK(bit_equal(get(blocked), stored()));
  CHECK(blocked.statistics().unwritten == 1);
  const TensorCache taken(folder.path());
  std::filesystem::create_directory(taken.path(kKey));
  CHECK(bit_equal(get(taken), stored()));
  CHECK(taken.statistics().unwritten == 1);
}

TEST_CASE("The hash of graphs sees every edge, node and border", "[graph]") {
  const Graph a = Graph::from_edges(3, {{0, 1}, {1, 2}}), b = Graph::from_edges(3, {{0, 1}, {2, 1}});
  const auto hash = [](std::vector<Graph> graphs) { return hash_of(graphs); };
  CHECK(hash({a}) == hash({Graph::from_edges(3, {{1, 2}, {0, 1}})}));
  CHECK(hash({a}) != hash({b}));
  CHECK(hash({a}) != hash({a, Graph()}));
  CHECK(hash({a, b}) != hash({b, a}));
  CHECK(hash({Graph()}) != hash({}));
  CHECK(hash({Graph::from_edges(1, {})}) != hash({Graph::from_edges(2, {})}));
  CHECK(hash({Graph::bipartite(2, 3, {}, {})}) != hash({Graph::bipartite(3, 3, {}, {})}));
  CHECK(hash({Graph::bipartite(2, 2, {}, {})}) != hash({Graph::from_edges(2, {})}));
}

TEST_CASE("Cached encodings are the encodings", "[graph]") {
  const test::TemporaryFolder folder;
  const TensorCache cache(folder.path());
  Generator random(16);
  std::vector<Graph> graphs{Graph()};
  for (int g = 0; g < 5; ++g) graphs.push_back(test::random_graph(random, 1 + random.below(20), random.below(40)));
  const LaplacianOptions options{.count = 4, .normalised = false, .skip_first = false};
  for (int round = 0; round < 2; ++round) {
    const BucketPlane planes = cached_hop_distances(cache, graphs), expected = hop_distances(graphs);
    CHECK(planes.offsets == expected.offsets);
    CHECK(bit_equal(planes.values, expected.values));
    CHECK(bit_equal(cached_rwse(cache, graphs, 5), rwse(graphs, 5)));
    const LaplacianEigen eigen = cached_laplacian_eigenvectors(cache, graphs, options),
                         fresh = laplacian_eigenvectors(graphs, options);
    CHECK(bit_equal(eigen.vectors, fresh.vectors));
    CHECK(bit_equal(eigen.values, fresh.values));
    CHECK(bit_equal(eigen.found, fresh.found));
    CHECK(cache.statistics().computed == 3);
    CHECK(cache.statistics().read == 3 * round);
  }
  cached_rwse(cache, graphs, 6);
  cached_laplacian_eigenvectors(cache, graphs, {.count = 4, .normalised = true, .skip_first = false});
  cached_laplacian_eigenvectors(cache, graphs, {.count = 4, .normalised = false, .skip_first = true});
  CHECK(cache.statistics().computed == 6);
  CHECK_THROWS_AS(cached_rwse(cache, graphs, 0), ValueError);
  CHECK_THROWS_AS(cached_laplacian_eigenvectors(cache, graphs, {.count = 0}), ValueError);
  CHECK_THROWS_AS(cached_hop_distances(cache, graphs, {.max_bytes = 3}), ValueError);
  CHECK(cached_rwse(cache, std::span<const Graph>{}, 3).shape() == Shape{0, 3});
}
