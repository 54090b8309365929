// Just enough Unicode to align columns and to keep files valid.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad::lesson {

// The same text with every ill-formed byte replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

// How many terminal columns a text takes: code points, without ANSI colour sequences.
int columns(std::string_view text);

// The text followed (or preceded) by spaces up to a width in columns.
std::string pad_right(std::string text, int width);
std::string pad_left(const std::string& text, int width);

// Lines of at most `width` columns, broken at spaces; a longer word keeps a line of its own.
std::vector<std::string> wrap(const std::string& text, int width);

// The same piece of text again and again.
std::string repeat(std::string_view piece, int times);

}  // namespace mesagrad::lesson
