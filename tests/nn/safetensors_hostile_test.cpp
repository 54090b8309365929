// Files that others wrote: unusual ones load, broken ones give one clear sentence.
#include "tests/catch.h"

#include <bit>

#include "nn/safetensors.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// A file with this header, and data bytes 0, 1, 2, ...
std::string file_of(const std::string& header, std::size_t data_size) {
  std::string file;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    file += static_cast<char>(header.size() >> shift & 0xFFU);
  }
  file += header;
  for (std::size_t i = 0; i < data_size; ++i) file += static_cast<char>(i);
  return file;
}

// One tensor "w" with these properties.
std::string tensor(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  return text.replace(text.find(part), part.size(), by);
}

Safetensors parse(const std::string& header, std::size_t data_size) {
  return parse_safetensors(file_of(header, data_size), "x.st");
}

// Checks that parsing fails with one line that names the file and says `reason`.
void refuses_file(const std::string& file, const char* reason) {
  const std::string message = message_of([&] { parse_safetensors(file, "x.st"); });
  INFO("expected: " << reason << "\ngot:      " << message);
  CHECK(message.starts_with("cannot read x.st: "));
  CHECK(message.find(reason) != std::string::npos);
  CHECK(message.size() < 300);
  CHECK(std::none_of(message.begin(), message.end(), [](char c) { return c >= 0 && c < ' '; }));
}

void refuses(const std::string& header, std::size_t data_size, const char* reason) {
  INFO(header.substr(0, 200));
  refuses_file(file_of(header, data_size), reason);
}

const std::string good = tensor("F32", "[2,3]", "[0,24]");

}  // namespace

TEST_CASE("safetensors: unusual but legal files load") {
  CHECK(parse(good, 24).tensors.at("w").shape() == Shape{2, 3});
  CHECK(parse(good + "    \t\r\n  ", 24).tensors.at("w").shape() == Shape{2, 3});
  CHECK(parse("{}", 0).tensors.empty());
  CHECK(parse(" \n{ } ", 0).tensors.empty());
  CHECK(parse(R"({"__metadata__":{}})", 0).metadata.empty());

  const Safetensors spaced = parse(
      "\n{ \"w\"\t:\r\n{ \"data_offsets\" : [ 8 ,\n32 ] , \"shape\":[ 2\t,3 ],"
      "\"dtype\" : \"F32\" } , \"v\":{\"shape\":[1],\"dtype\":\"F64\","
      "\"data_offsets\":[0,8]} }",
      32);
  CHECK(spaced.tensors.at("w").shape() == Shape{2, 3});
  CHECK(spaced.tensors.at("v").shape() == Shape{1});

  const Tensor number = parse(tensor("F64", "[]", "[0,8]"), 8).tensors.at("w");
  CHECK(number.shape() == Shape{});
  CHECK(number.item() == static_cast<real>(std::bit_cast<double>(0x0706050403020100)));
  CHECK(parse(tensor("F32", "[]", "[0,4]"), 4).tensors.at("w").item() ==
        static_cast<real>(std::bit_cast<float>(0x03020100)));
  CHECK(parse(tensor("F32", "[2,0,3]", "[0,0]"), 0).tensors.at("w").shape() == Shape{2, 0, 3});
  CHECK(parse(tensor("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]"), 0)
            .tensors.at("w")
            .size() == 0);

  // An empty tensor between others, and names with the same meaning in other spellings.
  const Safetensors mixed =
      parse(R"({"\u0061\/\"\\\b\f\n\r\t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
            R"("\u03bb\uD83D\ude42\u0000":{"dtype":"F\u00332","shape":[0],"data_offsets":[4,4]},)"
            R"("__\u006Detadata__":{"λ":"\u00e9","":""},)"
            R"("b":{"\u0064type":"F64","shape":[1,1,1,1],"data_offsets":[4,12]}})",
            12);
  CHECK(mixed.tensors.contains("a/\"\\\b\f\n\r\t"));
  CHECK(mixed.tensors.contains("λ🙂" + std::string(1, '\0')));
  CHECK(mixed.tensors.at("b").shape() == Shape{1, 1, 1, 1});
  CHECK(mixed.metadata == std::map<std::string, std::string>{{"λ", "é"}, {"", ""}});
}

TEST_CASE("safetensors: files that are too short or too long") {
  const std::string file = file_of(good, 24);
  CHECK(message_of([&] { parse_safetensors(file, "x.st"); }) == "nothing was thrown");
  for (std::size_t size = 0; size < file.size(); ++size) {
    const char* reason = size < 8                 ? "too short"
                         : size < 8 + good.size() ? "the header should have"
                                                  : "\"w\" ends at byte 24 of the data";
    refuses_file(file.substr(0, size), reason);
  }
  refuses_file(file + '\0', "bytes 24 to 25 of the data belong to no tensor");
  for (std::size_t i = 1; i < 8; ++i) {
    std::string huge = file;
    huge[i] = '\xff';
    refuses_file(huge, "the header should have");
  }
  refuses_file(file_of(std::string(100'000'001, ' '), 0), "at most 100000000");
  refuses("", 0, "expected {");
}

TEST_CASE("safetensors: broken JSON") {
  for (std::size_t size = 0; size < good.size(); ++size) {
    refuses(good.substr(0, size), 24, "header, byte");
  }
  refuses("[]", 0, "expected {");
  refuses("null", 0, "expected {");
  refuses("\xEF\xBB\xBF{}", 0, "expected {");
  refuses("{}x", 0, "text after the last }");
  refuses("{}{}", 0, "text after the last }");
  refuses(std::string("{}\0", 3), 0, "text after the last }");
  refuses("{,}", 0, "expected \"");
  refuses(replaced(good, "}}", "},}"), 24, "expected \"");
  refuses(replaced(good, "}}", ",}}"), 24, "expected \"");
  refuses(replaced(good, "3]", "3,]"), 24, "expected a whole number");
  refuses(replaced(good, "2,3", "2 3"), 24, "expected ]");
  refuses(replaced(good, ":", "="), 24, "expected :");
  refuses(replaced(good, "\"w\"", "'w'"), 24, "expected \"");
  refuses(replaced(good, "\"w\"", "w"), 24, "expected \"");
}

TEST_CASE("safetensors: strings that are no strings") {
  const auto refuses_name = [](const std::string& name, const char* reason) {
    refuses(replaced(good, "w", name), 24, reason);
  };
  for (const char* escape : {"\\x", "\\a", "\\'", "\\0", "\\U0041"}) refuses_name(escape, "escape");
  for (const char* escape :
       {"\\u", "\\u12", "\\u12g4", "\\u+123", "\\u-123", "\\u 123", "\\u0x1f"}) {
    refuses_name(escape, "four hexadecimal digits");
  }
  for (const char* half :
       {"\\ud83d", "\\ude42", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041", "\\ud83d\\ud83d",
        "\\ude42\\ud83d", "\\ude42\\ude42", "\\uDFFF", "\\uD800\\uE000"}) {
    refuses_name(half, "surrogate");
  }
  for (const char* control : {"\n", "\t", "\x01", "\x1f"})
    refuses_name(control, "control character");
  refuses_name(std::string(1, '\0'), "control character");
  for (const char* bytes : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe0\x80\x80"}) {
    refuses_name(bytes, "not valid UTF-8");
  }
}

TEST_CASE("safetensors: JSON that is not what it should be") {
  for (const char* value : {"1", "null", "true", "[]", "\"F32\"", "[[1]]"}) {
    refuses(std::string(R"({"w":)") + value + "}", 0, "expected {");
    if (value == std::string("null")) continue;  // legal, see above
    refuses(std::string(R"({"__metadata__":)") + value + "}", 0, "expected {");
  }
  for (const char* value : {"1", "null", "{}", "[]"}) {
    refuses(std::string(R"({"__metadata__":{"a":)") + value + "}}", 0, "expected \"");
    refuses(replaced(good, "\"F32\"", value), 24, "expected \"");
  }
  for (const char* value : {"6", "null", "{}", "\"2,3\""}) {
    refuses(replaced(good, "[2,3]", value), 24, "expected [");
    refuses(replaced(good, "[0,24]", value), 24, "expected [");
  }
  for (const char* value :
       {"[\"2\",3]", "[[2],3]", "[null,3]", "[+2,3]", "[02,3]", "[00,3]", "[.5,3]"}) {
    refuses(replaced(good, "[2,3]", value), 24, "expected a whole number");
  }
  for (const char* value : {"[2.0,3]", "[2e0,3]", "[0x2,3]", "[2_0,3]"}) {
    refuses(replaced(good, "[2,3]", value), 24, "expected ]");
  }
  for (const char* type : {"f32", "F16", "BF16", "I64", "F8_E4M3", "U8", "BOOL", "", "F32 "}) {
    refuses(tensor(type, "[2,3]", "[0,24]"), 24, "only F32 and F64 can be read");
  }
  refuses(replaced(good, "\"dtype\":\"F32\",", ""), 24, "needs a dtype, a shape and data_offsets");
  refuses(R"({"w":{}})", 0, "needs a dtype, a shape and data_offsets");
  refuses(replaced(good, "dtype", "type"), 24, "needs a dtype, a shape and data_offsets");
}

TEST_CASE("safetensors: what else a tensor says of itself is passed over, if it is JSON") {
  const auto with = [](const std::string& value) { return replaced(good, "}}", R"(,"extra":)" + value + "}}"); };
  const std::string deep(1'000'000, '['), end_of_deep(1'000'000, ']');
  for (const std::string& value :
       {std::string("null"), std::string(" true"), std::string("false "), std::string("0"), std::string("-0.50e-07"),
        std::string("12E+3"), std::string(R"("\u00e9\n")"), std::string("[]"), std::string("{}"), std::string("[ ]"),
        std::string(R"([1, "a", [null, {}], {"b": [2, {"c": "d"}], "e": true}])"),
        std::string(R"({"a": 1, "a": {"dtype": 5}})"), deep + end_of_deep}) {
    INFO(value.substr(0, 100));
    CHECK(parse(with(value), 24).tensors.at("w").shape() == Shape{2, 3});
    CHECK(parse(replaced(good, "{\"dtype", R"({"extra":)" + value + ",\"dtype"), 24).tensors.size() == 1);
  }
  for (const std::string& value :
       {std::string(""), std::string("nul"), std::string("nulll"), std::string("+1"), std::string("01"),
        std::string("1."), std::string(".5"), std::string("1e"), std::string("-"), std::string("NaN"),
        std::string("'a'"), std::string("\"a"), std::string("[1,]"), std::string("[,1]"), std::string("[1 2]"),
        std::string("[1}"), std::string("{1:2}"), std::string(R"({"a"})"), std::string(R"({"a":})"),
        std::string(R"({"a":1,})"), std::string(R"({"a":1]})"), std::string("[[]"), std::string("[]]"), deep,
        deep + end_of_deep + "]"}) {
    refuses(with(value), 24, "header, byte");
  }
  CHECK(parse(R"({"__metadata__":null})", 0).metadata.empty());
  CHECK(parse(replaced(good, "{", R"({"__metadata__" : null ,)"), 24).tensors.size() == 1);
  refuses(R"({"__metadata__":nul})", 0, "expected {");
  refuses(R"({"__metadata__":nulls})", 0, "expected }");
  refuses(R"({"__metadata__":null,"__metadata__":null})", 0, "appears twice");
}

TEST_CASE("safetensors: names that appear twice") {
  const std::string empty = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  refuses(R"({"w":)" + empty + R"(,"w":)" + empty + "}", 0, "\"w\" appears twice");
  refuses(R"({"w":)" + empty + R"(,"\u0077":)" + empty + "}", 0, "\"w\" appears twice");
  refuses(R"({"__metadata__":{},"__metadata__":{}})", 0, "appears twice");
  refuses(R"({"__metadata__":{"a":"1","a":"1"}})", 0, "\"a\" appears twice");
  refuses(replaced(good, "\"shape\"", R"("dtype":"F32","shape")"), 24, "\"dtype\" appears twice");
}

TEST_CASE("safetensors: shapes that can't be") {
  refuses(tensor("F32", "[-2,-3]", "[0,24]"), 24, "negative");
  refuses(tensor("F32", "[-0]", "[0,0]"), 0, "negative");
  refuses(tensor("F32", "[1,1,1,1,6]", "[0,24]"), 24, "at most 4 dimensions");
  refuses(tensor("F32", "[9223372036854775808]", "[0,24]"), 24, "too large");
  refuses(tensor("F32", text("[", std::string(10000, '9'), "]"), "[0,24]"), 24, "too large");
  refuses(tensor("F32", "[9223372036854775807]", "[0,24]"), 24, "too large");
  refuses(tensor("F32", "[4611686018427387904]", "[0,0]"), 0,
          "too large");  // 4 · 2^62 = 0 mod 2^64
  refuses(tensor("F32", "[4294967296,4294967296]", "[0,0]"), 0, "too large");
  refuses(tensor("F64", "[2147483648,4294967296,2]", "[0,0]"), 0, "too large");
  refuses(tensor("F64", "[2147483648,4294967296,0]", "[0,0]"), 0, "too large");
  refuses(tensor("F32", "[2,4]", "[0,24]"), 24, "shape (2, 4) needs 32 bytes and has 24");
  refuses(tensor("F32", "[1000000000,1000000000]", "[0,24]"), 24,
          "needs 4000000000000000000 bytes");
  refuses(tensor("F64", "[2,3]", "[0,24]"), 24, "needs 48 bytes and has 24");
  refuses(tensor("F32", "[]", "[0,0]"), 0, "needs 4 bytes and has 0");
  refuses(tensor("F32", "[0]", "[0,4]"), 4, "needs 0 bytes and has 4");
}

TEST_CASE("safetensors: offsets that can't be") {
  refuses(tensor("F32", "[6]", "[-24,0]"), 24, "negative");
  refuses(tensor("F32", "[6]", "[24,0]"), 24, "begins at byte 24 and ends at 0");
  refuses(tensor("F32", "[6]", "[24]"), 24, "two numbers, not 1");
  refuses(tensor("F32", "[6]", "[]"), 24, "two numbers, not 0");
  refuses(tensor("F32", "[6]", "[0,24,24]"), 24, "two numbers, not 3");
  refuses(tensor("F32", "[6]", "[0,24,1,1,1]"), 24, "more than 4 numbers");
  refuses(tensor("F32", "[6]", "[0,18446744073709551640]"), 24, "too large");  // 24 mod 2^64
  refuses(tensor("F32", "[6]", "[9223372036854775783,9223372036854775807]"), 24,
          "of the data, which has");
  refuses(tensor("F32", "[6]", "[4,28]"), 24, "ends at byte 28 of the data, which has 24 bytes");
  refuses(tensor("F32", "[6]", "[4,28]"), 28, "bytes 0 to 4 of the data belong to no tensor");
  refuses(tensor("F32", "[6]", "[0,24]"), 32, "bytes 24 to 32 of the data belong to no tensor");
  refuses("{}", 8, "bytes 0 to 8 of the data belong to no tensor");

  const auto pair = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + b + "}}";
  };
  CHECK(parse(pair("[8,16]", "[0,8]"), 16).tensors.size() == 2);
  refuses(pair("[0,8]", "[0,8]"), 8, "inside the tensor before it");
  refuses(pair("[0,8]", "[4,12]"), 12, "\"b\" begins at byte 4");
  refuses(pair("[0,8]", "[12,20]"), 20, "bytes 8 to 12");
  const std::string inside = R"({"dtype":"F64","shape":[0],"data_offsets":[4,4]})";
  refuses(replaced(good, "}}", R"(},"b":)" + inside + "}"), 24, "\"b\" begins at byte 4");
}

TEST_CASE("safetensors: a header made to hurt") {
  const std::string deep(1'000'000, '[');
  refuses(deep, 0, "expected {");
  refuses(R"({"w":)" + deep, 0, "expected {");
  refuses(replaced(good, "2,3", deep), 24, "expected a whole number");
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += R"({"a":)";
  refuses(objects, 0, "expected a value");
  // Names are shown shortened, without control characters, and not cut inside a character.
  refuses(replaced(good, "\"w\":{", text('"', std::string(1'000'000, 'w'), "\":{}")), 24, "www\"...");
  std::string wide = "x";
  for (int i = 0; i < 100; ++i) wide += "λ";
  refuses(replaced(good, "\"w\":{", '"' + wide + "\":{}"), 24, "λλ\"...");
  refuses(R"({"\u001b[31m\n":{}})", 0, R"("\u001b[31m\n")");
}

}  // namespace mesagrad
