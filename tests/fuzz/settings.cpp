#include "examples/common/settings.hpp"

#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

// As the programs read a config.json. What is accepted is written as the same settings.
bool run(std::string_view input) {
  using namespace examples;
  const auto json = nlohmann::json::parse(input.begin(), input.end(), nullptr, false);
  if (json.is_discarded()) return false;
  Settings settings;
  if (!accepts([&] { settings = from_json(json, "config.json"); })) return false;
  const std::string text = to_json(settings).dump(2);
  require(to_json(from_json(nlohmann::json::parse(text), "config.json")).dump(2) == text,
          "settings changed on their way");
  return true;
}

std::vector<std::string> seeds() {
  examples::Settings settings;
  std::vector<std::string> files{to_json(settings).dump()};
  settings.data = "a \"b\"";
  settings.encoding = "rwse";
  settings.channels = 64;
  settings.gamma = 0.25;
  settings.epochs = -1;
  settings.seed = ~std::uint64_t{0};
  files.push_back(to_json(settings).dump());
  return files;
}

}  // namespace

const Target detail::kSettings{.name = "settings", .folder = false, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
