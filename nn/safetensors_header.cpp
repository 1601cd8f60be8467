#include "nn/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.hpp"

namespace atto::detail {
namespace {

using nlohmann::json;

struct Format {
  std::string_view name;
  DType dtype;
  Narrow narrow;
};
constexpr std::array<Format, 7> kFormats{{{"F64", DType::float64, Narrow::no},
                                          {"F32", DType::float32, Narrow::no},
                                          {"BF16", DType::float32, Narrow::bf16},
                                          {"F16", DType::float32, Narrow::f16},
                                          {"I64", DType::int64, Narrow::no},
                                          {"I32", DType::int32, Narrow::no},
                                          {"U8", DType::uint8, Narrow::no}}};

const Format* format_named(std::string_view name) {
  for (const Format& format : kFormats)
    if (format.name == name) return &format;
  return nullptr;
}

std::string_view format_of(const TensorEntry& entry) {
  return std::find_if(kFormats.begin(), kFormats.end(),
                      [&](const Format& f) { return f.dtype == entry.dtype && f.narrow == entry.narrow; })
      ->name;
}

// Receives the parser's events and accepts nothing but the one structure that a header may have, so that neither depth
// nor repetition in a hostile file costs more memory than its bytes.
class Reader final : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader header;
  std::string error;
  std::size_t error_at = 0;  // from the beginning of the header; 0 = unknown

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::before:
        return enter(Place::top);
      case Place::name:
        if (metadata_) return enter(Place::metadata);
        entry_ = {};
        entry_.name = key_;
        has_dtype_ = has_shape_ = has_offsets_ = false;
        return enter(Place::tensor);
      default:
        return refuse("an object");
    }
  }

  bool key(std::string& name) override {
    key_ = name;
    switch (place_) {
      case Place::top:
        metadata_ = name == "__metadata__";
        if (!names_.insert(name).second) return fail(in_quotes(name) + " is given twice");
        return enter(Place::name);
      case Place::metadata:
        if (header.metadata.count(name) > 0) return fail("the metadata key " + in_quotes(name) + " is given twice");
        return enter(Place::text);
      case Place::tensor:
        return tensor_key(name);
      default:
        return refuse("a key");
    }
  }

  bool string(std::string& text) override {
    if (place_ == Place::text) {
      header.metadata[key_] = text;
      return enter(Place::metadata);
    }
    if (place_ != Place::dtype) return refuse("a string");
    const Format* format = format_named(text);
    if (format == nullptr)
      return fail("the element type of " + in_quotes(entry_.name) + " is " + in_quotes(text) +
                  ", expected F32, F64, BF16, F16, I32, I64 or U8");
    entry_.dtype = format->dtype;
    entry_.narrow = format->narrow;
    return enter(Place::tensor);
  }

  bool start_array(std::size_t) override {
    if (in_array_ || (place_ != Place::shape && place_ != Place::offsets)) return refuse("an array");
    in_array_ = true;
    numbers_.clear();
    return true;
  }

  bool number_unsigned(std::uint64_t number) override {
    if (!in_array_) return refuse("a number");
    const std::size_t most = place_ == Place::shape ? Shape::kMaxRank : 2;
    if (numbers_.size() == most)
      return fail(in_quotes(entry_.name) + " has more than " + std::to_string(most) +
                  (place_ == Place::shape ? " dimensions" : " offsets"));
    numbers_.push_back(number);
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    if (place_ == Place::offsets) {
      if (numbers_.size() != 2) return fail(in_quotes(entry_.name) + " needs two offsets");
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
      return enter(Place::tensor);
    }
    std::array<std::int64_t, Shape::kMaxRank> sizes{};
    std::uint64_t product = 1;
    bool fits = true;
    for (std::size_t d = 0; d < numbers_.size(); ++d) {
      fits = fits && numbers_[d] < (std::uint64_t{1} << 62) &&
             !__builtin_mul_overflow(product, std::max<std::uint64_t>(1, numbers_[d]), &product);
      sizes[d] = static_cast<std::int64_t>(numbers_[d]);
    }
    if (!fits || product >= (std::uint64_t{1} << 59))
      return fail("the shape of " + in_quotes(entry_.name) + " is too large");
    entry_.shape = Shape(std::span<const std::int64_t>(sizes.data(), numbers_.size()));
    return enter(Place::tensor);
  }

  bool end_object() override {
    switch (place_) {
      case Place::metadata:
        return enter(Place::top);
      case Place::tensor:
        if (!has_dtype_ || !has_shape_ || !has_offsets_)
          return fail(in_quotes(entry_.name) + " needs dtype, shape and data_offsets");
        header.entries.push_back(entry_);
        return enter(Place::top);
      default:
        return enter(Place::after);
    }
  }

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(std::int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a number that is not an integer"); }
  bool binary(json::binary_t&) override { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& exception) override {
    error_at = std::max<std::size_t>(1, position);
    return fail(std::string("the header is not valid JSON: ") + exception.what());
  }

 private:
  enum class Place { before, top, name, metadata, text, tensor, dtype, shape, offsets, after };

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool fail(std::string reason) {
    error = std::move(reason);
    return false;
  }
  bool refuse(const char* what) {
    switch (place_) {
      case Place::before:
        return fail(std::string("the header is ") + what + ", expected an object");
      case Place::name:
        return fail(in_quotes(key_) + " is " + what + ", expected an object");
      case Place::text:
        return fail("the metadata of key " + in_quotes(key_) + " is " + what + ", expected a string");
      default:
        return fail(std::string("there is ") + what + " in the " + in_quotes(key_) + " of " + in_quotes(entry_.name));
    }
  }
  bool tensor_key(const std::string& name) {
    struct Field {
      const char* name;
      bool& seen;
      Place place;
    };
    for (const Field& field : {Field{"dtype", has_dtype_, Place::dtype}, Field{"shape", has_shape_, Place::shape},
                               Field{"data_offsets", has_offsets_, Place::offsets}}) {
      if (name != field.name) continue;
      if (field.seen) return fail(in_quotes(entry_.name) + " gives its " + name + " twice");
      field.seen = true;
      return enter(field.place);
    }
    return fail(in_quotes(entry_.name) + " has the unknown key " + in_quotes(name));
  }

  Place place_ = Place::before;
  std::string key_;
  TensorEntry entry_;
  bool metadata_ = false, in_array_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::vector<std::uint64_t> numbers_;
  std::unordered_set<std::string> names_;
};

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f)
      result += "\\x" + std::string(1, "0123456789abcdef"[code >> 4]) + "0123456789abcdef"[code & 15];
    else result += c;
  }
  return result;
}

}  // namespace

SafetensorsHeader parse_header(const std::filesystem::path& path, std::string_view text, std::uint64_t data_bytes) {
  Reader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    const std::string place =
        reader.error_at > 0 ? "byte " + std::to_string(7 + reader.error_at) : std::string("header");
    throw FileError(path.string(), place, printable(reader.error), "is this a safetensors file?");
  }
  SafetensorsHeader header = std::move(reader.header);
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  const std::uint64_t data_at = 8 + text.size();
  std::uint64_t covered = 0;
  for (const TensorEntry& entry : header.entries) {
    const std::uint64_t needed = static_cast<std::uint64_t>(entry.shape.numel()) * entry.stored_size();
    const auto fail = [&](const std::string& reason) {
      throw FileError(path.string(), "header", in_quotes(entry.name) + " " + reason);
    };
    const std::string range = "bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end);
    if (entry.end < entry.begin || entry.end > data_bytes)
      fail("lies at " + range + " of " + std::to_string(data_bytes) + " bytes of data");
    if (entry.end - entry.begin != needed)
      fail("has " + std::to_string(entry.end - entry.begin) + " bytes, but " + std::string(format_of(entry)) +
           entry.shape.str() + " needs " + std::to_string(needed));
    if (entry.begin < covered) fail("at " + range + " overlaps the tensor before it");
    if (entry.begin > covered) fail("at " + range + " leaves a gap before it");
    covered = entry.end;
  }
  if (covered != data_bytes)
    throw FileError(path.string(), "byte " + std::to_string(data_at + covered),
                    std::to_string(data_bytes - covered) + " bytes belong to no tensor");
  return header;
}

std::string format_header(const std::vector<TensorEntry>& entries, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const TensorEntry& entry : entries)
    header[entry.name] = {{"dtype", format_of(entry)},
                          {"shape", std::vector<std::int64_t>(entry.shape.begin(), entry.shape.end())},
                          {"data_offsets", {entry.begin, entry.end}}};
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& error) {
    throw ValueError({.op = "write_safetensors",
                      .argument = "names and metadata",
                      .got = error.what(),
                      .expected = "UTF-8",
                      .hint = {}});
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace atto::detail

namespace atto {

std::string in_quotes(std::string_view text) {
  return "\"" + detail::printable(text) + "\"";
}

}  // namespace atto
