#include "examples/common/settings.hpp"

#include "tests/support/errors.hpp"

using namespace atto;
using namespace atto::examples;

TEST_CASE("settings: a number that would be cut, wrapped or turned round is refused with its key") {
  const auto read = [](const char* key, const nlohmann::json& value) {
    nlohmann::json json = to_json(Settings{});
    json[key] = value;
    return from_json(json, "config.json");
  };
  CHECK(read("epochs", 7).epochs == 7);
  CHECK(read("seed", ~std::uint64_t{0}).seed == ~std::uint64_t{0});
  CHECK(read("dropout", 1).dropout == 1);
  for (const nlohmann::json& value :
       {nlohmann::json(1.5), nlohmann::json(1e30), nlohmann::json(true), nlohmann::json(std::int64_t{1} << 32),
        nlohmann::json("7"), nlohmann::json::array()})
    CHECK_THAT_SAYS(FileError, read("epochs", value), "config.json: the setting 'epochs' has the wrong type or size");
  CHECK_THAT_SAYS(FileError, read("seed", -1), "'seed'");
  CHECK_THAT_SAYS(FileError, read("channels", 64.5), "'channels'");
  CHECK_THAT_SAYS(FileError, read("edge_state", 1), "'edge_state'");
  CHECK_THAT_SAYS(FileError, read("gamma", "x"), "'gamma'");
}
