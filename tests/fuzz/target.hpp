// One reader under attack: the same function serves libFuzzer and the tests that replay and damage its seeds.
#pragma once

#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "tests/support/file_set.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::fuzz {

struct Target {
  std::string_view name;
  bool folder;  ///< the input is a folder, packed as tests/support/file_set.hpp does
  /// Reads an input: true when it was accepted, false when it was refused as it should be. Whatever else is thrown is a
  /// bug.
  bool (*run)(std::string_view input);
  /// Small valid inputs to begin with.
  std::vector<std::string> (*seeds)();
  bool checksum = false;  ///< no damaged seed is accepted
};

/// All of them.
std::span<const Target> targets();

namespace detail {
extern const Target kTu, kAqSol, kCora, kFolds, kSafetensors, kWeights, kCheckpoint, kMetrics, kSettings, kCache,
    kTokenizer;
}

/// True when f returns; false when it throws the error that a file deserves.
template <class F>
bool accepts(F&& f) {
  try {
    f();
    return true;
  } catch (const FileError&) {
    return false;
  }
}

inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// A folder of this process's, in memory where the system has such a place. Files that stay the same are not written
/// again.
class Folder {
 public:
  Folder();
  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  /// Makes `files` the content of the folder.
  void hold(test::FileSet files);

 private:
  test::TemporaryFolder folder_;
  test::FileSet files_;
};

/// Writes a file of any name and content.
void write(const std::filesystem::path& path, std::string_view content);

}  // namespace atto::fuzz
