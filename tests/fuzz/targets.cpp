#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace fs = std::filesystem;

std::span<const Target> targets() {
  using namespace detail;
  static const std::array all{kTu,         kAqSol,   kCora,     kFolds, kSafetensors, kWeights,
                              kCheckpoint, kMetrics, kSettings, kCache, kTokenizer};
  return all;
}

Folder::Folder() : folder_(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()) {}

void Folder::hold(test::FileSet files) {
  for (const auto& [name, content] : files_)
    if (!files.contains(name)) fs::remove(folder_ / name);
  for (const auto& [name, content] : files)
    if (const auto old = files_.find(name); old == files_.end() || old->second != content)
      write(folder_ / name, content);
  files_ = std::move(files);
}

void write(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace atto::fuzz
