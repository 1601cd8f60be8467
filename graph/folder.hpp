// Looking into folders that somebody else filled: what cannot be looked at is a FileError with the reason, never taken
// for absent.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace atto {

/// FileError unless there is a folder.
void require_folder(const std::filesystem::path& folder);

/// Whether there is something of this name. FileError when that cannot be found out (no permission, a name that is too
/// long).
bool file_exists(const std::filesystem::path& path);

/// The names in a folder that end so, sorted. FileError when the folder cannot be read.
std::vector<std::string> names_ending(const std::filesystem::path& folder, std::string_view ending);

}  // namespace atto
