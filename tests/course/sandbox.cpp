#include "tests/course/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <random>

#include "core/error.h"

namespace mesagrad::course {
namespace {

constexpr uid_t nobody = 65534;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& one : texts) result.push_back(const_cast<char*>(one.c_str()));
  result.push_back(nullptr);
  return result;
}

void limit(int resource, std::uint64_t most) {
  const rlimit both{most, most};
  if (setrlimit(static_cast<decltype(RLIMIT_CPU)>(resource), &both) != 0) _exit(126);
}

bool become_nobody() { return setgroups(0, nullptr) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0; }

[[noreturn]] void become(const std::vector<std::string>& command, const std::filesystem::path& folder,
                         const Limits& limits, bool other_user) {
  if (chdir(folder.c_str()) != 0) _exit(126);
  limit(RLIMIT_CPU, static_cast<std::uint64_t>(4 * limits.seconds) + 1);
  limit(RLIMIT_AS, limits.memory);
  limit(RLIMIT_FSIZE, limits.largest_file);
  limit(RLIMIT_CORE, 0);
  if (other_user) limit(RLIMIT_NPROC, 64);
  if (other_user && !become_nobody()) _exit(126);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // Ctrl-C ends who waits for it, and with him this
#endif
  execve(command[0].c_str(), pointers(command).data(), pointers(limits.settings).data());
  _exit(127);
}

void open_pipe(int (&ends)[2]) {
  check(pipe(ends) == 0, "a pipe can't be opened");
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
}

// All processes of a group; and if they were nobody's, all of nobody's, as one may have left the group.
void end_all(pid_t group, bool other_user) {
  kill(-group, SIGKILL);
  if (!other_user) return;
  const pid_t killer = fork();
  if (killer == 0) {
    if (become_nobody()) kill(-1, SIGKILL);
    _exit(0);
  }
  if (killer > 0) waitpid(killer, nullptr, 0);
}

void append_some(std::string& to, const char* from, std::size_t n) {
  constexpr std::size_t kept = 4000;
  to.append(from, n);
  if (to.size() > 3 * kept) to = to.substr(0, kept) + "\n[...]\n" + to.substr(to.size() - kept);
}

}  // namespace

Outcome run_limited(const std::vector<std::string>& command, const std::filesystem::path& folder,
                    const Limits& limits, const std::string& input) {
  int in[2], out[2], token[2];
  open_pipe(in);
  open_pipe(out);
  open_pipe(token);
  check(write(in[1], input.data(), input.size()) == static_cast<ssize_t>(input.size()), "a pipe is full");
  const bool other_user = limits.as_nobody && getuid() == 0;
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  check(child >= 0, "a process can't be started");
  if (child == 0) {
    setpgid(0, 0);
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(out[1], 2);
    dup2(token[1], 3);  // and if it was 3 already, dup2 has left its close-on-exec
    fcntl(3, F_SETFD, 0);
    become(command, folder, limits, other_user);
  }
  setpgid(child, child);
  close(in[0]);
  close(in[1]);
  close(out[1]);
  close(token[1]);

  Outcome result;
  std::size_t written = 0;
  int status = 0;
  bool ended = false;
  pollfd ends[] = {{out[0], POLLIN, 0}, {token[0], POLLIN, 0}};
  while (true) {
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (result.seconds > limits.seconds) {
      result.problem = text("it was stopped after ", static_cast<int>(limits.seconds + 0.5),
                            " seconds: is there a loop without an end?");
      break;
    }
    if (written > limits.output) {
      result.problem = text("it was stopped after writing ", limits.output, " bytes");
      break;
    }
    const bool had_ended = ended;
    if (!ended) ended = waitpid(child, &status, WNOHANG) == child;
    poll(ends, 2, had_ended ? 0 : 20);
    bool anything = false;
    for (pollfd& end : ends) {
      char buffer[4096];
      if ((end.revents & (POLLIN | POLLHUP)) == 0) continue;
      const ssize_t n = read(end.fd, buffer, sizeof buffer);
      if (n <= 0) {
        end.fd = -1;
        continue;
      }
      anything = true;
      if (&end == ends) written += static_cast<std::size_t>(n);
      append_some(&end == ends ? result.output : result.token, buffer, static_cast<std::size_t>(n));
    }
    if (had_ended && !anything) break;
  }
  end_all(child, other_user);
  if (!ended) waitpid(child, &status, 0);
  close(out[0]);
  close(token[0]);
  if (!result.problem.empty()) return result;
  if (WIFSIGNALED(status)) result.problem = text("it broke down: ", strsignal(WTERMSIG(status)));
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    result.problem = text("it ended with exit code ", WEXITSTATUS(status));
  return result;
}

Verdict run_check(const std::filesystem::path& program, std::size_t number,
                  const std::filesystem::path& folder, const Limits& limits) {
  std::random_device source;
  const std::string token = text(source(), "-", source(), "-", source());
  const Outcome outcome = run_limited({program.string(), "one", text(number)}, folder, limits, token + "\n");
  Verdict verdict{.passed = outcome.problem.empty() && outcome.token == token, .seconds = outcome.seconds};
  if (verdict.passed) return verdict;
  const bool failed = outcome.problem == "it ended with exit code 1" && !outcome.output.empty();
  verdict.message = failed ? outcome.output
                    : outcome.problem.empty()
                        ? "the program ended before the check was over\n" + outcome.output
                        : outcome.problem + "\n" + outcome.output;
  while (verdict.message.ends_with('\n')) verdict.message.pop_back();
  return verdict;
}

}  // namespace mesagrad::course
