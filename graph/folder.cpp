#include "graph/folder.hpp"

#include <algorithm>
#include <system_error>

#include "core/error.hpp"

namespace atto {

namespace fs = std::filesystem;

void require_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (fs::is_directory(status)) return;
  if (error && status.type() != fs::file_type::not_found)
    throw FileError(folder.string(), {}, "cannot look: " + error.message());
  throw FileError(folder.string(), {}, "not a folder");
}

bool file_exists(const fs::path& path) {
  std::error_code error;
  // Below something that is no folder, there is nothing: status() says not_found.
  const fs::file_status status = fs::status(path, error);
  if (error && status.type() != fs::file_type::not_found)
    throw FileError(path.string(), {}, "cannot look: " + error.message());
  return fs::exists(status);
}

std::vector<std::string> names_ending(const fs::path& folder, std::string_view ending) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.ends_with(ending)) names.push_back(std::move(name));
  }
  if (error) throw FileError(folder.string(), {}, "cannot list the folder: " + error.message());
  std::ranges::sort(names);
  return names;
}

}  // namespace atto
