// Attention as a graph: what thresholds leave, and the page.

#include <cmath>
#include <set>

#include "examples/common/attention_page.hpp"
#include "graph/support.hpp"
#include "nn/language/files.hpp"
#include "nn/text/tokenizer.hpp"
#include "tests/examples/program.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

using namespace examples;

namespace {

// Two heads over three tokens: the edges 00, 10, 11, 20, 21, 22, with sums 2, 0.1, 1.9, 0.7, 0.12, 1.18.
AttentionPicture three_tokens() {
  return {.graph = Support::causal(Ragged::single(3)).graph(),
          .weights = Tensor::from({1., 1., .04, .06, .96, .94, .5, .2, .1, .02, .4, .78}, Shape{6, 2}),
          .labels = {"a", "b", "<c>"}};
}

std::size_t count(const std::vector<Element>& elements, const std::string& name) {
  std::size_t result = 0;
  for (const Element& element : elements) result += element.name == name;
  return result;
}

}  // namespace

TEST_CASE("attention graph: what thresholds leave of a known map") {
  for (const double sharpness : {10., 0.}) {
    INFO(sharpness);
    const std::vector<ThresholdedMap> maps = thresholded_maps(three_tokens(), sharpness, {0, .11, .13, .8});
    REQUIRE(maps.size() == 4);
    CHECK(maps[0].map.graph.num_edges() == 6);
    CHECK(maps[0].mean_degree == 2);
    CHECK(maps[0].kept == 1);
    CHECK(maps[1].map.graph == Graph::from_edges(3, {{0, 0}, {1, 1}, {0, 2}, {1, 2}, {2, 2}}));
    CHECK(maps[2].map.graph == Graph::from_edges(3, {{0, 0}, {1, 1}, {0, 2}, {2, 2}}));
    CHECK(maps[3].map.graph == Graph::from_edges(3, {{0, 0}, {1, 1}, {2, 2}}));
    CHECK(maps[1].kept == Approx(3.82 / 3.92));
    CHECK(maps[3].kept == Approx(3 / 3.92));
    const double weight = maps[2].map.weights.value().data<double>()[2];
    CHECK(weight == Approx(sharpness > 0 ? 1 / (1 + std::exp(-10 * (.7 - .13))) : .7));
  }
  for (const double threshold : {-.1, 1., std::nan("")})
    CHECK_THAT_SAYS(ValueError, thresholded_maps(three_tokens(), 10, {threshold}), "0 <= threshold < 1");
}

TEST_CASE("attention graph: the page shows an arc for every pair that stays and a dot for every loop") {
  const std::string page = attention_page(three_tokens(), {.title = "a < b", .remarks = {"&"}, .thresholds = {0.13}});
  const std::vector<Element> elements = parse_xml(page);
  std::size_t arcs = 0;
  for (const Element& element : elements)
    if (element.name == "path" && element.attributes.at("d").find('A') != std::string::npos) ++arcs;
  CHECK(arcs == 1);
  CHECK(page.find("&lt;c&gt;") != std::string::npos);
  CHECK(count(elements, "script") == 0);
  CHECK(count(elements, "svg") >= 4);
}

TEST_CASE("attention_graph draws a layer of a model: all causal pairs at threshold 0, and refuses what is not there") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "model");
  const Tokenizer tokenizer = character_tokenizer("abc <");
  tokenizer.save(folder / "model" / "tokenizer.json");
  {
    const Model root;
    const LanguageModel model(
        root, {.vocabulary = tokenizer.vocabulary_size(), .channels = 8, .layers = 2, .heads = 2, .deviation = 0.5});
    save_language_model(folder / "model" / "weights", root, model);
  }
  const auto run = [&](const std::string& arguments) {
    return run_program(std::string(ATTO_EXAMPLES_FOLDER) + "/attention_graph",
                       "--threads 1 --model '" + (folder / "model" / "weights").string() + "' " + arguments +
                           " --out '" + (folder / "out").string() + "'",
                       folder / "log");
  };
  std::set<std::string> left;
  for (const std::string head : {"all", "1", "2"}) {
    INFO(head);
    const Result result = run("--text 'ab <ca' --layer 2 --thresholds 0,0.3 --head " + head);
    INFO(result.output);
    REQUIRE(result.code == 0);
    CHECK(result.output.find("threshold 0: 21 edges, 3.50 per token, 100.0 % of the weight") != std::string::npos);
    left.insert(result.output.substr(result.output.find("threshold 0.3")));
    const std::string page = read_file(folder / "out" / "attention.html");
    CHECK(!parse_xml(page).empty());
    CHECK(page.find(head == "all" ? std::string("layer 2, all 2 heads") : "layer 2, head " + head) !=
          std::string::npos);
  }
  CHECK(left.size() == 3);  // each head has a map of its own
  CHECK(run("--ids 0,1,2").code == 0);
  for (const auto& [arguments, text] :
       std::vector<std::pair<std::string, std::string>>{{"--ids 1 --thresholds 0,1", "0 <= threshold < 1"},
                                                        {"--ids 1 --thresholds -0.1", "0 <= threshold < 1"},
                                                        {"--ids 1 --layer 3", "1 to 2"},
                                                        {"--ids 1 --layer 0", "1 to 2"},
                                                        {"--ids 1 --head 3", "all, or 1 to 2"},
                                                        {"--ids 1 --head first", "all, or 1 to 2"},
                                                        {"--ids 1 --text a", "excludes"},
                                                        {"--ids 99", "99"},
                                                        {"--text x", "x"}}) {
    INFO(arguments);
    const Result result = run(arguments);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK(result.output.find(text) != std::string::npos);
  }
}

}  // namespace atto::test
