#include "tutorials/book/links.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {

using lesson::element;
using lesson::escape;
using Lines = std::vector<std::string>;

namespace {

// A name in the address of a link.
std::string id_of(const Name& name) {
  std::string id = name.full();
  for (char& c : id) c = std::string("<>[]&").find(c) == std::string::npos ? c : '.';
  return id;
}

std::string in_lower_case(std::string word) {
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

Sources code_of(const std::vector<Chapter>& chapters) {
  Sources code;
  for (const Chapter& chapter : chapters) {
    if (!chapter.is_handout) code[chapter.file] = chapter.source;
  }
  return code;
}

// Where the piece of markup that begins at i ends: a tag, a word, a path, "lesson 3", or any other character.
std::size_t end_of_piece(const std::string& markup, std::size_t i) {
  if (markup[i] == '<' || markup[i] == '&')
    return std::min(markup.find(markup[i] == '<' ? '>' : ';', i), markup.size() - 1) + 1;
  if (!lesson::in_word(markup[i])) return i + 1;
  std::size_t end = i;
  for (const std::string start : {"lesson ", "Lesson "}) {
    const std::size_t number = i + start.size();
    if (markup.compare(i, start.size(), start) == 0 && lesson::is_digit(markup[number])) end = number;
  }
  const auto goes_on = [](char c) { return lesson::in_word(c) || c == '/' || c == '.'; };
  while (end < markup.size() && goes_on(markup[end])) ++end;
  while (markup[end - 1] == '.' || markup[end - 1] == '/') --end;
  return end;
}

}  // namespace

std::string link(const std::string& to, const std::string& markup) {
  return to.empty() ? markup : "<a href=\"" + to + "\">" + markup + "</a>";
}

void add(std::string& list, const std::string& item, const char* between) {
  list += (list.empty() ? "" : between) + item;
}

Links::Links(const std::vector<Chapter>& chapters) : names_(code_of(chapters)) {
  for (const Chapter& chapter : chapters) {
    chapter_of_[chapter.file] = &chapter;
    if (chapter.lesson == 0) continue;
    for (const char* word : {"lesson ", "Lesson "}) chapter_of_[text(word, chapter.lesson)] = &chapter;
  }
}

const Chapter& Links::chapter(const std::string& path) const { return *chapter_of_.at(path); }

std::string Links::to(const std::string& file, const std::string& id) const {
  return (file == from ? "" : chapter_of_.at(file)->page) + "#" + id;
}
std::string Links::to(const Place& place) const { return to(place.file, text(place.line)); }
std::string Links::to(const Name& name) const {
  const Declared* one = names_.seen_from(from, name);
  return one == nullptr ? "" : to(one->home.file, id_of(name));
}

std::string Links::linked(const std::string& markup) const {
  std::string html;
  for (std::size_t i = 0, end = 0; i < markup.size(); i = end) {
    end = end_of_piece(markup, i);
    const std::string word = markup.substr(i, end - i), target = target_of(word, html.ends_with("<code>"));
    html += link(target, word);
  }
  return html;
}

std::string Links::target_of(const std::string& word, bool is_code) const {
  for (const std::string& path : {word, from.substr(0, from.rfind('/') + 1) + word}) {
    const auto found = chapter_of_.find(path);
    if (found != chapter_of_.end() && found->second->file != from) return found->second->page;
  }
  const bool is_name = is_code || word.find('_') != std::string::npos;
  const Name* name = is_name ? names_.in_prose(from, word) : nullptr;
  return name == nullptr ? "" : to(*name);
}

std::string Links::listing(const lesson::Listing& lines) const {
  std::vector<const Name*> defined;
  const std::string code =
      lesson::code_markup(lines, [&](int line, const lesson::Token& token, const std::string& markup) {
        if (token.kind == lesson::Kind::comment) return linked(markup);
        const Name* name = names_.at(from, line, token.column);
        if (name == nullptr) return markup;
        const Declared* here = name->in(from);
        const bool is_home = here != nullptr && here->home.line == line;
        if (!is_home || std::ranges::find(defined, name) != defined.end()) return link(to(*name), markup);
        defined.push_back(name);
        const std::string word = here->body.line > 0 ? link(to(here->body), markup) : markup;
        return "<dfn id=\"" + id_of(*name) + "\">" + word + "</dfn>";
      });
  return code + uses_of(defined);
}

std::string Links::uses_of(const std::vector<const Name*>& names) const {
  constexpr std::size_t few = 12;  // lines for which nothing is folded
  std::string html, words;
  std::size_t count = 0;
  for (const Name* name : names) {
    std::string files;
    for (const auto& [file, lines] : name->uses) {
      std::string places = file == from ? "here" : file;
      for (const int line : lines) places += " " + link(to({file, line}), text(line));
      count += lines.size();
      add(files, places, "; ");
    }
    for (const Declared& other : name->declared) {
      if (other.home.file == from) continue;
      add(files, "overloads that of " + other.home.file + " " + link(to(other.home), text(other.home.line)),
          "; ");
    }
    if (files.empty()) continue;
    add(words, escape(name->full()));
    html += element("p", "<b>" + escape(name->full()) + "</b>: " + files);
  }
  if (html.empty()) return "";
  return text("<details class=\"uses\"", count <= few ? " open" : "", ">\n",
              element("summary", "Uses of " + words), html, "</details>\n");
}

std::string Links::names_in(const std::string& file, bool with_members) const {
  Lines order;
  std::map<std::string, std::string> heads, members;
  for (const Name& name : names_.all()) {
    const auto here = std::ranges::find_if(
        name.declared, [&](const Declared& one) { return one.home.file == file || one.body.file == file; });
    if (here == name.declared.end() || name.is_field) continue;
    const bool is_home = here->home.file == file;
    const std::string head = name.owner.empty() ? name.word : name.owner;
    const std::string place = to(is_home ? here->home : here->body),
                      target = is_home ? to(file, id_of(name)) : place;
    if (heads.emplace(head, link(name.owner.empty() ? target : place, escape(head))).second)
      order.push_back(head);
    if (!name.owner.empty()) add(members[head], link(target, escape(name.word)));
  }
  std::string html;
  for (const std::string& head : order) {
    add(html, heads[head] + (with_members && members.contains(head) ? " (" + members[head] + ")" : ""));
  }
  return html;
}

std::map<char, std::string> Links::index() const {
  std::multimap<std::tuple<std::string, std::string, std::string>, const Name*> sorted;
  for (const Name& name : names_.all()) {
    for (const Declared& one : name.declared) {
      sorted.insert({{in_lower_case(name.word), name.owner, one.home.file}, &name});
    }
  }
  std::map<char, std::string> of_letter;
  for (const auto& [key, name] : sorted) {
    const std::string& file = std::get<2>(key);
    const std::string of = (name->owner.empty() ? "" : "of " + name->owner + ", ") + lesson::breakable(file);
    of_letter[std::get<0>(key)[0]] +=
        element("li", link(to(file, id_of(*name)), escape(name->word)) + " " + element("span", of, "facts"));
  }
  return of_letter;
}

}  // namespace mesagrad::book
