// A lesson run by a test. Include tests/catch.h before this.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>

#include "core/files.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad::lesson {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Runs a lesson in a process of its own, because it takes over signals and standard output.
struct Trial {
  Trial() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lesson-XXXXXX").string();
    directory = mkdtemp(pattern.data());
    std::ofstream(directory + "/lesson.cpp") << "// Prose & more,\n// two lines.\nint x = 1 < 2;\n";
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() { std::filesystem::remove_all(directory); }

  int status(const std::function<void(Lesson&)>& body, const std::string& argument = "SCALE=") {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGHUP, on_hangup);
      redirect(STDOUT_FILENO, "/stdout");
      redirect(STDERR_FILENO, "/stderr");
      std::string arguments[] = {"lesson", "OUT=" + directory + "/out", argument};
      char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
      _exit(run({.number = 7, .title = "T", .question = "Q?", .source = directory + "/lesson.cpp"},
                3, argv, body));
    }
    int result = 0;
    waitpid(child, &result, 0);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
  }
  void redirect(int descriptor, const std::string& name) const {
    dup2(open((directory + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), descriptor);
  }
  std::string read(const std::string& name) const { return read_file(directory + name); }
  std::string result(const std::string& name) const { return read("/out/tutorial-7/" + name); }
  bool empty() const { return std::filesystem::is_empty(directory + "/out/tutorial-7"); }

  std::string directory;
  void (*on_hangup)(int) = SIG_DFL;  // what the lesson inherits: these tests may run under nohup
};

inline void good_lesson(Lesson& L) {
  LinePlot plot{.name = "curves", .title = "A & B", .caption = "What <it> shows."};
  plot.line("a", std::vector<float>{1, 2}, std::vector<int>{3, 4});
  L.show(plot);
  L.curve("a", {1, 2}, {std::numeric_limits<double>::quiet_NaN(), 4});
  L.setting("steps", L.scaled({.smoke = 1, .lesson = 2, .paper = 3}));
  L.compare("loss", 1.1, 1.0);
  L.claim("one", 1.01, {.expected = 1, .tolerance = 0.02});
}

}  // namespace mesagrad::lesson
