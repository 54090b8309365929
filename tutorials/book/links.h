// Where things are in the book: links from the page of a file to files, lines and names, listings in which
// names are links, and lists of names.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tutorials/book/contents.h"
#include "tutorials/book/names.h"
#include "tutorials/lesson/page.h"

namespace mesagrad::book {

// The markup alone if there is nothing to link to.
std::string link(const std::string& to, const std::string& markup);

// Adds an item to a list in one line.
void add(std::string& list, const std::string& item, const char* between = ", ");

class Links {
 public:
  explicit Links(const std::vector<Chapter>& chapters);  // which outlive this

  std::string from = {};  // the file whose page is being written; "" for pages of no file

  const Chapter& chapter(const std::string& path) const;  // or "Lesson 3"

  // Markup with links at paths, at "lesson 3", and at names that are set as code or can be nothing else.
  std::string linked(const std::string& markup) const;

  // Code with a link at each name, and behind it where the names that it defines are used.
  std::string listing(const lesson::Listing& lines) const;

  // The types, functions and constants that a file declares or defines, and behind a type, if they are
  // wanted, its functions and its types.
  std::string names_in(const std::string& file, bool with_members) const;

  // All names, by their first letters in lower case: items of a list.
  std::map<char, std::string> index() const;

 private:
  std::string to(const std::string& file, const std::string& id) const;
  std::string to(const Place& place) const;
  std::string to(const Name& name) const;  // "" if it may be one of several
  std::string target_of(const std::string& word, bool is_code) const;
  std::string uses_of(const std::vector<const Name*>& names) const;

  const Names names_;
  std::map<std::string, const Chapter*> chapter_of_;  // by files, and by "lesson 3"
};

}  // namespace mesagrad::book
