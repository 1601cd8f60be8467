#pragma once
// One family of exceptions. Every error names the operation, the argument, what it got, what it expected and what to
// do.

#include <cstdint>
#include <stdexcept>
#include <string>

namespace atto {

/// The parts of an error message; empty parts are left out of the text.
struct ErrorText {
  std::string op;        ///< operation or function that refused
  std::string argument;  ///< name of the offending argument
  std::string got;       ///< what was passed
  std::string expected;  ///< what would have been right
  std::string hint;      ///< what the user can do
};

/// Base of all errors that attograd throws. `what()` is the whole message, `text()` its parts.
class Error : public std::runtime_error {
 public:
  explicit Error(ErrorText text);
  const ErrorText& text() const noexcept { return text_; }

 private:
  ErrorText text_;
};

/// A tensor has the wrong rank or size.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A tensor or a view has the wrong element type or device.
class TypeError : public Error {
 public:
  using Error::Error;
};

/// A value lies outside its range (options, probabilities, sizes).
class ValueError : public Error {
 public:
  using Error::Error;
};

/// An index lies outside the thing that it indexes.
class IndexError : public Error {
 public:
  using Error::Error;
};

/// A call comes at the wrong time (backward twice, a graph already freed, a parameter registered twice).
class StateError : public Error {
 public:
  using Error::Error;
};

/// A NaN or an infinity where a finite number is needed.
class NumericError : public Error {
 public:
  using Error::Error;
};

/// Memory that the system does not have, or that a limit refuses (core/allocator.hpp). Nothing was allocated; the
/// process can go on.
class MemoryError : public Error {
 public:
  using Error::Error;
};

/// A file cannot be read, written or understood. `place` is "line 12" or "byte 340", empty for the whole file.
class FileError : public Error {
 public:
  FileError(std::string path, std::string place, std::string reason, std::string hint = {});
  const std::string& path() const noexcept { return path_; }
  const std::string& place() const noexcept { return place_; }

 private:
  std::string path_;
  std::string place_;
};

}  // namespace atto
