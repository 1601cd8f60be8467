// What a reader of files must survive: every file of a data set cut short, damaged, emptied and missing.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/file_set.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

/// Calls read(folder), which may succeed or throw FileError and nothing else. `accepted` counts successes.
template <class Read>
void expect_sane(const std::filesystem::path& folder, Read read, int& accepted) {
  try {
    read(folder).check();
    ++accepted;
  } catch (const FileError&) {
  }
}

/// Every file of the set: missing, empty, cut off at each byte, and with `changes` random single-byte changes.
template <class Read>
void attack(const FileSet& files, int changes, Read read) {
  constexpr char kBytes[] = {'0', '9', '-', ',', ' ', '\n', '\r', '.', 'e', 'x', '\0', '\x7f', '\xff'};
  Generator random(11);
  int accepted = 0;
  for (const auto& file : files) {
    const std::string &name = file.first, &content = file.second;
    const TemporaryFolder folder;
    write_files(folder.path(), files);
    INFO("file " << name);
    const auto try_content = [&](const std::string& changed) {
      write_files(folder.path(), {{name, changed}});
      expect_sane(folder.path(), read, accepted);
    };
    for (std::size_t length = 0; length < content.size(); ++length) try_content(content.substr(0, length));
    for (int k = 0; k < changes; ++k) {
      std::string changed = content;
      changed[random.below(std::ssize(changed))] = kBytes[random.below(std::ssize(kBytes))];
      try_content(changed);
    }
    for (const std::int64_t place : {std::int64_t{0}, std::ssize(content) / 2, std::ssize(content) - 1}) {
      for (const char* word : {" 99999999999999999999 ", " nan ", " inf ", " 1e400 ", " -1 ", " 4294967297 ",
                               " 2147483648 ", "\n\n", ",,", "\0"})
        try_content(std::string(content).insert(static_cast<std::size_t>(place), word));
    }
    try_content(content + content);
    std::filesystem::remove(folder / name);
    expect_sane(folder.path(), read, accepted);
    std::filesystem::create_directory(folder / name);
    expect_sane(folder.path(), read, accepted);
  }
  CHECK(accepted > 0);  // blank lines and the like are no reason to refuse
}

}  // namespace atto::test
