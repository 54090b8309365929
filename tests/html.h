// Reading a page of HTML as its text and its tags.
#pragma once
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace mesagrad {

using Texts = std::vector<std::string>;

// All that stands between `before` and the next quotation mark.
inline Texts all(const std::string& text, const std::string& before) {
  Texts found;
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    at += before.size();
    found.push_back(text.substr(at, text.find('"', at) - at));
  }
  return found;
}

inline std::string without_markup(const std::string& html) {
  static const std::map<std::string, char> letters = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}};
  std::string text;
  for (std::size_t i = 0; i < html.size(); ++i) {
    const std::size_t end = html.find(html[i] == '<' ? '>' : ';', i);
    if (html[i] == '&') text += letters.at(html.substr(i, end + 1 - i));
    if (html[i] == '&' || html[i] == '<') {
      i = end;
    } else {
      text += html[i];
    }
  }
  return text;
}

// The first thing that is wrong with a page: tags that do not nest, attributes without quotation marks, bare
// signs, or an id that is there twice. Empty: nothing is.
inline std::string fault_of(const std::string& html) {
  static const std::regex opening(R"re(([a-zA-Z0-9]+)((?: [a-zA-Z0-9:-]+(?:="[^"]*")?)*) ?/?)re"),
      entity("&([a-z]+|#[0-9]+);");
  Texts open;
  std::set<std::string> ids;
  for (std::size_t at = 0, end = 0; at < html.size(); at = end) {
    const std::size_t begin = std::min(html.find('<', at), html.size());
    for (std::size_t i = at; i < begin; ++i) {
      const bool bare =
          html[i] == '&' && !std::regex_match(html.substr(i, html.find(';', i) + 1 - i), entity);
      if (html[i] == '>' || bare) return html.substr(at, begin - at);
    }
    if (begin == html.size()) break;
    end = std::min(html.find('>', begin), html.size() - 1) + 1;
    const std::string tag = html.substr(begin + 1, end - begin - 2);
    if (tag.starts_with("!--")) end = html.find("-->", begin) + 3;
    if (tag == "style") end = html.find("</style>", begin);
    if (tag.starts_with('!')) continue;
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag)
        return tag + " closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
      continue;
    }
    std::smatch parts;
    if (!std::regex_match(tag, parts, opening)) return tag;
    for (const std::string& id : all(tag, " id=\"")) {
      if (!ids.insert(id).second) return "two of " + id;
    }
    const std::string name = parts[1];
    const bool phrase = name == "p" || name == "pre" || name == "details" || name == "div";
    if (phrase && std::ranges::find(open, "p") != open.end()) return name + " inside of p";
    if (name != "meta" && name != "br" && name != "wbr" && !tag.ends_with('/')) open.push_back(name);
  }
  return open.empty() ? "" : open.back() + " is not closed";
}

}  // namespace mesagrad
