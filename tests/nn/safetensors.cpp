#include "nn/safetensors.hpp"

#include <filesystem>
#include <fstream>

#include "core/file.hpp"
#include "core/random.hpp"
#include "nn/checkpoint.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using test::TemporaryFolder;

namespace {

std::string file_of(const std::string& header, const std::string& data, std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes + header + data;
}
std::string file_of(const std::string& header, const std::string& data = {}) {
  return file_of(header, data, header.size());
}

const TemporaryFolder& folder() {
  static const TemporaryFolder shared;
  return shared;
}

// Some tests write thousands of files: no fsync, and no truncation of an old file, which some file systems flush.
void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

TensorFile parse(const std::string& bytes) {
  const auto path = folder() / "file";
  write(path, bytes);
  return read_safetensors(path);
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_CASE("a file as the format defines it, byte for byte") {
  const auto path = folder() / "bytes";
  write_safetensors(
      path,
      std::vector<NamedTensor>{{"b", Tensor::from<std::uint8_t>({7}, {1})}, {"a", Tensor::from({1.0f, -2.0f}, {2, 1})}},
      {{"k", "v"}});
  const std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  CHECK(read_file(path) ==
        file_of(header + std::string(padded - header.size(), ' '), std::string("\0\0\x80\x3f\0\0\0\xc0\x07", 9)));
}

TEST_CASE("all types, shapes and metadata come back") {
  const auto path = folder() / "round";
  std::vector<NamedTensor> tensors{{"u8", Tensor::from<std::uint8_t>({1, 2, 255}, {3})},
                                   {"i32", Tensor::from<std::int32_t>({-1, 5}, {1, 2})},
                                   {"i64", Tensor::from<std::int64_t>({std::int64_t{1} << 60}, {1})},
                                   {"f32", Tensor::from({1.5f}, {})},
                                   {"f64", Tensor::from({0.1, -0.0}, {2, 1, 1, 1, 1, 1})},
                                   {"empty", Tensor::zeros({4, 0})},
                                   {"a \"name\" \xc3\xa9\n", Tensor::zeros({2})}};
  const Metadata metadata{{"", "empty key"}, {"k\xc3\xa9", "line\nbreak"}};
  write_safetensors(path, tensors, metadata);
  const TensorFile file = read_safetensors(path);
  CHECK(file.metadata == metadata);
  REQUIRE(file.tensors.size() == tensors.size());
  for (const NamedTensor& tensor : tensors) {
    const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                    [&](const NamedTensor& t) { return t.name == tensor.name; });
    REQUIRE(found != file.tensors.end());
    CHECK(bit_equal(found->value, tensor.value));
  }
  write_safetensors(path, {});
  CHECK(read_safetensors(path).tensors.empty());
}

TEST_CASE("what cannot be written is refused") {
  const auto path = folder() / "refused";
  const Tensor x = Tensor::zeros({1});
  CHECK_THROWS_AS(write_safetensors(path, std::vector<NamedTensor>{{"a", x}, {"a", x}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, std::vector<NamedTensor>{{"a", Tensor()}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, std::vector<NamedTensor>{{"__metadata__", x}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, std::vector<NamedTensor>{{"\xff", x}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, {}, {{"k", "\xff"}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(folder() / "none" / "x", {}), FileError);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a header in any legal layout is read") {
  const TensorFile file =
      parse(file_of("{ "
                    "\"b\":{\"data_offsets\":[4,8],\"shape\":[],\"dtype\":\"F32\"},\n\t\"\\u0061\":{\"dtype\":\"U8\","
                    "\"shape\":[2,2],\"data_offsets\":[0,4]},"
                    "\"z\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[8,8]}}   ",
                    std::string("\1\2\3\4\0\0\x80\x3f", 8)));
  REQUIRE(file.tensors.size() == 3);
  CHECK(file.tensors[0].name == "a");
  CHECK(file.tensors[0].value.values<std::uint8_t>()[3] == 4);
  CHECK(file.tensors[1].value.item() == 1.0);
}

TEST_CASE("malformed files are refused with place and reason") {
  struct Case {
    std::string bytes, says;
  };
  const std::string eight(8, '\0');
  const std::string two = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[)";
  const std::vector<Case> cases{
      {"", "byte 0: the file has 0 bytes"},
      {"1234567", "the file has 7 bytes"},
      {file_of("{}", "", 3), "byte 0: the header is said to have 3 bytes, but only 2 follow"},
      {file_of("{}", "", ~std::uint64_t{0}), "said to have 18446744073709551615 bytes"},
      {file_of("{}", "", std::uint64_t{1} << 63), "said to have"},
      {file_of(""), "not valid JSON"},
      {file_of("{\"a\":"), "not valid JSON"},
      {file_of("{} x"), "byte 11: the header is not valid JSON"},
      {file_of("{\"\xff\":1}"), "not valid JSON"},
      {file_of("[]"), "the header is an array, expected an object"},
      {file_of("3"), "the header is a number"},
      {file_of(std::string(100'000, '[')), "the header is an array"},
      {file_of(R"({"a":)" + std::string(100'000, '[')), "\"a\" is an array, expected an object"},
      {file_of(R"({"a":{"shape":)" + std::string(100'000, '[')), "there is an array in the \"shape\" of \"a\""},
      {file_of(R"({"a":{"shape":{)"), "there is an object in the \"shape\""},
      {file_of(R"({"a":{"a":{}}})"), "unknown key \"a\""},
      {file_of(R"({"a":null})"), "\"a\" is null"},
      {file_of(R"({"a\u001b[2J":null})"), "\"a\\x1b[2J\" is null"},
      {file_of(R"({"__metadata__":{"k":1}})"), "the metadata of key \"k\" is a number"},
      {file_of(R"({"__metadata__":{"k":"a","k":"b"}})"), "metadata key \"k\" is given twice"},
      {file_of(R"({"__metadata__":"x"})"), "\"__metadata__\" is a string"},
      {file_of(
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
           "xx"),
       "\"a\" is given twice"},
      {file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"), "gives its dtype twice"},
      {file_of(R"({"a":{"dtype":"U8","shape":[1]}})"), "needs dtype, shape and data_offsets"},
      {file_of(entry("F8_E4M3", "[1]", "[0,1]"), "x"), "the element type of \"a\" is \"F8_E4M3\""},
      {file_of(entry("F32", "[-1]", "[0,4]"), "xxxx"), "a negative number"},
      {file_of(entry("F32", "[1.0]", "[0,4]"), "xxxx"), "not an integer"},
      {file_of(entry("F32", "[1e0]", "[0,4]"), "xxxx"), "not an integer"},
      {file_of(entry("F32", "[true]", "[0,4]"), "xxxx"), "a boolean"},
      {file_of(entry("F32", "[[1]]", "[0,4]"), "xxxx"), "an array"},
      {file_of(entry("F32", "1", "[0,4]"), "xxxx"), "a number"},
      {file_of(entry("F32", "[1,1,1,1,1,1,1]", "[0,4]"), "xxxx"), "more than 6 dimensions"},
      {file_of(entry("F32", "[4611686018427387904,4]", "[0,0]")), "too large"},
      {file_of(entry("F32", "[4294967296,4294967296]", "[0,0]")), "too large"},
      {file_of(entry("F32", "[0,4294967296,4294967296]", "[0,0]")), "too large"},
      {file_of(entry("F64", "[288230376151711744]", "[0,8]"), eight), "needs 2305843009213693952"},
      {file_of(entry("F32", "[18446744073709551615]", "[0,4]"), "xxxx"), "too large"},
      {file_of(entry("F32", "[18446744073709551616]", "[0,4]"), "xxxx"), "not an integer"},
      {file_of(entry("F32", "[1]", "[0]"), "xxxx"), "needs two offsets"},
      {file_of(entry("F32", "[1]", "[0,4,8]"), "xxxx"), "more than 2 offsets"},
      {file_of(entry("F32", "[1]", "[4,0]"), "xxxx"), "lies at bytes 4 to 0"},
      {file_of(entry("F32", "[1]", "[0,8]"), eight), "has 8 bytes, but F32[1] needs 4"},
      {file_of(entry("F32", "[2]", "[0,8]"), "xxxx"), "lies at bytes 0 to 8 of 4 bytes of data"},
      {file_of(entry("F32", "[1]", "[18446744073709551612,18446744073709551615]"), "xxxx"), "lies at bytes"},
      {file_of(entry("F32", "[1]", "[0,4]"), eight), "4 bytes belong to no tensor"},
      {file_of(entry("F32", "[1]", "[4,8]"), eight), "leaves a gap"},
      {file_of("{}", "x"), "byte 10: 1 bytes belong to no tensor"},
      {file_of(two + R"(0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", "123456"), "overlaps"},
      {file_of(two + R"(0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234"), "overlaps"},
  };
  for (const Case& c : cases) {
    INFO(c.bytes.substr(0, 200));
    CHECK_THAT_SAYS(FileError, parse(c.bytes), c.says);
  }
  CHECK_THAT_SAYS(FileError, read_safetensors(folder().path()), "not a regular file");
  CHECK_THAT_SAYS(FileError, read_safetensors(folder() / "missing"), "No such file");
}

TEST_CASE("a header longer than the limit is refused before it is read") {
  const auto path = folder() / "sparse";
  std::ofstream(path, std::ios::binary) << file_of("{", "", 200'000'000);
  std::filesystem::resize_file(path, 300'000'000);
  CHECK_THAT_SAYS(FileError, read_safetensors(path), "more than 100000000");
  std::filesystem::remove(path);
}

// Loading either works or throws FileError, and in the second case changes nothing.
TEST_CASE("every truncation and every single-byte change ends in success or in a FileError") {
  const auto path = folder() / "fuzz";
  Model model({.seed = 3});
  const Parameter a = (model / "a").parameter("w", {2}, init::normal());
  const Parameter b = model.scope().parameter("b", {1, 1}, init::normal());
  const Tensor before[] = {a.value().clone(), b.value().clone()};
  save_weights(model, path);
  const std::string good = read_file(path);
  int loaded = 0, refused = 0;
  const auto attempt = [&](const std::string& bytes) {
    write(path, bytes);
    a.value().copy_from(before[0]);
    b.value().copy_from(before[1]);
    try {
      load_weights(model, path);
      ++loaded;
    } catch (const FileError&) {
      ++refused;
      REQUIRE(bit_equal(a.value(), before[0]));
      REQUIRE(bit_equal(b.value(), before[1]));
    }
  };
  for (std::size_t size = 0; size < good.size(); ++size) attempt(good.substr(0, size));
  CHECK(loaded == 0);
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      attempt(bad);
    }
  CHECK(loaded > 50);  // the numbers themselves, mostly
  CHECK(refused > 1000);
  Generator random(5);
  for (int i = 0; i < 2000; ++i) {  // several changes at once, and pieces moved
    std::string bad = good;
    const auto size = static_cast<std::int64_t>(bad.size());
    for (int k = 0; k < 3; ++k)
      bad[static_cast<std::size_t>(random.below(size))] = good[static_cast<std::size_t>(random.below(size))];
    attempt(bad);
  }
}
