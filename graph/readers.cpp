#include "graph/readers.hpp"

#include "core/error.hpp"
#include "graph/folder.hpp"

namespace atto {

namespace fs = std::filesystem;

Dataset read_dataset(const fs::path& folder, const TuOptions& options) {
  require_folder(folder);
  if (file_exists(folder / "edges.txt") && file_exists(folder / "labels.txt")) return read_cora(folder);
  for (const char* part : {"train.txt", "val.txt", "test.txt"})
    if (file_exists(folder / part)) return read_aqsol(folder);
  if (!names_ending(folder, "_A.txt").empty()) return read_tu(folder, options);
  throw FileError(
      folder.string(), {}, "no data set in a form that can be read",
      "expected NAME_A.txt (TUDataset), edges.txt and labels.txt (Cora), or train.txt, val.txt, test.txt (AqSol)");
}

}  // namespace atto
