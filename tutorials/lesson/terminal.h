// Standard output: what it can do, and a print that notices when it is gone.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad::lesson {

struct Terminal {
  bool interactive = false;  // lines can be redrawn in place
  bool colour = false;       // and colours are welcome (NO_COLOR is respected)

  int width() const;  // columns; 80 when nobody knows
};

Terminal standard_output();

// Makes sure that descriptors 0 to 2 are open. Otherwise the first file that a program creates
// would become its standard output. Throws Error when standard output itself is closed.
void check_standard_streams();

// Writes to standard output at once, and waits for slow readers. Throws Error when that fails.
void print(std::string_view text);

// The same for standard error, where nobody can be told of a failure.
void print_error(std::string_view text);

// Text with ANSI colours, or the plain text when colour is false.
std::string bold(const std::string& text, bool colour);
std::string faint(const std::string& text, bool colour);
std::string tinted(const std::string& text, int colour_of_256, bool colour);

// Blocks of lines next to each other, each as wide as its widest line.
std::vector<std::string> beside(const std::vector<std::vector<std::string>>& blocks, int gap);

// Lines as one text, two spaces before each.
std::string indented(const std::vector<std::string>& lines);

}  // namespace mesagrad::lesson
