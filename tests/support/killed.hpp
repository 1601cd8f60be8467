// Processes that die in the middle of their work.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "core/parallel.hpp"

namespace atto::test {

/// Runs work() in a child process, which has one thread, until it ends or is killed. Returns its id.
template <class Work>
pid_t start_child(Work&& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  set_threads(1);  // the threads of a team do not survive a fork
  int code = 0;
  try {
    work();
  } catch (...) {
    code = 1;
  }
  ::_exit(code);
}

/// How a child ended: its exit code, or minus the number of the signal that killed it.
inline int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Runs work() in a child over and over and kills it `delay` after it began. False when the work failed before that.
template <class Work>
bool kill_after(std::chrono::nanoseconds delay, Work&& work) {
  int begun[2];
  if (::pipe(begun) != 0) return false;
  const pid_t child = start_child([&] {
    static_cast<void>(::write(begun[1], "", 1) == 1);
    for (;;) work();
  });
  ::close(begun[1]);
  char byte;
  static_cast<void>(::read(begun[0], &byte, 1) == 1);
  ::close(begun[0]);
  const auto until = std::chrono::steady_clock::now() + delay;
  if (delay > std::chrono::milliseconds(1)) std::this_thread::sleep_for(delay - std::chrono::microseconds(500));
  while (std::chrono::steady_clock::now() < until) continue;
  ::kill(child, SIGKILL);
  return end_of(child) == -SIGKILL;
}

/// Runs work() in a child and kills it at its n-th stop; before and after each system call is one. True when it was
/// killed, false when it had fewer stops and ended well; nothing where the system does not let a process be watched, or
/// the work failed.
template <class Work>
std::optional<bool> kill_at_stop(int n, Work&& work) {
  const pid_t child = start_child([&] {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
    ::raise(SIGSTOP);
    work();
  });
  int status = 0;
  for (int stop = 0;; ++stop) {
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) break;
    if (stop == n) {
      ::kill(child, SIGKILL);
      end_of(child);
      return true;
    }
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  return std::nullopt;
}

}  // namespace atto::test
