#pragma once
// Whole files: read at once, written so that a reader sees the old content or the new one, never a part.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace atto {

/// A file that appears under its name only when it is complete and on the disk. The bytes go to a temporary file in the
/// same folder; commit() fsyncs it, renames it and fsyncs the folder. Without commit() (an exception, say) the
/// temporary file is removed and what was there before stays. Every failure throws FileError with the reason (disk
/// full, no permission, folder missing).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* bytes, std::size_t size);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

  /// Puts the file in place of what was there. Called once, after the last write.
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int code);
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Replaces the file at `path` by `bytes`, as AtomicFile does.
void write_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The content of the file at `path`. Throws FileError where it cannot be read (missing, a folder, no permission,
/// larger than the memory).
std::string read_file(const std::filesystem::path& path);

}  // namespace atto
