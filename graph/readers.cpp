#include "graph/readers.hpp"

#include "core/error.hpp"

namespace atto {

namespace fs = std::filesystem;

Dataset read_dataset(const fs::path& folder, const TuOptions& options) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) throw FileError(folder.string(), {}, "not a folder");
  if (fs::exists(folder / "edges.txt") && fs::exists(folder / "labels.txt")) return read_cora(folder);
  for (const char* part : {"train.txt", "val.txt", "test.txt"})
    if (fs::exists(folder / part)) return read_aqsol(folder);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().ends_with("_A.txt")) return read_tu(folder, options);
  throw FileError(
      folder.string(), {}, "no data set in a form that can be read",
      "expected NAME_A.txt (TUDataset), edges.txt and labels.txt (Cora), or train.txt, val.txt, test.txt (AqSol)");
}

}  // namespace atto
