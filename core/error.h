// Errors that teach: one sentence that names the operation and the values that do not fit.
//
//     check(a.dim(1) == b.dim(0), "matmul: ", a.shape(), " x ", b.shape(), ": inner dimensions ", ...);
//
// throws Error with the pieces written one after another, as std::ostream prints them in the "C" locale:
// some of these texts end up in files, where 8000 must not become 8,000. A piece may also be a function that
// returns what is to be written: it is called only then, so that a check that holds costs nothing.
#pragma once
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace mesagrad {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All pieces as one string.
template <class... Pieces>
std::string text(const Pieces&... pieces) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  const auto write = [&out](const auto& piece) {
    if constexpr (std::is_invocable_v<decltype(piece)>) {
      out << piece();
    } else {
      out << piece;
    }
  };
  (write(pieces), ...);
  return out.str();
}

template <class... Pieces>
[[noreturn]] void fail(const Pieces&... pieces) {
  throw Error(text(pieces...));
}

// An exercise of the course that nobody has written yet: no Error, so that nobody takes it for one.
struct Todo : std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] inline void todo(const std::string& exercise, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  if (file[0] == '.' && file[1] == '/') file += 2;  // as compilers name what is included
  throw Todo(text("exercise ", exercise, " is not written yet (", file, ":", line, "); make assignment-",
                  exercise.substr(0, exercise.find('.'))));
}

template <class... Pieces>
void check(bool holds, const Pieces&... pieces) {
  if (!holds) fail(pieces...);
}

}  // namespace mesagrad
