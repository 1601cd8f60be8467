#pragma once
// What bench/side times. Each workload has a name, by which bench/compare.py finds the same one among the peers
// (bench/peers).

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.hpp"

namespace atto::bench {

struct WorkloadOptions {
  bool quick = false;               ///< tiny sizes: a smoke test, no measurement
  double dropout = 0.5;             ///< of attention weights in whole models
  DType dtype = DType::float32;     ///< of whole models; float64 where losses are compared
  std::filesystem::path data = {};  ///< folder with tu/NCI1 and tu/PROTEINS_full
};

class Workload {
 public:
  virtual ~Workload() = default;
  /// One repetition: what is timed.
  virtual void repeat() = 0;
  /// How many times one repetition does the thing that the goal speaks of (100 operations, batches of an epoch).
  virtual int parts() const { return 1; }
  /// Everything that a peer needs to compute the same.
  virtual std::vector<NamedTensor> inputs() const = 0;
  /// The model whose weights both sides start from; null where the inputs are all there is.
  virtual const Model* model() const { return nullptr; }
  /// Numbers in which both sides must agree: the losses of the first `steps` training steps of a model; of a single
  /// operation, whatever `steps` is, its result times a fixed tensor and the norm of every gradient.
  virtual std::vector<double> check(int steps) = 0;
};

/// ValueError listing the names when there is no such workload.
std::unique_ptr<Workload> make_workload(const std::string& name, const WorkloadOptions& options);
std::vector<std::string> workload_names();

// By subject; null when the name is not one of theirs.
std::unique_ptr<Workload> make_attention(const std::string& name, const WorkloadOptions& options);
std::unique_ptr<Workload> make_gat(const std::string& name, const WorkloadOptions& options);
std::unique_ptr<Workload> make_spmm(const std::string& name, const WorkloadOptions& options);
std::unique_ptr<Workload> make_small(const std::string& name, const WorkloadOptions& options);
std::unique_ptr<Workload> make_training(const std::string& name, const WorkloadOptions& options);
std::unique_ptr<Workload> make_language(const std::string& name, const WorkloadOptions& options);

}  // namespace atto::bench
