#include "core/utf8.h"

#include <algorithm>

namespace mesagrad {
namespace {

// Bytes of the well-formed character that the text begins with, or 0.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t code = first & (0x7FU >> length);
  for (const char byte : text.substr(1, length - 1)) {
    code = code << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool as_one_would_write_it = text.substr(0, length) == utf8(code);
  return as_one_would_write_it && !surrogate && code <= 0x10FFFF ? length : 0;
}

}  // namespace

std::string utf8(char32_t code) {
  const auto lead = [=](unsigned mark, unsigned shift) { return static_cast<char>(mark | code >> shift); };
  const auto next = [=](unsigned shift) { return static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
  if (code < 0x80) return {lead(0, 0)};
  if (code < 0x800) return {lead(0xC0, 6), next(0)};
  if (code < 0x10000) return {lead(0xE0, 12), next(6), next(0)};
  return {lead(0xF0, 18), next(12), next(6), next(0)};
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    valid += length > 0 ? text.substr(0, length) : "\uFFFD";
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return valid;
}

bool is_valid_utf8(std::string_view text) { return valid_utf8(text) == text; }

std::string json_quoted(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += {'\\', 'u', '0', '0', hex[byte >> 4U], hex[byte & 0xFU]};
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string shown(std::string_view text) {
  std::size_t length = 80;
  if (text.size() <= length) return json_quoted(text);
  while (length > 0 && continues_character(text[length])) --length;  // do not cut a character
  return json_quoted(text.substr(0, length)) + "...";
}

}  // namespace mesagrad
