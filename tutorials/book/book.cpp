#include "tutorials/book/book.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/excerpts.h"
#include "tutorials/book/names.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

using lesson::element;
using lesson::escape;
using Lines = std::vector<std::string>;

constexpr const char* contents_file = "tutorials/book/contents.txt";
constexpr std::size_t largest_page = 1'480'000;  // bytes, without its head

struct Chapter {
  std::string file = {}, title = {}, sentence = {};
  std::size_t part = 0;
  int lesson = 0;  // its number, if it is a lesson.cpp
  bool is_handout = false;
  std::string page = {};
};

std::string link(const std::string& to, const std::string& markup) {
  return "<a href=\"" + to + "\">" + markup + "</a>";
}

void add(std::string& list, const std::string& item, const char* between = ", ") {
  list += (list.empty() ? "" : between) + item;
}

// For print and for the browser's search: every fifth line has its number, and nothing is a link.
std::string plain_code(const lesson::Listing& lines) {
  std::string html;
  for (const auto& [number, line] : lines) {
    html += (number % 5 == 0 ? text("<b>", number, "</b>") : "") + escape(line) + "\n";
  }
  return element("pre", html, "plain");
}

class Writer {
 public:
  Writer(const std::filesystem::path& root, const std::filesystem::path& out) : root_(root), out_(out) {
    read_contents();
    Sources code;
    for (const Chapter& chapter : chapters_) {
      chapter_of_[chapter.file] = &chapter;
      if (!chapter.is_handout) code[chapter.file] = sources_[chapter.file];
    }
    names_.emplace(code);
  }

  Book book() {
    Book book;
    for (std::size_t i = 0; i < chapters_.size(); ++i) {
      file_ = chapters_[i].file;
      const std::string names = names_in(file_, true), nav = element("nav", navigation(i));
      const std::string here = names.empty() ? "" : element("p", "In this file: " + names, "facts");
      book.pages[chapters_[i].page] =
          lesson::whole_page(chapters_[i].title, nav + here + body_of(chapters_[i], book.not_run) + nav);
    }
    file_.clear();
    book.pages["contents.html"] = contents_page();
    book.pages["names.html"] = names_page();
    add_whole(book.pages);
    return book;
  }

 private:
  // -- What there is ---------------------------------------------------------------------------------

  void read_contents() {
    const bool starter = exists(root_ / "tests/course/starter");
    for (const std::string& line : lines_of(read_file(root_ / contents_file))) {
      if (line.starts_with("# ")) parts_.push_back(escape(line.substr(2)));
      if (line.empty() || line.starts_with("#")) continue;
      Lines files;  // of a folder, or a header and what belongs to it
      if (is_directory(root_ / line)) {
        for (const auto& entry : std::filesystem::directory_iterator(root_ / line)) {
          const std::string ending = entry.path().extension();
          if (ending == ".h" || ending == ".cpp")
            files.push_back(line + "/" + entry.path().filename().string());
        }
        std::ranges::sort(files);
      } else {
        for (const char* ending : {".h", ".cpp"}) {
          if (exists(root_ / (line + ending))) files.push_back(line + ending);
        }
      }
      check(!files.empty() || starter, contents_file, " lists ", line, ", which is not there");
      for (const std::string& file : files) add_chapter(file);
    }
  }

  void add_chapter(const std::string& file) {
    const std::string source = read_file(root_ / file);
    check(sources_.emplace(file, source).second, contents_file, " lists ", file, " twice");
    Chapter chapter{file, file, lesson::formula_markup(first_sentence(source)), parts_.size()};
    const std::size_t digits = file.find_first_of("0123456789");
    if (file.starts_with("tests/")) {
      chapter.is_handout = true;
      chapter.title = text("Assignment ", std::stoi(file.substr(digits)));
    } else if (digits < file.size() && file.ends_with("/lesson.cpp")) {
      chapter.lesson = std::stoi(file.substr(digits));
      chapter.title = text("Lesson ", chapter.lesson);
    }
    chapter.page = file + ".html";
    std::ranges::replace(chapter.page, '/', '-');
    chapters_.push_back(chapter);
  }

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
      end = i + 1;
      if (markup[i] == '<' || markup[i] == '&') {
        end = std::min(markup.find(markup[i] == '<' ? '>' : ';', i), markup.size() - 1) + 1;
      } else if (lesson::in_word(markup[i])) {
        const auto goes_on = [](char c) { return lesson::in_word(c) || c == '/' || c == '.'; };
        while (end < markup.size() && goes_on(markup[end])) ++end;
        while (markup[end - 1] == '.' || markup[end - 1] == '/') --end;
      }
      std::string word = markup.substr(i, end - i), target = target_of(word, html.ends_with("<code>"));
      if (word == "lesson" || word == "Lesson") {
        std::size_t last = std::min(end + 1, markup.size());
        while (last < markup.size() && lesson::is_digit(markup[last])) ++last;
        const std::string number = markup.substr(end, last - end);
        for (const Chapter& chapter : chapters_) {
          if (chapter.lesson == 0 || number != text(" ", chapter.lesson) || chapter.file == file_) continue;
          target = chapter.page;
          word += number;
          end = last;
        }
      }
      html += target.empty() ? word : link(target, word);
    }
    return html;
  }

  std::string target_of(const std::string& word, bool is_code) const {
    for (const std::string& path : {word, file_.substr(0, file_.rfind('/') + 1) + word}) {
      const auto found = chapter_of_.find(path);
      if (found != chapter_of_.end() && path != file_) return found->second->page;
    }
    const Name* name = is_code ? names_->in_prose(file_, word) : nullptr;
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

  std::string body_of(const Chapter& chapter, std::vector<int>& not_run) {
    const std::string& source = sources_.at(chapter.file);
    const auto prose = [&](const Lines& lines) { return linked(lesson::prose_markup(lines)); };
    if (chapter.is_handout) return prose(handout_of(source)) + exercises(source);
    const lesson::Typesetting set = {prose, [&](const lesson::Listing& lines) { return listing(lines); },
                                     false};
    if (chapter.lesson == 0) return lesson::chapter_markup(source, {}, set);
    lesson::Record record;
    const std::filesystem::path page = out_ / text("tutorial-", chapter.lesson) / "index.html";
    if (exists(page)) record = lesson::record_on(read_file(page), source);
    const bool has_run = !record.summary.empty();
    const std::string again = text(" <code>make tutorial-", chapter.lesson, "</code>");
    if (!has_run) {
      not_run.push_back(chapter.lesson);
      record = {element("p", "This lesson has not run yet:" + again), headings(source)};
    } else if (!record.same_source) {
      record.summary += element("p", "Its source has changed since. To run it again:" + again, "fails");
    }
    std::vector<lesson::Piece> pieces;  // headings stand in the place of steps, whose lines are linked to
    for (const lesson::Piece& step : headings(source)) {
      pieces.push_back({step.line, text("<span id=\"", step.line, "\">\n</span>")});
    }
    pieces.insert(pieces.end(), record.pieces.begin(), record.pieces.end());
    return element("div", record.summary, "box") + lesson::chapter_markup(source, pieces, set) + record.rest;
  }

  // What an assignment's checks are worth, and where its exercises are.
  std::string exercises(const std::string& handout) const {
    std::string rows;
    for (const auto& [exercise, points] : points_of(handout)) {
      std::string files;
      for (const auto& [file, source] : sources_) {
        const bool asks = source.find("// exercise " + exercise + ": ") != std::string::npos;
        if (asks) add(files, link(chapter_of_.at(file)->page, file));
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
          const Name* name = names_->at(file_, line, token.column);
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
        for (const int line : lines) {
          const bool more =
              static_cast<std::size_t>(std::ranges::distance(lines.begin(), lines.find(line))) < shown;
          if (more) places += " " + link(to({file, line}), text(line));
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

  // The names that a file declares or defines, and behind a type, if they are wanted, those of its own.
  std::string names_in(const std::string& file, bool with_members) const {
    Lines order;
    std::map<std::string, std::string> heads, members;
    for (const Name& name : names_->all()) {
      const Place place = name.home.file == file ? name.home : name.body;
      if (place.file != file) continue;
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

  std::string contents_page() const {
    std::string html =
        link("names.html", "Index of names") + " · " + link("all.html", "Everything on one page");
    html = element("nav", html);
    for (std::size_t part = 1; part <= parts_.size(); ++part) {
      std::string entries;
      for (const Chapter& chapter : chapters_) {
        if (chapter.part != part) continue;
        const bool speaks = !chapter.sentence.empty();
        entries += element("dt", link(chapter.page, chapter.title));
        entries +=
            element("dd", speaks ? chapter.sentence : "The code behind it: " + names_in(chapter.file, false));
      }
      html += element("h2", text(part, ". ", parts_[part - 1])) + element("dl", entries, "toc");
    }
    return lesson::whole_page("mesagrad: the book", html);
  }

  std::string names_page() const {
    const auto key = [](const Name* name) {
      std::string lower = name->word;
      for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      return std::tuple(lower, name->owner, name->home.file);
    };
    std::vector<const Name*> names;
    for (const Name& name : names_->all()) names.push_back(&name);
    std::ranges::sort(names, {}, key);
    std::map<char, std::string> of_letter;
    for (const Name* name : names) {
      const std::string of = (name->owner.empty() ? "" : "of " + name->owner + ", ") + name->home.file;
      of_letter[std::get<0>(key(name))[0]] +=
          element("li", link(to(*name), name->word) + " " + element("span", of, "facts"));
    }
    std::string html = element("nav", link("contents.html", "Contents"));
    for (const auto& [letter, items] : of_letter) {
      html += element("h2", std::string(1, letter)) + element("ul", items, "index");
    }
    return lesson::whole_page("Index of names", html);
  }

  // As many pages as it takes.
  void add_whole(std::map<std::string, std::string>& pages) const {
    Lines bodies = {""};
    for (const Chapter& chapter : chapters_) {
      const std::string& source = sources_.at(chapter.file);
      const std::vector<lesson::Piece> pieces =
          chapter.lesson > 0 ? headings(source) : std::vector<lesson::Piece>{};
      const std::string body =
          element("h1", chapter.title) +
          (chapter.is_handout
               ? lesson::prose_markup(handout_of(source))
               : lesson::chapter_markup(source, pieces, {lesson::prose_markup, plain_code, false}));
      if (bodies.back().size() + body.size() > largest_page) bodies.emplace_back();
      bodies.back() += body;
    }
    const auto name = [](std::size_t i) { return i == 0 ? "all.html" : text("all-", i + 1, ".html"); };
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      std::string nav = link("contents.html", "Contents");
      if (i + 1 < bodies.size()) nav += " · " + link(name(i + 1), "It goes on →");
      nav = element("nav", nav);
      pages[name(i)] = lesson::whole_page("mesagrad", nav + bodies[i] + nav);
    }
  }

  std::filesystem::path root_, out_;
  Lines parts_;
  std::vector<Chapter> chapters_;
  Sources sources_;
  std::map<std::string, const Chapter*> chapter_of_;
  std::optional<Names> names_;
  std::string file_;  // the one whose page is being written
};

}  // namespace

Book make_book(const std::filesystem::path& root, const std::filesystem::path& out) {
  return Writer(root, out).book();
}

}  // namespace mesagrad::book
