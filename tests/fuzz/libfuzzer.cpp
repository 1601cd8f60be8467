// The entry points that libFuzzer calls; the preset `fuzz` defines ATTO_LIBFUZZER. One program serves all targets and
// takes the name that it is called by: fuzz_tu is a link to it. `fuzz_tu --seeds FOLDER` writes the seeds.
#ifdef ATTO_LIBFUZZER

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "core/parallel.hpp"
#include "tests/fuzz/target.hpp"

namespace {

const atto::fuzz::Target* target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string name = std::filesystem::path((*argv)[0]).filename();
  for (const atto::fuzz::Target& candidate : atto::fuzz::targets())
    if (name == "fuzz_" + std::string(candidate.name)) target = &candidate;
  if (target == nullptr) {
    std::fprintf(stderr, "%s is not the name of a target\n", name.c_str());
    std::exit(2);
  }
  atto::set_threads(1);
  if (*argc == 3 && std::string_view((*argv)[1]) == "--seeds") {
    std::filesystem::create_directories((*argv)[2]);
    int number = 0;
    for (const std::string& seed : target->seeds())
      atto::fuzz::write(std::filesystem::path((*argv)[2]) / ("seed" + std::to_string(number++)), seed);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}

#endif
