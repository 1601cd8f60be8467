#include "examples/common/refuse.hpp"

#include <unistd.h>

#include <utility>

#include "core/error.hpp"
#include "nn/report/format.hpp"

namespace atto::examples {

void refuse(const char* option, std::string got, std::string expected) {
  throw ValueError({.op = option,
                    .argument = {},
                    .got = std::move(got),
                    .expected = std::move(expected),
                    .hint = "--help lists the options"});
}

void require_memory(const char* option, double bytes) {
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  if (bytes > there)
    refuse(option, "a need of at least " + report::human_bytes(bytes),
           "no more than this machine's memory of " + report::human_bytes(there));
}

}  // namespace atto::examples
