#include "core/error.hpp"

#include <utility>

namespace atto {
namespace {

std::string compose(const ErrorText& text) {
  std::string message = text.op;
  if (!text.argument.empty()) message += (message.empty() ? "" : ": ") + text.argument;
  if (!text.got.empty()) message += (message.empty() ? "got " : ": got ") + text.got;
  if (!text.expected.empty()) message += ", expected " + text.expected;
  if (!text.hint.empty()) message += " (" + text.hint + ")";
  return message;
}

ErrorText file_text(const std::string& path, const std::string& place, std::string reason, std::string hint) {
  return {.op = path,
          .argument = place.empty() ? std::move(reason) : place + ": " + reason,
          .got = {},
          .expected = {},
          .hint = std::move(hint)};
}

}  // namespace

Error::Error(ErrorText text) : std::runtime_error(compose(text)), text_(std::move(text)) {}

FileError::FileError(std::string path, std::string place, std::string reason, std::string hint)
    : Error(file_text(path, place, std::move(reason), std::move(hint))),
      path_(std::move(path)),
      place_(std::move(place)) {}

}  // namespace atto
