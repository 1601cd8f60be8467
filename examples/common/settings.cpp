#include "examples/common/settings.hpp"

#include <set>

#include "examples/common/fields.hpp"

namespace atto::examples {
namespace {

const char* group_of(const std::string& name) {
  static const std::set<std::string> data{"data",           "dataset",  "graphs",         "attributes",       "folds",
                                          "train_fraction", "encoding", "encoding_width", "encoding_channels"};
  static const std::set<std::string> training{
      "epochs", "batch", "lr", "warmup", "schedule", "optimiser", "weight_decay", "hop_weight_decay", "clip", "seed"};
  return name == "threads" ? "Run" : data.count(name) ? "Data" : training.count(name) ? "Training" : "Model";
}

}  // namespace

void add_options(CLI::App& app, Settings& settings) {
  add_field_options(app, settings, group_of, "[by data set]");
}

nlohmann::ordered_json to_json(const Settings& settings) {
  return fields_to_json(settings);
}

Settings from_json(const nlohmann::json& json, const std::string& path) {
  return fields_from_json<Settings>(json, path);
}

}  // namespace atto::examples
