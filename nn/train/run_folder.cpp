#include "nn/train/run_folder.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;

constexpr const char* marker = ".attograd";

[[noreturn]] void fail(const fs::path& path, const std::string& why, const std::string& hint) {
  throw FileError(path.string(), {}, why, hint);
}

void require_writable(const fs::path& path) {
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    fail(path, "cannot write into the folder: " + std::generic_category().message(errno),
         "choose another output folder");
}

// A run that was killed while it wrote a file leaves the unfinished copy behind (core/file.hpp).
void remove_unfinished_files(const fs::path& path) {
  std::error_code code;
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, code))
    if (const std::string name = entry.path().filename().string();
        name.starts_with('.') && name.find(".tmp.") != std::string::npos)
      unfinished.push_back(entry.path());
  for (const fs::path& file : unfinished) fs::remove(file, code);
}

}  // namespace

RunFolder RunFolder::create(const fs::path& path) {
  if (path.empty()) fail("output folder", "its name is empty", "for example runs/first");
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::exists(status) && !fs::is_directory(status))
    fail(path, "is a file, a folder is needed", "choose another output folder");
  if (!fs::exists(status)) fs::create_directories(path, code);
  if (!fs::is_directory(path))
    fail(path, "cannot create the folder" + (code ? ": " + code.message() : std::string()),
         "choose another output folder");
  require_writable(path);

  const RunFolder folder(path);
  const bool ours = fs::exists(path / marker);
  if (!ours && !fs::is_empty(path))
    fail(path, "the folder is not empty and not that of an earlier run",
         "choose a new or an empty output folder, or resume the run that lies there");
  if (ours) {
    remove_unfinished_files(path);
    std::vector<fs::path> old{folder.metrics_csv(), folder.metrics_jsonl(), folder.config(), folder.summary(),
                              folder.model(),       folder.checkpoint(),    folder.report()};
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.plots(), code))
      if (entry.path().extension() == ".svg") old.push_back(entry.path());
    for (const fs::path& file : old)
      if (fs::remove(file, code); code) fail(file, "cannot remove the file of an earlier run: " + code.message(), {});
  }
  write_atomically(path / marker, "attograd run folder, version 1\n");
  return folder;
}

RunFolder RunFolder::resume(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) fail(path, "there is no such folder to resume", "start a new run instead");
  require_writable(path);
  const RunFolder folder(path);
  if (!fs::exists(folder.checkpoint(), code))
    fail(path, "the folder holds no " + folder.checkpoint().filename().string() + ", so there is nothing to resume",
         "start a new run instead");
  remove_unfinished_files(path);
  return folder;
}

}  // namespace atto
