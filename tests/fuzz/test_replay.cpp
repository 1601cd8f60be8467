// The fuzz targets without a fuzzer: seeds, what the fuzzers once found, and every small damage to a seed.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/file.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

// All single-byte changes of each place, or those that mean something to a parser.
std::vector<char> replacements(char original, bool all) {
  std::set<char> bytes;
  if (all)
    for (int byte = 0; byte < 256; ++byte) bytes.insert(static_cast<char>(byte));
  else
    bytes = {'0',
             '9',
             '-',
             ',',
             ' ',
             '\n',
             'e',
             '"',
             '{',
             '\0',
             '\xff',
             static_cast<char>(original ^ 1),
             static_cast<char>(original ^ 128)};
  bytes.erase(original);
  return {bytes.begin(), bytes.end()};
}

struct Counts {
  std::int64_t accepted = 0, refused = 0;
};

// `run` on every truncation of `content`, then on every change of one byte.
template <class Run>
void damage(const std::string& content, bool all, Run&& run) {
  for (std::size_t size = 0; size < content.size(); ++size) run(content.substr(0, size));
  std::string changed = content;
  for (std::size_t i = 0; i < content.size(); ++i) {
    for (const char byte : replacements(content[i], all)) {
      changed[i] = byte;
      run(changed);
    }
    changed[i] = content[i];
  }
}

Counts damage_seeds(const fuzz::Target& target, bool all) {
  Counts counts;
  const auto run = [&](const std::string& input) {
    try {
      ++(target.run(input) ? counts.accepted : counts.refused);
    } catch (const std::exception& error) {
      FAIL("target " << target.name << ": " << error.what() << " of this input:\n" << input);
    }
  };
  for (const std::string& seed : target.seeds()) {
    if (!target.folder) {
      damage(seed, all, run);
      continue;
    }
    test::FileSet files = test::unpack(seed);
    for (auto& [name, content] : files) {
      const std::string whole = content;
      damage(whole, all, [&, &part = content](const std::string& damaged) {
        part = damaged;
        run(test::pack(files));
      });
      content = whole;
    }
  }
  return counts;
}

}  // namespace

TEST_CASE("fuzz: packing a folder loses nothing, and no name leads outside") {
  const test::FileSet files{{"a", ""}, {"b", "\n"}, {"c", "1 2\n3"}};
  CHECK(test::unpack(test::pack(files)) == files);
  CHECK(test::unpack("=== ../x\n1\n=== \n2\n=== ..\n3\n=== y\n4\n") == test::FileSet{{"y", "4"}});
  CHECK(test::unpack("junk").empty());
}

TEST_CASE("fuzz: every seed is accepted, and every input that once broke a reader is survived") {
  std::int64_t regressions = 0;
  for (const fuzz::Target& target : fuzz::targets()) {
    INFO(target.name);
    for (const std::string& seed : target.seeds()) {
      INFO(seed);
      CHECK(target.run(seed));
    }
    const auto folder = std::filesystem::path(ATTO_REGRESSIONS) / target.name;
    if (!std::filesystem::is_directory(folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      INFO(entry.path());
      CHECK_NOTHROW(target.run(read_file(entry.path())));
      ++regressions;
    }
  }
  CHECK(regressions > 0);
}

TEST_CASE("fuzz: every truncation and every changed byte of a small file is read or refused", "[slow]") {
  const bool all = std::getenv("ATTO_FULL") != nullptr;
  for (const fuzz::Target& target : fuzz::targets()) {
    const Counts counts = damage_seeds(target, all);
    INFO(target.name << ": " << counts.accepted << " accepted, " << counts.refused << " refused");
    CHECK((counts.accepted == 0) == target.checksum);
    CHECK(counts.refused > 100);
  }
}
