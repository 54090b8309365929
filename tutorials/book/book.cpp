#include "tutorials/book/book.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/contents.h"
#include "tutorials/book/names.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

using lesson::element;
using lesson::escape;
using Lines = std::vector<std::string>;

constexpr std::size_t largest_page = 1'400'000;  // bytes, without its head and the contents

std::string link(const std::string& to, const std::string& markup) {
  return "<a href=\"" + to + "\">" + markup + "</a>";
}

void add(std::string& list, const std::string& item, const char* between = ", ") {
  list += (list.empty() ? "" : between) + item;
}

std::string in_lower_case(std::string word) {
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

// For print and for the browser's search: every fifth line has its number, and nothing is a link.
std::string plain_code(const lesson::Listing& lines) {
  std::string html;
  for (const auto& [number, line] : lines) {
    html += (number % 5 == 0 ? text("<b>", number, "</b>") : "") + escape(line) + "\n";
  }
  return element("pre", html, "plain");
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

class Writer {
 public:
  Writer(const Contents& contents, const std::filesystem::path& out)
      : parts_(contents.parts), chapters_(contents.chapters), out_(out), names_(code_of(chapters_)) {
    for (const Chapter& chapter : chapters_) {
      chapter_of_[chapter.file] = &chapter;
      if (chapter.lesson == 0) continue;
      for (const char* word : {"lesson ", "Lesson "}) chapter_of_[text(word, chapter.lesson)] = &chapter;
    }
  }

  Book book() {
    Book book;
    for (std::size_t i = 0; i < chapters_.size(); ++i) {
      file_ = chapters_[i].file;
      const std::string names = names_in(file_, true), nav = element("nav", navigation(i));
      const std::string here = names.empty() ? "" : element("p", "In this file: " + names, "facts");
      if (chapters_[i].lesson > 0) records_[file_] = record_of(chapters_[i], book.not_run);
      book.pages[chapters_[i].page] =
          lesson::whole_page(chapters_[i].title, nav + here + linked_body_of(chapters_[i]) + nav);
    }
    file_.clear();
    book.pages["contents.html"] = contents_page();
    book.pages["names.html"] = names_page();
    add_whole(book.pages);
    return book;
  }

 private:
  // -- Links from the page that is being written -----------------------------------------------------

  std::string to(const std::string& file, const std::string& id) const {
    return (file == file_ ? "" : chapter_of_.at(file)->page) + "#" + id;
  }
  std::string to(const Place& place) const { return to(place.file, text(place.line)); }
  std::string to(const Name& name) const { return to(name.home.file, name.full()); }

  // Markup with links at paths, at "lesson 3", and at names that are set as code.
  std::string linked(const std::string& markup) const {
    std::string html;
    for (std::size_t i = 0, end = 0; i < markup.size(); i = end) {
      end = end_of_piece(markup, i);
      const std::string word = markup.substr(i, end - i), target = target_of(word, html.ends_with("<code>"));
      html += target.empty() ? word : link(target, word);
    }
    return html;
  }

  std::string target_of(const std::string& word, bool is_code) const {
    for (const std::string& path : {word, file_.substr(0, file_.rfind('/') + 1) + word}) {
      const auto found = chapter_of_.find(path);
      if (found != chapter_of_.end() && found->second->file != file_) return found->second->page;
    }
    const Name* name = is_code ? names_.in_prose(file_, word) : nullptr;
    return name == nullptr ? "" : to(*name);
  }

  std::string navigation(std::size_t i) const {
    std::string html = link("contents.html", "Contents") + " · " + link("names.html", "Names");
    if (i > 0) html += " · " + link(chapters_[i - 1].page, "←\u00a0" + chapters_[i - 1].title);
    if (i + 1 < chapters_.size())
      html += " · " + link(chapters_[i + 1].page, chapters_[i + 1].title + "\u00a0→");
    return html;
  }

  // -- A chapter -------------------------------------------------------------------------------------

  // What the lesson showed, if it has run.
  lesson::Record record_of(const Chapter& chapter, std::vector<int>& not_run) const {
    const std::filesystem::path page = out_ / text("tutorial-", chapter.lesson) / "index.html";
    const lesson::Record record =
        exists(page) ? lesson::record_on(read_file(page), chapter.source) : lesson::Record{};
    const std::string again = text(" <code>make tutorial-", chapter.lesson, "</code>");
    if (record.summary.empty()) {
      not_run.push_back(chapter.lesson);
      return {element("p", "This lesson has not run yet:" + again), chapter.steps};
    }
    if (record.same_source) return record;
    const std::string warning = "Its source has changed since. To run it again:" + again;
    return {record.summary + element("p", warning, "fails"), record.pieces, record.rest};
  }

  std::string linked_body_of(const Chapter& chapter) const {
    const auto prose = [&](const Lines& lines) { return linked(lesson::prose_markup(lines)); };
    if (chapter.is_handout) return prose(chapter.handout) + exercises(chapter.points);
    std::vector<lesson::Piece> lines;  // headings stand in the place of steps, whose lines are linked to
    for (const lesson::Piece& step : chapter.steps) {
      lines.push_back({step.line, text("<span id=\"", step.line, "\">\n</span>")});
    }
    return body_of(chapter, lines,
                   {prose, [&](const lesson::Listing& code) { return listing(code); }, false});
  }

  std::string plain_body_of(const Chapter& chapter) const {
    if (chapter.is_handout) return lesson::prose_markup(chapter.handout);
    std::string body = body_of(chapter, {}, {lesson::prose_markup, plain_code, false});
    if (chapter.lesson == 0) return body;
    for (const std::string start : {"\"figure-", "#figure-"}) {  // two lessons may call one the same
      for (std::size_t at = body.find(start); at != std::string::npos; at = body.find(start, at + 1)) {
        body.insert(at + 1, text("lesson-", chapter.lesson, "-"));
      }
    }
    return body;
  }

  std::string body_of(const Chapter& chapter, std::vector<lesson::Piece> pieces,
                      const lesson::Typesetting& set) const {
    const auto found = records_.find(chapter.file);
    if (found == records_.end()) return lesson::chapter_markup(chapter.source, pieces, set);
    const lesson::Record& record = found->second;
    pieces.insert(pieces.end(), record.pieces.begin(), record.pieces.end());
    return element("div", record.summary, "box") + lesson::chapter_markup(chapter.source, pieces, set) +
           record.rest;
  }

  // What an assignment's checks are worth, and where its exercises are.
  std::string exercises(const std::map<std::string, int>& points_of) const {
    std::string rows;
    for (const auto& [exercise, points] : points_of) {
      std::string files;
      for (const Chapter& chapter : chapters_) {
        const bool asks = chapter.source.find("// exercise " + exercise + ": ") != std::string::npos;
        if (asks) add(files, link(chapter.page, chapter.file));
      }
      rows += element("dt", text(exercise, ": ", points, " points")) + element("dd", files);
    }
    return rows.empty() ? "" : element("h3", "The exercises") + element("dl", rows, "toc");
  }

  std::string listing(const lesson::Listing& lines) const {
    std::vector<const Name*> defined;
    const std::string code =
        lesson::code_markup(lines, [&](int line, const lesson::Token& token, const std::string& markup) {
          if (token.kind == lesson::Kind::comment) return linked(markup);
          const Name* name = names_.at(file_, line, token.column);
          if (name == nullptr) return markup;
          const bool home = name->home.file == file_ && name->home.line == line;
          if (!home || std::ranges::find(defined, name) != defined.end()) return link(to(*name), markup);
          defined.push_back(name);
          const std::string word = name->body.line > 0 ? link(to(name->body), markup) : markup;
          return "<dfn id=\"" + name->full() + "\">" + word + "</dfn>";
        });
    return code + uses_of(defined);
  }

  std::string uses_of(const std::vector<const Name*>& names) const {
    constexpr std::size_t shown = 4, few = 12;  // lines of a file; lines for which nothing is folded
    std::string html, words;
    std::size_t count = 0;
    for (const Name* name : names) {
      std::string files;
      for (const auto& [file, lines] : name->uses) {
        std::string places = file == file_ ? "here" : file;
        for (std::size_t listed = 0; const int line : lines) {
          if (++listed <= shown) places += " " + link(to({file, line}), text(line));
        }
        count += lines.size();
        add(files, places + (lines.size() > shown ? " …" : ""), "; ");
      }
      if (files.empty()) continue;
      add(words, name->word);
      html += element("p", "<b>" + name->word + "</b>: " + files);
    }
    if (html.empty()) return "";
    return text("<details class=\"uses\"", count <= few ? " open" : "", ">\n",
                element("summary", "Uses of " + words), html, "</details>\n");
  }

  // The types, functions and constants that a file declares or defines, and behind a type, if they are
  // wanted, its functions and its types.
  std::string names_in(const std::string& file, bool with_members) const {
    Lines order;
    std::map<std::string, std::string> heads, members;
    for (const Name& name : names_.all()) {
      const Place place = name.home.file == file ? name.home : name.body;
      if (place.file != file || name.is_field) continue;
      const std::string head = name.owner.empty() ? name.word : name.owner;
      const std::string target = name.home.file == file ? to(name) : to(place);
      if (heads.emplace(head, link(name.owner.empty() ? target : to(place), head)).second)
        order.push_back(head);
      if (!name.owner.empty()) add(members[head], link(target, name.word));
    }
    std::string html;
    for (const std::string& head : order) {
      add(html, heads[head] + (with_members && members.contains(head) ? " (" + members[head] + ")" : ""));
    }
    return html;
  }

  // -- Pages of their own ----------------------------------------------------------------------------

  std::string heading_of(std::size_t part) const { return text(part, ". ", parts_[part - 1]); }

  // All parts with their chapters, which are at `targets`.
  std::string list_of(const std::map<std::string, std::string>& targets, bool with_names) const {
    std::string html;
    for (std::size_t part = 1; part <= parts_.size(); ++part) {
      std::string entries;
      for (const Chapter& chapter : chapters_) {
        if (chapter.part != part) continue;
        const std::string names = with_names ? ": " + names_in(chapter.file, false) : ".";
        const std::string about = chapter.sentence.empty() ? "The code behind it" + names : chapter.sentence;
        const std::string title = lesson::breakable(chapter.title);
        entries += element("dt", link(targets.at(chapter.file), title)) + element("dd", about);
      }
      html += element("h2", heading_of(part)) + element("dl", entries, "toc");
    }
    return html;
  }

  std::string contents_page() const {
    const std::string nav =
        link("names.html", "Index of names") + " · " + link("all.html", "Everything, for print");
    std::map<std::string, std::string> pages;
    for (const Chapter& chapter : chapters_) pages[chapter.file] = chapter.page;
    return lesson::whole_page("mesagrad: the book", element("nav", nav) + list_of(pages, true));
  }

  std::string names_page() const {
    std::multimap<std::tuple<std::string, std::string, std::string>, const Name*> sorted;
    for (const Name& name : names_.all()) {
      sorted.insert({{in_lower_case(name.word), name.owner, name.home.file}, &name});
    }
    std::map<char, std::string> of_letter;
    for (const auto& [key, name] : sorted) {
      const std::string of = (name->owner.empty() ? "" : "of " + name->owner + ", ") +
                             lesson::breakable(name->home.file);
      of_letter[std::get<0>(key)[0]] +=
          element("li", link(to(*name), name->word) + " " + element("span", of, "facts"));
    }
    std::string nav = link("contents.html", "Contents"), html;
    for (const auto& [letter, items] : of_letter) {
      nav += " · " + link(text("#", letter), std::string(1, letter));
      html += text("<h2 id=\"", letter, "\">", letter, "</h2>\n") + element("ul", items, "index");
    }
    return lesson::whole_page("Index of names", element("nav", nav) + html);
  }

  // As many pages as it takes; the contents are on the first one.
  void add_whole(std::map<std::string, std::string>& pages) const {
    const auto name = [](std::size_t i) { return i == 0 ? "all.html" : text("all-", i + 1, ".html"); };
    Lines bodies = {""};
    std::map<std::string, std::string> targets;
    std::size_t part = 0;
    for (const Chapter& chapter : chapters_) {
      std::string body = "<h1 id=\"" + chapter.page + "\">" + lesson::breakable(chapter.title) + "</h1>\n" +
                         plain_body_of(chapter);
      if (chapter.part != part) body = element("h1", heading_of(part = chapter.part), "part") + body;
      if (bodies.back().size() + body.size() > largest_page) bodies.emplace_back();
      bodies.back() += body;
      targets[chapter.file] = (bodies.size() == 1 ? "" : name(bodies.size() - 1)) + "#" + chapter.page;
    }
    bodies[0] = list_of(targets, false) + bodies[0];
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      std::string nav = link("contents.html", "Contents");
      if (i + 1 < bodies.size()) nav += " · " + link(name(i + 1), "It goes on →");
      nav = element("nav", nav);
      pages[name(i)] = lesson::whole_page("mesagrad: the book", nav + bodies[i] + nav);
    }
  }

  const Lines parts_;
  const std::vector<Chapter> chapters_;
  const std::filesystem::path out_;
  const Names names_;
  std::map<std::string, const Chapter*> chapter_of_;  // by files, and by "lesson 3"
  std::map<std::string, lesson::Record> records_;     // of lessons, by their files
  std::string file_;                                  // the one whose page is being written
};

}  // namespace

Book make_book(const std::filesystem::path& root, const std::filesystem::path& out) {
  return Writer(read_contents(root), out).book();
}

}  // namespace mesagrad::book
