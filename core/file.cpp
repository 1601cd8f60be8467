#include "core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.hpp"

namespace atto {
namespace {

std::string hint_for(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that you may write to";
    case ENOENT:
      return "create the folder first";
    default:
      return {};
  }
}

std::string reason(int code) {
  return std::generic_category().message(code);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> serial{0};
  // In the same folder, because a rename is atomic only inside one file system; the process id and a number keep two
  // writers of one file apart.
  temporary_ = folder_of(path_) / ("." + path_.filename().string() + ".tmp." + std::to_string(::getpid()) + "." +
                                   std::to_string(serial++));
  // O_TRUNC, not O_EXCL: a file of this name can only be left over from a killed process with the same id.
  descriptor_ = retried([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (descriptor_ < 0) throw FileError(path_.string(), {}, "cannot write: " + reason(errno), hint_for(errno));
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::write(const void* bytes, std::size_t size) {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t done = retried([&] { return ::write(descriptor_, next, size); });
    if (done < 0) fail("cannot write", errno);
    next += done;
    size -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0)
    throw StateError({.op = "AtomicFile::commit",
                      .argument = path_.string(),
                      .got = "a call after the file was closed",
                      .expected = "one call after the last write",
                      .hint = {}});
  if (retried([&] { return ::fsync(descriptor_); }) != 0) fail("cannot flush to the disk", errno);
  // Some file systems (NFS, quotas) report a failed write only here. The descriptor is gone either way.
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0 && errno != EINTR) fail("cannot write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot replace", errno);
  temporary_.clear();

  // Without this a power cut could undo the rename although the data is on the disk.
  const int folder = retried([&] { return ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (folder < 0) fail("cannot open its folder", errno);
  const int synced = retried([&] { return ::fsync(folder); });
  const int code = errno;
  ::close(folder);
  // EINVAL: a file system that has nothing to sync for folders.
  if (synced != 0 && code != EINVAL) fail("cannot flush its folder to the disk", code);
}

void AtomicFile::fail(const char* what, int code) {
  discard();
  throw FileError(path_.string(), {}, std::string(what) + ": " + reason(code), hint_for(code));
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void write_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::filesystem::path& path) {
  const auto fail = [&](int code) { throw FileError(path.string(), {}, "cannot read: " + reason(code)); };
  const int descriptor = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (descriptor < 0) fail(errno);
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  std::string out;
  // The size is a guess only: a pipe or a file in /proc has none, and a file may grow meanwhile.
  if (::fstat(descriptor, &status) == 0 && status.st_size > 0) {
    // A file with holes may be larger than any memory.
    const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    if (static_cast<double>(status.st_size) > memory)
      throw FileError(
          path.string(), {},
          "cannot read: " + std::to_string(status.st_size) + " bytes, more than the memory of this machine");
    out.reserve(static_cast<std::size_t>(status.st_size) + 1);
  }
  constexpr std::size_t block = std::size_t{1} << 16;
  for (;;) {
    const std::size_t have = out.size();
    out.resize(have + block);
    const ssize_t got = retried([&] { return ::read(descriptor, out.data() + have, block); });
    if (got < 0) fail(errno);
    out.resize(have + static_cast<std::size_t>(got));
    if (got == 0) return out;
  }
}

}  // namespace atto
