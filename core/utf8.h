// Text in UTF-8: what is well formed, and how it is written in JSON.
#pragma once
#include <string>
#include <string_view>

namespace mesagrad {

// One character. `code` must be at most U+1FFFFF.
std::string utf8(char32_t code);

// Whether a byte is not the first one of its character.
inline bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// The same text with every ill-formed byte replaced by U+FFFD.
std::string valid_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

// The text as a JSON string, with its quotation marks; ill-formed bytes are replaced as above.
std::string json_quoted(std::string_view text);

// The same for an error message: no longer than a line, whatever the text.
std::string shown(std::string_view text);

}  // namespace mesagrad
