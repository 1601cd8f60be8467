// Small folders of files as values: written to disk, and packed into one text that a fuzzer can change.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace atto::test {

using FileSet = std::map<std::string, std::string>;  // name, content

inline void write_files(const std::filesystem::path& folder, const FileSet& files) {
  for (const auto& [name, content] : files) std::ofstream(folder / name, std::ios::binary) << content;
}

/// "=== NAME", a line break, the content and another line break for each file.
inline std::string pack(const FileSet& files) {
  std::string packed;
  for (const auto& [name, content] : files) packed += "=== " + name + "\n" + content + "\n";
  return packed;
}

/// The inverse. Of any other text the parts that look like files, under names that cannot leave the folder.
inline FileSet unpack(std::string_view packed) {
  constexpr std::string_view kMark = "=== ";
  FileSet files;
  while (packed.substr(0, kMark.size()) == kMark) {
    packed.remove_prefix(kMark.size());
    const std::size_t end = packed.find("\n" + std::string(kMark));
    std::string_view part = packed.substr(0, end);
    packed = end == std::string_view::npos ? std::string_view() : packed.substr(end + 1);
    if (end == std::string_view::npos && part.ends_with('\n')) part.remove_suffix(1);
    const std::size_t line = part.find('\n');
    const std::string_view name = part.substr(0, line);
    if (name.empty() || name.size() > 100 || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
        name.find('\0') != std::string_view::npos)
      continue;
    files[std::string(name)] = line == std::string_view::npos ? std::string_view() : part.substr(line + 1);
  }
  return files;
}

}  // namespace atto::test
