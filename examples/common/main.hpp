#pragma once
// What every program does around its own work: options in, a clear message and an exit code for whatever goes wrong.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>

#include "core/error.hpp"

namespace atto::examples {

/// Reads the command line. An exit code when the program is done already: 0 after --help, 2 after an error, which it
/// prints.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "error: %s\nRun with --help for the options.\n", error.what());
    return 2;
  }
}

/// Runs `run(argc, argv)`. Exit codes: 0 success, 1 an error in the program, 2 an error in what it was given (options,
/// files, data).
template <class Run>
int guarded_main(Run&& run, int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const StateError& error) {
    std::fprintf(stderr, "internal error: %s\n", error.what());
    return 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: not enough memory; a smaller model, batch or data set needs less\n");
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "internal error: %s\n", error.what());
    return 1;
  }
}

}  // namespace atto::examples
