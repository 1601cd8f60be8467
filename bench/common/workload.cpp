#include "bench/common/workload.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"

namespace atto::bench {

std::vector<std::string> workload_names() {
  return {"nci1-random",
          "nci1-sorted",
          "proteins-random",
          "proteins-sorted",
          "zinc",
          "cluster",
          "gat-100",
          "gat-12k",
          "gat-100k",
          "attention-25",
          "attention-32",
          "attention-128",
          "attention-512",
          "causal-256",
          "causal-512",
          "causal-1024",
          "causal-2048",
          "spmm-12k-64",
          "spmm-12k-128",
          "spmm-12k-256",
          "spmm-100k-64",
          "spmm-molecules-64",
          "spmm-12k-64-both",
          "spmm-12k-128-both",
          "spmm-12k-256-both",
          "spmm-100k-64-both",
          "spmm-molecules-64-both",
          "adamw",
          "tape",
          "language"};
}

std::unique_ptr<Workload> make_workload(const std::string& name, const WorkloadOptions& options) {
  for (const auto make : {make_attention, make_gat, make_spmm, make_small, make_training, make_language})
    if (std::unique_ptr<Workload> workload = make(name, options)) return workload;
  throw ValueError({.op = "bench",
                    .argument = "--workload",
                    .got = name,
                    .expected = fmt::format("one of {}", fmt::join(workload_names(), ", ")),
                    .hint = {}});
}

}  // namespace atto::bench
